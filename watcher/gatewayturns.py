"""Turns of OpenClaw's that are asked for by its own RPC and followed from admission to their end.

A turn's id is the idempotency key and so becomes the id of OpenClaw's run: asking again buys no
second turn. It must not know the bus, what a turn is for, nor how bytes reach the gateway.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from watcher import log
from watcher.gatewaylink import GatewayLink
from watcher.gatewaysession import (
    LATE_ANSWER,
    GatewayError,
    GivenUpError,
    LostError,
    RejectedError,
    UnreachableError,
)
from watcher.gatewayverdict import judge_answer, judge_task
from watcher.methods.base import Outcome

if TYPE_CHECKING:
    from watcher.clock import Clock
    from watcher.gatewayturn import GatewayTurn
    from watcher.methods.base import Report
    from watcher.settings import OpenClawSettings

SLICE_S = 15.0  # the bus wants to hear of a living turn at least every 30 s
DOUBTFUL_SLICE_S = 1.0
ANSWER_S = 10.0
ADMIT_S = 30.0  # the first turn after a gateway's start is admitted late
RETURN_S = 90.0  # how long a gateway that went away in mid-turn may take to come back
PAUSE_S = 1.0
ABORT_S = 5.0
USAGE_S = 1.0  # what a run used is told just after its end
TASKS_SEEN = 100


class GatewayTurns:
    """One connection for all agents of this node, with a thread for each turn that waits."""

    def __init__(self, settings: OpenClawSettings, clock: Clock) -> None:
        self.link = GatewayLink(settings, self._take_event)
        self._clock = clock
        self._turns: dict[str, GatewayTurn] = {}

    def run(
        self,
        turn: GatewayTurn,
        text: str,
        report: Report,
        *,
        is_admitted: bool,
        may_be_known: bool = False,
    ) -> Outcome:
        """Have a turn admitted unless it is, and follow it.

        `may_be_known`: it was perhaps asked for in an earlier life of this watcher.
        """
        self._turns[turn.run_id] = turn  # before the asking: its first event may come very soon
        try:
            outcome = None
            if not is_admitted:
                outcome = self._admit(turn, text, report, may_be_known=may_be_known)
            outcome = outcome or self._follow(turn, report)
            if outcome.state == "ended" and turn.is_asked_here:
                turn.is_told.wait(USAGE_S)
            elif turn.listener is not None and outcome.state != "left":
                turn.has_spoken.wait(USAGE_S)
            return replace(outcome, usage=turn.usage)
        finally:
            del self._turns[turn.run_id]

    def list_agents(self) -> dict[str, dict[str, Any]]:
        """Give what OpenClaw says of each of its agents.

        Raises:
            GatewayError: it cannot be asked.
        """
        payload, _ = self.link.call("agents.list", {}, timeout_s=ANSWER_S)
        agents = payload.get("agents")
        found = [entry for entry in agents or [] if isinstance(entry, dict)]
        return {str(entry.get("id", "")).lower(): entry for entry in found}

    def abort(self, turn: GatewayTurn) -> bool:
        """End a turn's work; say whether OpenClaw found something to end.

        Raises:
            GatewayError: it cannot be asked.
        """
        run = {"sessionKey": turn.session_key, "runId": turn.run_id}
        answer, _ = self.link.call("chat.abort", run, timeout_s=ANSWER_S)
        return answer.get("aborted") is True

    def _take_event(self, event: str, payload: dict[str, Any]) -> None:
        """Note of a run of ours what it used and says, and when its turn begins.

        Time in the queue is not the turn's.
        """
        turn = self._turns.get(str(payload.get("runId")))
        if turn is None:
            return
        if event == LATE_ANSWER:
            turn.take_usage(payload)
        elif event == "chat":
            turn.take_words(payload)
        elif event == "agent" and payload.get("stream") == "lifecycle":
            data = payload.get("data")
            if isinstance(data, dict) and data.get("phase") == "start":
                turn.start()

    # ---------------------------------------------------------------- the beginning

    def _admit(
        self, turn: GatewayTurn, text: str, report: Report, *, may_be_known: bool
    ) -> Outcome | None:
        """Have the turn admitted; give an outcome where it already ends here."""
        try:
            answer = self._ask(turn, text, may_be_known=may_be_known)
        except GivenUpError:
            return Outcome("left")
        except RejectedError as error:
            if not error.payload.get("runId"):
                turn.is_refused = True
                return Outcome("no_turn", f"OpenClaw refused the turn: {error}", _is_final(error))
            answer = {"status": "error", "error": str(error), **error.payload}
        except GatewayError as error:
            return Outcome("no_turn", str(error))
        turn.is_certain = turn.is_asked_here = True
        turn.take_usage(answer)
        report.admitted(turn.run_id)
        return judge_answer(answer)

    def _ask(self, turn: GatewayTurn, text: str, *, may_be_known: bool) -> dict[str, Any]:
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
                if (was_lost or may_be_known) and self._find_task(turn):
                    return {"status": "in_flight"}  # a restarted gateway forgets keys, not tasks
                answer, turn.boot_id = self.link.call(
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

    def _follow(self, turn: GatewayTurn, report: Report) -> Outcome:
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

    def _wait_slice(self, turn: GatewayTurn) -> Outcome | None:
        """Wait a while for the end; None while the turn lives.

        `agent.wait` says `timeout` of runs that it never heard of, too: the ledger of tasks tells
        these from the living.
        """
        boot_id = self.link.connect().boot_id
        if boot_id != turn.boot_id:  # its run may have died with the other gateway: ask shortly
            turn.is_certain, turn.boot_id = False, boot_id
        slice_s = max(0.05, min(SLICE_S if turn.is_certain else DOUBTFUL_SLICE_S, turn.left_s))
        params = {"runId": turn.run_id, "timeoutMs": int(slice_s * 1000)}
        answer, _ = self.link.call(
            "agent.wait", params, timeout_s=slice_s + ANSWER_S, gives_up=turn.is_over
        )
        turn.take_last_words(answer)
        return judge_answer(answer) or self._look_it_up(turn)

    def _look_it_up(self, turn: GatewayTurn) -> Outcome | None:
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

    def _find_task(self, turn: GatewayTurn) -> dict[str, Any] | None:
        """Give the ledger's entry of this run; None where there is none, or no ledger."""
        params = {"agentId": turn.agent_id, "limit": TASKS_SEEN}
        try:
            payload, _ = self.link.call(
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

    def _end_late(self, turn: GatewayTurn) -> Outcome:
        """End a turn that is over its limit; it may still have ended well just now."""
        reason = f"turn limit {turn.limit_s:g} s"
        turn.is_late = True
        try:
            if not self.abort(turn):
                reason += "; OpenClaw found nothing to abort"
            params = {"runId": turn.run_id, "timeoutMs": int(ABORT_S * 1000)}
            last, _ = self.link.call("agent.wait", params, timeout_s=ABORT_S + ANSWER_S)
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
