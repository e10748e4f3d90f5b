"""The `program` method: one process for each message, spoken for by the watcher.

It reads, answers and acks with the agent's own token, so a script needs to know nothing of the
bus: the fenced text comes in on stdin (or as an argument), what it prints is the reply.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from watcher import log, processes
from watcher.bus import BusError
from watcher.mail import Item, Mail
from watcher.methods.base import Outcome, Probe
from watcher.methods.child import (
    encode,
    environment,
    environment_to_speak,
    explain,
    fill,
    tell_errors,
)
from watcher.outputs.speech import Outputs

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from watcher.bus import Bus
    from watcher.clock import Clock
    from watcher.methods.base import Report, Wake
    from watcher.outputs.speech import Printing
    from watcher.settings import AgentSettings, Settings

MAX_REASON_CHARS = 2_500
STOP_S = 1.0
CUT_NOTE = "\n[the program's output was longer; it was cut here]\n"


class Program:
    """Runs `argv` for each message of the agent's inbox until nothing is left."""

    name = "program"

    def __init__(self, settings: Settings, clock: Clock, make_bus: Callable[[str], Bus]) -> None:
        """Take `make_bus`, which gives the bus as seen with an agent's token."""
        self._settings = settings
        self._clock = clock
        self._make_bus = make_bus
        self.outputs = Outputs(settings, clock)

    def probe(self, agent: AgentSettings) -> Probe:
        if not agent.argv:
            return Probe(False, "no argv is set")
        if shutil.which(agent.argv[0], path=environment(agent).get("PATH")) is None:
            return Probe(False, f"{agent.argv[0]} is not an executable on the PATH")
        try:
            self._settings.folder.read_agent_token(agent.name)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
            return Probe(False, str(error))
        what = "message" if agent.runs.workspace is None else "run"  # a worker takes nothing else
        return Probe(True, f"starts {agent.argv[0]} for each {what}")

    def run(
        self, wake: Wake, agent: AgentSettings, report: Report, stop: threading.Event
    ) -> Outcome:
        turn = _Turn(wake, agent, report, stop, self)
        with self._make_bus(agent.name) as bus:
            is_shown = self._settings.wake.live_output
            return _work_off(Mail(bus, self._clock, stop, is_shown=is_shown), turn, stop)

    def environment(self, agent: AgentSettings, item: Item) -> dict[str, str]:
        """Give the process what it needs to speak for itself, beyond the watcher's own."""
        return {
            **environment_to_speak(self._settings, agent),
            "WAKEBUS_HANDLE": item.handle,
            "WAKEBUS_MESSAGE_ID": item.message_id,
            "WAKEBUS_THREAD": item.thread,
        }

    def execute(
        self,
        command: processes.Command,
        stop: threading.Event,
        on_look: Callable[[], None],
        on_output: Callable[[bytes], None],
    ) -> processes.Result:
        """Run one process."""
        return processes.run(command, self._clock, stop, on_look=on_look, on_output=on_output)


def _work_off(mail: Mail, turn: _Turn, stop: threading.Event) -> Outcome:
    # The turn is the watcher's own, so it begins here: before the first message is read.
    turn.begin()
    try:
        while not stop.is_set():
            item = mail.read_next()
            if item is None:
                return turn.judge()
            turn.take(item, mail)
    except BusError as error:
        if not stop.is_set():
            reason = f"the inbox could not be read: {error}"
            return Outcome("failed" if turn.has_read else "no_turn", reason)
    return Outcome("left")


class _Turn:
    """The messages of one wake, one after the other."""

    def __init__(
        self,
        wake: Wake,
        agent: AgentSettings,
        report: Report,
        stop: threading.Event,
        program: Program,
    ) -> None:
        self._wake = wake
        self._agent = agent
        self._report = report
        self._stop = stop
        self._program = program
        self.has_read = False
        self._failures: dict[str, str] = {}

    def begin(self) -> None:
        """Say that the turn exists."""
        self._report.admitted(f"program:{self._wake.wake_id}")

    def take(self, item: Item, mail: Mail) -> None:
        """Run the program for one message, and settle the message by what came of it."""
        self.has_read = True
        command = processes.Command(
            argv=fill(self._agent.argv, placeholders(item)),
            env=self._program.environment(self._agent, item),
            cwd=self._agent.cwd,
            stdin=None if "{text}" in self._agent.argv else encode(item.text),
            limit_s=self._agent.limit_s,
        )
        shown = self._show(item)
        on_output = shown.tell if shown is not None else lambda _piece: None
        result = self._program.execute(command, self._stop, self._report.alive, on_output)
        log.say(
            "program_ended",
            agent=self._agent.name,
            message=item.message_id,
            by=result.ended_by,
            status=result.status,
        )
        if result.ended_by == "stop":
            if shown is not None:
                shown.finish("the watcher was stopped", STOP_S)
            mail.release(item, "silent", "the watcher was stopped")
        elif result.is_good:
            if shown is not None and shown.finish(""):
                mail.ack(item)
            else:
                self._note(item, mail.settle(item, _write_reply(result)))
        else:
            is_last = item.tries > self._agent.retries
            how = explain(result, "the program", self._agent.limit_s)
            self._note(item, how)  # what it said is for the sender: a wake's reason is logged
            if shown is not None:
                shown.finish(how)
            why = explain(result, "the program", self._agent.limit_s, tell_errors(result))
            mail.release(item, "fatal" if is_last else "fail", why[:MAX_REASON_CHARS])

    def _show(self, item: Item) -> Printing | None:
        """Have what is printed be seen in the item's session, where somebody waits for it there."""
        if not item.reply_expected:
            return None
        name = self._agent.name
        return self._program.outputs.of_program(name, item.session, item.handle, self._stop)

    def _note(self, item: Item, failure: str) -> None:
        """Keep how the last try of a message went."""
        self._failures.pop(item.message_id, None)
        if failure:
            self._failures[item.message_id] = failure

    def judge(self) -> Outcome:
        """Say how the turn went: its messages are settled, but the program may have failed."""
        if not self._failures:
            return Outcome("ended")
        failed = [f"{message}: {why}" for message, why in self._failures.items()]
        return Outcome("failed", "; ".join(failed))


def placeholders(item: Item) -> dict[str, str]:
    """Give what stands for a message among a program's arguments."""
    return {
        "{text}": item.text,
        "{handle}": item.handle,
        "{message_id}": item.message_id,
        "{from}": item.sender,
    }


def _write_reply(result: processes.Result) -> str:
    text = result.output.decode("utf-8", "replace")
    return text + CUT_NOTE if result.is_cut else text
