"""The `gateway` method: a turn by OpenClaw's own RPC, followed from its admission to its end.

The wake's id is the idempotency key and so becomes the id of OpenClaw's run: asking again buys
no second turn. It must not know the bus, nor how bytes reach the gateway.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from watcher import log
from watcher.clock import SystemClock
from watcher.gatewaylink import GatewayLink
from watcher.gatewaysession import (
    GatewayError,
    GivenUpError,
    LostError,
    RejectedError,
    UnreachableError,
)
from watcher.methods.base import Outcome, Probe
from watcher.runs import judge_answer, judge_task

if TYPE_CHECKING:
    import threading

    from watcher.clock import Clock
    from watcher.methods.base import Report, Wake
    from watcher.settings import AgentSettings, Settings

NEEDED = ("agent", "agent.wait")
SLICE_S = 15.0  # the bus wants to hear of a living turn at least every 30 s
DOUBTFUL_SLICE_S = 1.0
ANSWER_S = 10.0
ADMIT_S = 30.0  # the first turn after a gateway's start is admitted late
RETURN_S = 90.0  # how long a gateway that went away in mid-turn may take to come back
PAUSE_S = 1.0
ABORT_S = 5.0
TASKS_SEEN = 100


@dataclass
class _Turn:
    """What is known of one run of OpenClaw's."""

    run_id: str
    agent_id: str
    session_key: str
    limit_s: float
    stop: threading.Event
    clock: Clock
    boot_id: str = ""
    is_certain: bool = False
    """Whether the gateway that we talk to is known to have this run."""
    started_s: float | None = None
    """When the model began, on the monotonic clock; a turn that is queued has not."""

    def start(self) -> None:
        if self.started_s is None:
            self.started_s = self.clock.monotonic_s()

    @property
    def left_s(self) -> float:
        if self.started_s is None:
            return self.limit_s
        return self.started_s + self.limit_s - self.clock.monotonic_s()

    def is_over(self) -> bool:
        return self.stop.is_set() or self.left_s <= 0


