"""A run by OpenClaw's gateway: one turn in a session of its own, followed to its end.

The run's id is the idempotency key and so OpenClaw's own id of it: asking again, also in a later
life of the watcher, buys no second turn. It must not know the bus.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from watcher import log
from watcher.gatewaysession import GatewayError, GivenUpError, RejectedError
from watcher.gatewayturn import GatewayTurn
from watcher.gatewayturns import ANSWER_S, PAUSE_S, RETURN_S
from watcher.gatewayverdict import read_session_usage
from watcher.methods.base import Outcome, Usage
from watcher.runs.order import Halt
from watcher.runs.result import Result

if TYPE_CHECKING:
    from collections.abc import Iterator

    from watcher.clock import Clock
    from watcher.gatewayturns import GatewayTurns
    from watcher.runs.order import Order
    from watcher.settings import AgentSettings

LAST_MESSAGES = 50
ADMIN = ("operator.admin",)  # to delete a session, and for nothing else
CUT_MARK = "...(truncated)..."


class _Unheard:
    """Hears what the turn says of itself; the run's own heartbeat tells the bus."""

    def admitted(self, turn_id: str) -> None:
        log.say("run_admitted", run=turn_id)

    def alive(self) -> None:
        pass

    def will_show(self) -> None:
        pass


class ByGateway:
    """Runs orders over the connection that the wakes use."""

    def __init__(self, turns: GatewayTurns, clock: Clock) -> None:
        self._turns = turns
        self._clock = clock

    def find_workspace(self, agent: AgentSettings) -> Path | None:
        """Give the workspace that OpenClaw has for an agent; None where it does not say.

        Raises:
            GatewayError: it cannot be asked.
        """
        named = self._turns.list_agents().get(agent.openclaw_id, {}).get("workspace")
        return Path(named) if isinstance(named, str) and named.startswith("/") else None

    def run(
        self, order: Order, agent: AgentSettings, halt: Halt, spent_s: float, *, is_resumed: bool
    ) -> Result | None:
        """Run it; None where the watcher stops, which leaves it running in OpenClaw."""
        key = session_key(order, agent)
        turn = GatewayTurn(
            order.run_id, agent.openclaw_id, key, order.limit_s, halt.event, self._clock
        )
        # the run's limit counts from its claim, also in a queue
        turn.started_s = self._clock.monotonic_s() - spent_s
        outcome = self._try(turn, order, is_resumed=is_resumed)
        if outcome.state == "left" and halt.why == Halt.STOPPED:
            return None
        if outcome.state == "left":
            outcome = Outcome("failed", halt.why)
        result = Result("completed")
        if halt.is_unwanted and outcome.state != "ended":
            result.fail(outcome.reason, "cancelled")
        elif outcome.state != "ended":
            result.fail(outcome.reason, "timed_out" if turn.is_late else "failed")
        if outcome.state == "failed" and not turn.is_late:
            self._abort(turn)  # a gateway that was restarted may have taken it up again
        if outcome.state != "no_turn":
            self._look(result, turn, outcome.usage)
        return result

    def delete(self, order: Order, agent: AgentSettings) -> None:
        """Delete the session and its transcript; one that is gone already is no trouble.

        Raises:
            GatewayError: it could not be done.
        """
        params = {"key": session_key(order, agent), "deleteTranscript": True}
        self._turns.link.call_apart("sessions.delete", params, ADMIN, timeout_s=ANSWER_S)

    def _try(self, turn: GatewayTurn, order: Order, *, is_resumed: bool) -> Outcome:
        """Have it begin; again for a while where the gateway is away, which began nothing."""
        until_s = self._clock.monotonic_s() + min(RETURN_S, turn.left_s)
        may_be_known = is_resumed
        while True:
            outcome = self._begin(turn, order, may_be_known=may_be_known)
            is_hopeless = outcome.permanent or turn.is_refused
            is_late = self._clock.monotonic_s() >= until_s
            if outcome.state != "no_turn" or is_hopeless or is_late:
                return outcome
            if self._clock.wait(turn.stop, PAUSE_S):
                return Outcome("left")
            may_be_known = True

    def _begin(self, turn: GatewayTurn, order: Order, *, may_be_known: bool) -> Outcome:
        try:
            if order.model:
                self._choose_model(turn, order.model)
        except RejectedError as error:
            return Outcome("no_turn", f"OpenClaw refused the model: {error}", permanent=True)
        except GivenUpError:
            return Outcome("left")
        except GatewayError as error:
            return Outcome("no_turn", str(error))
        return self._turns.run(
            turn, order.task, _Unheard(), is_admitted=False, may_be_known=may_be_known
        )

    def _choose_model(self, turn: GatewayTurn, model: str) -> None:
        """Make the session with its model: the turn itself may not name one."""
        params = {"key": turn.session_key, "agentId": turn.agent_id, "model": model}
        self._turns.link.call(
            "sessions.create", params, timeout_s=ANSWER_S, gives_up=turn.stop.is_set
        )

    def _abort(self, turn: GatewayTurn) -> None:
        try:
            self._turns.abort(turn)
        except GatewayError as error:
            log.warn("run_not_aborted", run=turn.run_id, reason=error)

    def _look(self, result: Result, turn: GatewayTurn, told: Usage) -> None:
        """Take what the worker said last, and what it cost; without them a result is one, too.

        What the turn told of its cost is what a wake's turn tells. One that an earlier life of the
        watcher asked for tells nothing: then its session's row does, which counts no cached tokens.
        """
        result.usage = told
        try:
            text = self._read_reply(turn.session_key)
            if told == Usage():
                row = self._ask("sessions.describe", {"key": turn.session_key}).get("session")
                result.usage = read_session_usage(row)
        except GatewayError as error:
            log.warn("run_output_unread", run=turn.run_id, reason=error)
            return
        result.output = text.encode("utf-8", "replace")
        result.output_bytes = len(result.output)

    def _read_reply(self, key: str) -> str:
        history = self._ask("chat.history", {"sessionKey": key, "limit": LAST_MESSAGES})
        for message in reversed(list(_objects(history.get("messages")))):
            text = _text(message)
            if message.get("role") != "assistant" or not text:
                continue
            marks = message.get("__openclaw")
            marks = marks if isinstance(marks, dict) else {}
            if marks.get("truncated") is True or text.endswith(CUT_MARK):
                asked = {"sessionKey": key, "messageId": str(marks.get("id"))}
                whole = self._ask("chat.message.get", asked).get("message")
                return (_text(whole) if isinstance(whole, dict) else "") or text
            return text
        return ""

    def _ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        try:
            payload, _ = self._turns.link.call(method, params, timeout_s=ANSWER_S)
        except RejectedError as error:  # another release of OpenClaw may not have it
            log.detail("gateway_refused", method=method, reason=error)
            return {}
        return payload


def session_key(order: Order, agent: AgentSettings) -> str:
    """Give the key of the run's own session: nothing of the worker's others comes into it.

    A sub-agent's by its name: a gateway that was killed takes any other session up again, and work
    that was told as failed would go on.
    """
    return f"agent:{agent.openclaw_id}:subagent:{order.run_id.lower()}"


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    for one in value if isinstance(value, list) else []:
        if isinstance(one, dict):
            yield one


def _text(message: dict[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts = [one.get("text") for one in _objects(content) if one.get("type") == "text"]
    return "\n".join(part for part in parts if isinstance(part, str))
