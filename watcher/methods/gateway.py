"""The `gateway` method: a turn by OpenClaw's own RPC, followed from its admission to its end.

The wake's id is the idempotency key and so becomes the id of OpenClaw's run: asking again buys
no second turn. It must not know the bus, nor how bytes reach the gateway.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from watcher.clock import SystemClock
from watcher.gatewaysession import GatewayError
from watcher.gatewayturn import GatewayTurn
from watcher.gatewayturns import GatewayTurns
from watcher.methods.base import Outcome, Probe
from watcher.outputs.speech import Outputs

if TYPE_CHECKING:
    import threading

    from watcher.clock import Clock
    from watcher.methods.base import Report, Wake
    from watcher.settings import AgentSettings, Settings

NEEDED = ("agent", "agent.wait")


class Gateway:
    """One connection for all agents of this node, with a thread for each turn that waits."""

    name = "gateway"

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self.turns = GatewayTurns(settings.openclaw, self._clock)
        self._outputs = Outputs(settings, self._clock)

    def close(self) -> None:
        """End the connection."""
        self.turns.link.close()

    def probe(self, agent: AgentSettings) -> Probe:
        agent_id = agent.openclaw_id
        try:
            hello = self.turns.link.connect()
            missing = [method for method in NEEDED if method not in hello.methods]
            if missing:
                return Probe(False, f"OpenClaw {hello.version} has no RPC {', '.join(missing)}")
            known = self.turns.list_agents()
        except GatewayError as error:
            return Probe(False, str(error))
        if known and agent_id not in known:
            return Probe(False, f"OpenClaw knows no agent {agent_id!r}")
        return Probe(True, f"OpenClaw {hello.version} answers; the turn's end can be seen")

    def run(
        self, wake: Wake, agent: AgentSettings, report: Report, stop: threading.Event
    ) -> Outcome:
        agent_id = wake.local_agent.lower() or agent.openclaw_id
        session_key = wake.session_key or agent.session_key or f"agent:{agent_id}:main"
        run_id = wake.turn_id or wake.wake_id
        turn = GatewayTurn(run_id, agent_id, session_key, agent.limit_s, stop, self._clock)
        speech, text = self._outputs.of_wake(wake, stop), wake.text
        if speech is not None:
            turn.listener, text = speech, wake.shown_text or text
            report.will_show()
        outcome = self.turns.run(turn, text, report, is_admitted=bool(wake.turn_id))
        if speech is not None:
            speech.end(outcome)
        return outcome