class Gateway:
    """One connection for all agents of this node, with a thread for each turn that waits."""

    name = "gateway"

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._link = GatewayLink(settings.openclaw, self._take_event)
        self._turns: dict[str, _Turn] = {}

    def close(self) -> None:
        """End the connection."""
        self._link.close()

    def probe(self, agent: AgentSettings) -> Probe:
        agent_id = (agent.local_agent or agent.name).lower()
        try:
            hello = self._link.connect()
            missing = [method for method in NEEDED if method not in hello.methods]
            if missing:
                return Probe(False, f"OpenClaw {hello.version} has no RPC {', '.join(missing)}")
            known = self._list_agents()
        except GatewayError as error:
            return Probe(False, str(error))
        if known and agent_id not in known:
            return Probe(False, f"OpenClaw knows no agent {agent_id!r}")
        return Probe(True, f"OpenClaw {hello.version} answers; the turn's end can be seen")

    def run(
        self, wake: Wake, agent: AgentSettings, report: Report, stop: threading.Event
    ) -> Outcome:
        agent_id = (wake.local_agent or agent.local_agent or agent.name).lower()
        session_key = wake.session_key or agent.session_key or f"agent:{agent_id}:main"
        run_id = wake.turn_id or wake.wake_id
        turn = _Turn(run_id, agent_id, session_key, agent.limit_s, stop, self._clock)
        self._turns[run_id] = turn  # before the asking: its first event may come very soon
        try:
            outcome = None if wake.turn_id else self._admit(turn, wake.text, report)
            return outcome or self._follow(turn, report)
        finally:
            del self._turns[run_id]

    def _take_event(self, event: str, payload: dict[str, Any]) -> None:
        """Note when a run of ours gets its turn; its time in the queue is not its own."""
        if event != "agent" or payload.get("stream") != "lifecycle":
            return
        data, turn = payload.get("data"), self._turns.get(str(payload.get("runId")))
        if turn is not None and isinstance(data, dict) and data.get("phase") == "start":
            turn.start()

    def _list_agents(self) -> set[str]:
        payload, _ = self._link.call("agents.list", {}, timeout_s=ANSWER_S)
        agents = payload.get("agents")
        found = agents if isinstance(agents, list) else []
        return {str(entry.get("id", "")).lower() for entry in found if isinstance(entry, dict)}

    # ---------------------------------------------------------------- the beginning

    def _admit(self, turn: _Turn, text: str, report: Report) -> Outcome | None:
        """Have the turn admitted; give an outcome where it already ends here."""
        try:
            answer = self._ask(turn, text)
        except GivenUpError:
            return Outcome("left")
        except RejectedError as error:
            if not error.payload.get("runId"):
                return Outcome("no_turn", f"OpenClaw refused the turn: {error}", _is_final(error))
            answer = {"status": "error", "error": str(error), **error.payload}
        except GatewayError as error:
            return Outcome("no_turn", str(error))
        turn.is_certain = True
        report.admitted(turn.run_id)
        return judge_answer(answer)

    def _ask(self, turn: _Turn, text: str) -> dict[str, Any]:
        """Ask for the turn; again where the answer was lost, which the key makes harmless."""
        params = {
            "message": text,
            "agentId": turn.agent_id,
            "sessionKey": turn.session_key,
            "deliver": False,
            "idempotencyKey": turn.run_id,
        }
        until_s = self._clock.monotonic_s() + ADMIT_S
        was_lost = False
        while True:
            try:
                if was_lost and self._find_task(turn):
                    return {"status": "in_flight"}  # a restarted gateway forgets keys, not tasks
                answer, turn.boot_id = self._link.call(
                    "agent", params, timeout_s=ADMIT_S, gives_up=turn.stop.is_set
                )
            except (LostError, UnreachableError) as error:
                was_lost = was_lost or isinstance(error, LostError)
                if not was_lost or self._clock.monotonic_s() >= until_s:
                    raise
                turn.stop.wait(PAUSE_S)
            else:
                return answer

    # ---------------------------------------------------------------- to the end

    def _follow(self, turn: _Turn, report: Report) -> Outcome:
        """Stay with an admitted turn."""
        seen_s = self._clock.monotonic_s()
        while not turn.is_over():
            try:
                outcome = self._wait_slice(turn)
                if outcome is not None:
                    return outcome
                seen_s = self._clock.monotonic_s()
                report.alive()
            except GivenUpError:
                continue
            except GatewayError as error:
                if self._clock.monotonic_s() - seen_s > RETURN_S:
                    return Outcome("failed", f"the gateway went away in mid-turn: {error}")
                turn.stop.wait(PAUSE_S)
        return Outcome("left") if turn.stop.is_set() else self._end_late(turn)

    def _wait_slice(self, turn: _Turn) -> Outcome | None:
        """Wait a while for the end; None while the turn lives.

        `agent.wait` says `timeout` of runs that it never heard of, too: the ledger of tasks tells
        these from the living.
        """
        slice_s = max(0.05, min(SLICE_S if turn.is_certain else DOUBTFUL_SLICE_S, turn.left_s))
        params = {"runId": turn.run_id, "timeoutMs": int(slice_s * 1000)}
        answer, boot_id = self._link.call(
            "agent.wait", params, timeout_s=slice_s + ANSWER_S, gives_up=turn.is_over
        )
        outcome = judge_answer(answer)
        if outcome is not None:
            return outcome
        if boot_id != turn.boot_id:
            turn.is_certain, turn.boot_id = False, boot_id
        return self._look_it_up(turn)

    def _look_it_up(self, turn: _Turn) -> Outcome | None:
        task = self._find_task(turn)
        if task is None:
            if not turn.is_certain:
                return Outcome("failed", "the gateway was restarted, and the turn is lost")
            turn.start()  # it cannot be seen waiting, so its time counts
            return None
        outcome = judge_task(task)
        if outcome is None:
            turn.is_certain = True
            execution = task.get("execution")
            if isinstance(execution, dict) and execution.get("state") == "running":
                turn.start()
        return outcome

    def _find_task(self, turn: _Turn) -> dict[str, Any] | None:
        """Give the ledger's entry of this run; None where there is none, or no ledger."""
        params = {"agentId": turn.agent_id, "limit": TASKS_SEEN}
        try:
            payload, _ = self._link.call(
                "tasks.list", params, timeout_s=ANSWER_S, gives_up=turn.stop.is_set
            )
        except RejectedError as error:
            log.detail("gateway_ledger_refused", run=turn.run_id, reason=error)
            return None
        tasks = payload.get("tasks")
        for task in tasks if isinstance(tasks, list) else []:
            if isinstance(task, dict) and task.get("runId") == turn.run_id:
                return task
        return None

    def _end_late(self, turn: _Turn) -> Outcome:
        """End a turn that is over its limit; it may still have ended well just now."""
        reason = f"turn limit {turn.limit_s:g} s"
        try:
            run = {"sessionKey": turn.session_key, "runId": turn.run_id}
            answer, _ = self._link.call("chat.abort", run, timeout_s=ANSWER_S)
            if answer.get("aborted") is not True:
                reason += "; OpenClaw found nothing to abort"
            params = {"runId": turn.run_id, "timeoutMs": int(ABORT_S * 1000)}
            last, _ = self._link.call("agent.wait", params, timeout_s=ABORT_S + ANSWER_S)
        except GatewayError as error:
            return Outcome("failed", f"{reason}; it could not be aborted: {error}")
        outcome = judge_answer(last)
        if outcome is not None and outcome.state == "ended":
            return outcome
        log.warn("turn_aborted", run=turn.run_id, agent=turn.agent_id, reason=reason)
        return Outcome("failed", reason)


def _is_final(error: RejectedError) -> bool:
    """Say whether asking again is of no use: OpenClaw has no such agent."""
    return "unknown agent" in str(error).lower()
