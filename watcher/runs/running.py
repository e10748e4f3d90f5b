"""One run from its claim to the bus's answer to its end: run, file, check, report, cleanup.

Each step that must not be done twice is in the book before it is done. It must not know which runs
there are, nor how OpenClaw or a process is spoken to.
"""

from __future__ import annotations

import dataclasses
import threading
from typing import TYPE_CHECKING, Any

from watcher import log
from watcher.bus import BusError
from watcher.gatewaysession import GatewayError
from watcher.gatewayturns import PAUSE_S, RETURN_S
from watcher.methods import name_meant
from watcher.methods.child import explain
from watcher.runs.bygateway import session_key
from watcher.runs.byprogram import RESTARTED, tell_check
from watcher.runs.fitness import UnfitError, check_fitness, check_workspace
from watcher.runs.order import Halt, Order
from watcher.runs.outputfile import OutputError, OutputFile
from watcher.runs.result import Result, clean
from watcher.settings import KEEP

if TYPE_CHECKING:
    from pathlib import Path

    from watcher.clock import Clock
    from watcher.runs.book import Book, Entry
    from watcher.runs.bygateway import ByGateway
    from watcher.runs.byprogram import ByProgram
    from watcher.runs.line import Line
    from watcher.settings import AgentSettings

ALIVE_EVERY_S = 15.0
LEAST_CHECK_S = 10.0  # for a check after a run that took its whole limit; the bus has that grace
DELETE_TRIES, DELETE_AGAIN_S = 4, 5.0


@dataclasses.dataclass(frozen=True)
class Means:
    """What a run needs beside its own: the same for all runs of this watcher."""

    book: Book
    by_program: ByProgram
    by_gateway: ByGateway
    clock: Clock
    instance: str
    stop: threading.Event


class Running:
    """One run, in a thread of its own."""

    def __init__(
        self, entry: Entry, agent: AgentSettings, line: Line, halt: Halt, means: Means
    ) -> None:
        self._entry = entry
        self._agent = agent
        self._line = line
        self._halt = halt
        self._means = means
        self._is_resumed = entry.phase == "claimed"

    def run(self) -> None:
        """Go on from where the book says it is; what is left unfinished stays in the book."""
        try:
            if self._entry.phase == "claiming" and not self._claim():
                if self._halt.why != Halt.STOPPED:  # then the bus may have taken a claim unheard
                    self._means.book.drop(self._entry.run_id)
                return
            if self._entry.phase == "claimed" and not self._work():
                return
            if self._entry.phase == "ended" and not self._tell():
                return
            self._clean_up()
        except BusError as error:
            log.warn("run_left", run=self._entry.run_id, code=error.code, reason=error.detail)

    # ---------------------------------------------------------------- the claim

    def _claim(self) -> bool:
        """Claim it, once a workspace can be named; say whether it is ours."""
        workspace = self._find_workspace()
        if self._halt.event.is_set():
            return False
        try:
            order, answer = self._line.claim(self._means.instance, workspace, self._halt)
        except BusError as error:
            log.say("run_not_claimed", run=self._entry.run_id, code=error.code, reason=error.detail)
            return False
        log.say("run_claimed", run=order.run_id, agent=self._entry.worker, limit=order.limit_s)
        began_at_s = self._means.clock.now_s()
        self._move("claimed", order=answer, workspace=workspace, began_at_s=began_at_s)
        return True

    def _find_workspace(self) -> str:
        """Give what is set, or what OpenClaw has; a gateway that is away is waited for a while."""
        agent = self._agent
        if agent.runs.workspace is not None:
            return str(agent.runs.workspace)
        if name_meant(agent) == "program":
            return str(agent.cwd.absolute()) if agent.cwd else ""
        clock = self._means.clock
        until_s = clock.monotonic_s() + RETURN_S
        while True:
            try:
                return str(self._means.by_gateway.find_workspace(agent) or "")
            except GatewayError as error:
                log.detail("workspace_unknown", agent=agent.name, reason=error)
                if clock.monotonic_s() >= until_s or clock.wait(self._halt.event, PAUSE_S):
                    return ""

    # ---------------------------------------------------------------- the work

    def _work(self) -> bool:
        """Do it and write its end into the book; say whether there is an end to tell."""
        order = Order.parse(self._entry.order)
        done = threading.Event()
        beat = threading.Thread(target=self._beat, args=(order, done), daemon=True)
        beat.start()
        try:
            result = self._do(order)
        except Exception as error:  # noqa: BLE001 - a fault of ours must not look like a living run
            log.warn("run_crashed", run=order.run_id, error=repr(error))
            result = Result("failed", f"the watcher's own fault: {type(error).__name__}: {error}")
        finally:
            done.set()
        if result is None:
            log.say("run_left", run=order.run_id, note="it goes on in OpenClaw; followed again")
            return False
        log.say("run_ended", run=order.run_id, status=result.status, agent=self._entry.worker)
        self._move("ended", end=result.body(order.claim))
        return True

    def _beat(self, order: Order, done: threading.Event) -> None:
        body: dict[str, Any] = {"claim": order.claim}
        is_seen = name_meant(self._agent) != "program"
        if is_seen:  # where a person can look on
            key = session_key(order, self._ordered_agent(order))
            body |= {"turn_id": order.run_id, "session_key": key}
        if is_seen or self._is_resumed:
            self._line.say_alive(body, self._halt)
        while not self._means.clock.wait(done, ALIVE_EVERY_S) and not self._halt.event.is_set():
            self._line.say_alive(body, self._halt)

    def _do(self, order: Order) -> Result | None:
        agent = self._ordered_agent(order)
        is_program = name_meant(agent) == "program"
        if self._is_resumed and is_program:
            self._means.by_program.end_leftovers(order.run_id)
            return Result("failed", RESTARTED)
        try:
            check_fitness(agent, order)
            workspace = check_workspace(agent, self._entry.workspace)
            output = OutputFile(workspace, order.output)
            before = self._entry.before if self._is_resumed else output.prepare()
        except (UnfitError, OutputError) as error:
            return Result("failed", str(error))
        self._move("claimed", before=before)
        spent_s = max(0.0, self._means.clock.now_s() - self._entry.began_at_s)
        ends_s = self._means.clock.monotonic_s() + order.limit_s - spent_s
        result: Result | None
        if is_program:
            result = self._means.by_program.run(order, agent, workspace, self._halt)
        else:
            result = self._means.by_gateway.run(
                order, agent, self._halt, spent_s, is_resumed=self._is_resumed
            )
        if result is not None:
            self._settle_file(result, output, before)
            if order.verify and result.status == "completed":
                self._check(order, agent, workspace, result, ends_s)
        return result

    def _ordered_agent(self, order: Order) -> AgentSettings:
        """Give the agent with the name that the bus's directory has for it in OpenClaw."""
        local_agent = order.local_agent or self._agent.local_agent
        return dataclasses.replace(self._agent, local_agent=local_agent, session_key="")

    def _settle_file(self, result: Result, output: OutputFile, before: list[int] | None) -> None:
        is_wanted = result.status == "completed" or bool(result.output)
        try:
            result.file = output.settle(before, result.output if is_wanted else None)
        except OutputError as error:
            result.fail(str(error))

    def _check(
        self, order: Order, agent: AgentSettings, workspace: Path, result: Result, ends_s: float
    ) -> None:
        """Run the check, within what is left of the run's limit."""
        left_s = max(LEAST_CHECK_S, ends_s - self._means.clock.monotonic_s())
        limit_s = min(agent.runs.verify_limit_s, left_s)
        done = self._means.by_program.check(order, agent, workspace, self._halt, limit_s)
        code = 0 if done.is_good else done.exit_code or 1
        result.verify = {"name": order.verify, "exit_code": code}
        said = tell_check(done)
        if said:
            result.verify["output"] = clean(said.encode("utf-8", "replace"))
        if done.ended_by == "stop":
            why = f"{self._halt.why} during the check {order.verify}"
            result.fail(why, "cancelled" if self._halt.is_unwanted else "failed")
        elif not done.is_good:
            is_late = done.ended_by == "limit" and limit_s < agent.runs.verify_limit_s
            why = explain(done, f"the check {order.verify}", limit_s)
            result.fail(why, "timed_out" if is_late else "failed")

    # ---------------------------------------------------------------- the end

    def _tell(self) -> bool:
        """Tell the end; say whether there is something left to delete."""
        is_taken = self._line.tell_end(self._entry.end, self._means.stop)
        order = Order.parse(self._entry.order)
        keeps = self._agent.runs.cleanup == KEEP or name_meant(self._agent) == "program"
        if not is_taken or not order.is_deleting or keeps:
            self._means.book.drop(self._entry.run_id)
            return False
        self._move("told")
        return True

    def _clean_up(self) -> None:
        """Delete the transcript, now that the bus has the result."""
        order = Order.parse(self._entry.order)
        agent = self._ordered_agent(order)
        for _ in range(DELETE_TRIES):
            try:
                self._means.by_gateway.delete(order, agent)
            except GatewayError as error:
                log.warn("transcript_not_deleted", run=order.run_id, reason=error)
            else:
                log.say("transcript_deleted", run=order.run_id)
                self._means.book.drop(order.run_id)
                return
            if self._means.clock.wait(self._means.stop, DELETE_AGAIN_S):
                return  # the next life tries again

    def _move(self, phase: Any, **changes: Any) -> None:
        self._entry = self._entry.moved(phase, **changes)
        try:
            self._means.book.write(self._entry)
        except OSError as error:
            # an entry that is behind could have a later life do it twice; the bus calls it lost
            log.warn("run_not_written", run=self._entry.run_id, error=error)
            self._means.book.drop(self._entry.run_id)
