"""The gateway method: what it asks OpenClaw for, and that it reports what it saw and no more."""

from __future__ import annotations

import json
import logging
import threading
from dataclasses import dataclass, field

import pytest
from fakegateway import FakeGateway, RefusedError

from tests.conftest import until
from watcher import gatewayturns
from watcher.gatewayverdict import SILENT_END, read_usage
from watcher.methods.base import Outcome, Usage, Wake
from watcher.methods.gateway import Gateway
from watcher.settings import AgentSettings, Folder, OpenClawSettings, Settings

CHANGED = (
    'Session "agent:alpha:main" changed while starting work. Retry. | SESSION_WORK_START_CHANGED'
)
WAKE_ID = "w_00000000000000000000000001"
pytestmark = pytest.mark.usefixtures("quick_gateway")


@dataclass
class Notes:
    """Writes down what a method reports."""

    admitted_turns: list = field(default_factory=list)
    alive_count: int = 0
    changed: threading.Condition = field(default_factory=threading.Condition)

    def admitted(self, turn_id):
        with self.changed:
            self.admitted_turns.append(turn_id)
            self.changed.notify_all()

    def alive(self):
        with self.changed:
            self.alive_count += 1
            self.changed.notify_all()

    def await_that(self, condition, timeout_s=30):
        with self.changed:
            assert self.changed.wait_for(condition, timeout_s)


@pytest.fixture
def config(openclaw, tmp_path):
    path = tmp_path / "openclaw.json"
    path.write_text(
        json.dumps({"gateway": {"port": openclaw.server.port, "auth": {"token": openclaw.token}}})
    )
    return path


@pytest.fixture
def settings(config, tmp_path):
    openclaw_settings = OpenClawSettings(config=config)
    return Settings(Folder(tmp_path), "http://bus", "n1", openclaw=openclaw_settings)


@pytest.fixture
def method(settings):
    made = Gateway(settings)
    yield made
    made.close()


@pytest.fixture
def start(method):
    """Start a turn on a thread: `start("alpha").join()` gives its outcome."""
    turns = []

    class Turn:
        def __init__(self, name="alpha", *, limit_s=30.0, wake_id=WAKE_ID, turn_id=None):
            self.notes, self.stop, self.outcome = Notes(), threading.Event(), None
            self.wake = Wake(
                wake_id, 1, name, name, f"agent:{name}:main", "You have mail.", 1, 0, turn_id
            )
            self.agent = AgentSettings(name, limit_s=limit_s)
            self.thread = threading.Thread(target=self.run)
            self.thread.start()
            turns.append(self)

        def run(self):
            self.outcome = method.run(self.wake, self.agent, self.notes, self.stop)

        def join(self, timeout_s=60):
            self.thread.join(timeout_s)
            assert self.outcome is not None
            return self.outcome

    yield Turn
    for turn in turns:
        turn.stop.set()
        turn.thread.join(20)


# ------------------------------------------------------------------------------- a good turn


def test_it_reports_the_admission_and_the_end(openclaw, start):
    turn = start()
    openclaw.await_call("agent.wait")
    assert turn.notes.admitted_turns == [WAKE_ID]
    openclaw.end(WAKE_ID)
    assert turn.join() == Outcome("ended")
    assert turn.outcome.usage == Usage(tokens_in=123, tokens_out=7, cost_usd=0.25)


def test_it_asks_under_the_wakes_id_and_delivers_to_nobody(openclaw, start):
    start()
    assert openclaw.await_call("agent") == {
        "message": "You have mail.",
        "agentId": "alpha",
        "sessionKey": "agent:alpha:main",
        "deliver": False,
        "idempotencyKey": WAKE_ID,
    }


def test_it_says_again_and_again_that_the_turn_lives(openclaw, start):
    turn = start()
    turn.notes.await_that(lambda: turn.notes.alive_count >= 3)
    openclaw.end(WAKE_ID)
    assert turn.join() == Outcome("ended")


def test_all_agents_share_one_connection(openclaw, start):
    turns = [start(name, wake_id=f"w_{name}") for name in ("alpha", "beta")]
    openclaw.await_call("agent.wait", 2)
    for turn in turns:
        openclaw.end(turn.wake.wake_id)
    assert [turn.join() for turn in turns] == [Outcome("ended")] * 2
    assert openclaw.connects == 1


def test_a_wake_that_is_in_flight_already_is_admitted(openclaw, start):
    openclaw.on_agent({"idempotencyKey": WAKE_ID, "agentId": "alpha"})
    turn = start()
    openclaw.await_call("agent.wait")
    assert turn.notes.admitted_turns == [WAKE_ID]
    openclaw.end(WAKE_ID)
    assert turn.join() == Outcome("ended")


def test_a_turn_of_an_earlier_life_is_waited_for_and_not_asked_for(openclaw, start):
    openclaw.on_agent({"idempotencyKey": "earlier", "agentId": "alpha"})
    turn = start(turn_id="earlier")
    openclaw.await_call("agent.wait")
    openclaw.end("earlier")
    assert turn.join() == Outcome("ended")
    assert openclaw.asked("agent") == []
    assert turn.notes.admitted_turns == []


def test_at_a_stop_it_leaves_the_turn_be(openclaw, start):
    turn = start(limit_s=600)
    openclaw.await_call("agent.wait")
    turn.stop.set()
    assert turn.join(30) == Outcome("left")
    assert openclaw.asked("chat.abort") == []


# ------------------------------------------------------------------------------- a bad end


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (
            {"status": "error", "error": "\u26a0\ufe0f model failed\nbadly"},
            Outcome("failed", "model failed badly"),
        ),
        (
            {"status": "error", "stopReason": "rpc"},
            Outcome("failed", "the turn was stopped in OpenClaw (rpc)"),
        ),
        (
            {"status": "error", "error": "x", "terminalReply": {"disposition": "silent"}},
            Outcome("ended", SILENT_END),
        ),
        (
            {"status": "timeout", "error": "out of time"},
            Outcome("failed", "out of time"),
        ),
        (
            {"status": "error"},
            Outcome("failed", "the turn failed, and OpenClaw does not say why"),
        ),
        (
            {"status": "error", "error": "Agent database cleanup failed"},
            Outcome(
                "no_turn",
                "OpenClaw lost its own state (Agent database cleanup failed): restart its gateway",
            ),
        ),
        ({"status": "error", "error": CHANGED}, Outcome("no_turn", f"OpenClaw is busy: {CHANGED}")),
    ],
)
def test_it_says_how_a_turn_went_wrong(openclaw, start, answer, outcome):
    turn = start()
    openclaw.await_call("agent.wait")
    openclaw.end(WAKE_ID, **answer)
    assert turn.join() == outcome


def test_a_turn_over_its_limit_is_aborted_and_failed(openclaw, start):
    turn = start(limit_s=0.2)
    openclaw.await_call("agent.wait")
    openclaw.begin(WAKE_ID)
    assert turn.join() == Outcome("failed", "turn limit 0.2 s")
    assert openclaw.asked("chat.abort") == [{"sessionKey": "agent:alpha:main", "runId": WAKE_ID}]


def test_the_limit_counts_from_the_turns_start_not_from_its_queue(openclaw, start):
    turn = start(limit_s=0.15)
    turn.notes.await_that(lambda: turn.notes.alive_count >= 4)  # 0.4 s in the queue
    openclaw.begin(WAKE_ID)
    openclaw.end(WAKE_ID)
    assert turn.join() == Outcome("ended")


def test_a_turn_whose_start_was_missed_has_a_limit_all_the_same(openclaw, start):
    turn = start(limit_s=0.2)
    openclaw.await_call("agent.wait")
    openclaw.ledger[WAKE_ID].execution = "running"  # and no event says so
    assert turn.join() == Outcome("failed", "turn limit 0.2 s")


def test_a_turn_that_ends_at_the_last_moment_has_ended(openclaw, start):
    def finish(_params):
        openclaw.end(WAKE_ID)
        return {"aborted": False, "runIds": []}

    openclaw.on_chat_abort = finish
    turn = start(limit_s=0.1)
    openclaw.await_call("agent.wait")
    openclaw.begin(WAKE_ID)
    assert turn.join() == Outcome("ended")


# ------------------------------------------------------------------------------- no turn


def test_no_turn_comes_of_a_gateway_that_is_down(openclaw, start):
    openclaw.close()
    outcome = start().join()
    assert (outcome.state, outcome.permanent) == ("no_turn", False)
    assert outcome.reason.startswith("no gateway at ws://127.0.0.1:")


def test_an_agent_that_openclaw_does_not_know_is_final(start):
    outcome = start("nosuch").join()
    assert (outcome.state, outcome.permanent) == ("no_turn", True)
    assert 'unknown agent id "nosuch"' in outcome.reason


def test_another_refusal_is_not_final(openclaw, start):
    def refuse(_params):
        raise RefusedError("UNAVAILABLE", "gateway is draining")

    openclaw.on_agent = refuse
    reason = "OpenClaw refused the turn: gateway is draining"
    assert start().join() == Outcome("no_turn", reason)


def test_what_answers_there_may_be_no_gateway(openclaw, start):
    openclaw.server.serve = lambda peer: (peer.shake_hands(), peer.send_text('{"hello": 1}'))
    outcome = start().join()
    assert outcome.state == "no_turn"
    assert "is not OpenClaw's gateway" in outcome.reason


def test_a_configuration_that_is_absent_is_a_reason(config, start):
    config.unlink()
    outcome = start().join()
    assert outcome.state == "no_turn"
    assert str(config) in outcome.reason


def test_a_refused_token_is_not_tried_again_and_again(openclaw, start):
    openclaw.token = "another"
    reasons = {start(wake_id=f"w_{number}").join().reason for number in range(5)}
    assert openclaw.connects == 1
    assert len(reasons) == 1
    assert "token mismatch" in reasons.pop()


def test_a_gateway_that_is_still_starting_is_tried_again_soon(openclaw, start):
    def refuse(_params):
        openclaw.on_connect = lambda params: FakeGateway.on_connect(openclaw, params)
        raise RefusedError("UNAVAILABLE", "gateway starting; retry shortly")

    openclaw.on_connect = refuse
    assert "is not ready: gateway starting" in start().join().reason
    until(lambda: start("nosuch").join().permanent, 30, "the gateway is asked again")


def test_a_mended_token_is_tried_at_once(openclaw, config, start):
    right, openclaw.token = openclaw.token, "another"
    assert start().join().state == "no_turn"
    config.write_text(config.read_text().replace(right, "another"))
    turn = start()
    openclaw.await_call("agent.wait")
    openclaw.end(WAKE_ID)
    assert turn.join() == Outcome("ended")


def test_the_token_is_in_no_log_line_and_no_reason(openclaw, start, caplog):
    secret, openclaw.token = openclaw.token, "another"
    with caplog.at_level(logging.DEBUG):
        outcome = start().join()
    assert secret not in outcome.reason + caplog.text


# ------------------------------------------------------------------------------- lost and found


def test_a_connection_lost_in_mid_turn_is_made_again_for_the_same_run(openclaw, start):
    turn = start()
    openclaw.await_call("agent.wait")
    openclaw.cut()
    openclaw.await_call("agent.wait", 2)
    openclaw.end(WAKE_ID)
    assert turn.join() == Outcome("ended")
    assert openclaw.connects == 2
    assert len(openclaw.asked("agent")) == 1


def test_a_turn_that_a_restart_killed_has_failed(openclaw, start):
    turn = start()
    openclaw.await_call("agent.wait")
    openclaw.restart()
    reason = "the turn was cancelled: Task execution process exited before restart."
    assert turn.join() == Outcome("failed", reason)


def test_after_a_restart_it_does_not_wait_long_for_a_run_that_died(openclaw, start, monkeypatch):
    monkeypatch.setattr(gatewayturns, "SLICE_S", 300.0)
    turn = start(limit_s=600)
    openclaw.await_call("agent.wait")
    openclaw.restart()
    assert turn.join().state == "failed"


def test_a_turn_that_a_restarted_gateway_never_began_is_no_turn(openclaw, start):
    turn = start()
    openclaw.await_call("agent.wait")
    openclaw.restart(status="failed", error=CHANGED)
    assert turn.join() == Outcome("no_turn", f"OpenClaw is busy: {CHANGED}")


def test_a_turn_that_ended_before_the_restart_has_ended(openclaw, start):
    turn = start()
    openclaw.await_call("agent.wait")
    openclaw.restart(status="completed", error="")
    assert turn.join() == Outcome("ended")


def test_a_restarted_gateway_without_a_trace_of_the_turn_has_lost_it(openclaw, start):
    turn = start()
    openclaw.await_call("agent.wait")
    openclaw.ledger.clear()
    openclaw.restart()
    assert turn.join() == Outcome("failed", "the gateway was restarted, and the turn is lost")


def test_a_gateway_that_does_not_come_back_is_given_up(openclaw, start, monkeypatch):
    monkeypatch.setattr(gatewayturns, "RETURN_S", 0.1)
    turn = start()
    openclaw.await_call("agent.wait")
    openclaw.close()
    outcome = turn.join()
    assert outcome.state == "failed"
    assert outcome.reason.startswith("the gateway went away in mid-turn: no gateway at")


def test_an_admission_whose_answer_was_lost_is_asked_for_again(openclaw, start):
    openclaw.silent_methods.add("agent")
    turn = start()
    openclaw.await_call("agent.wait")
    assert turn.notes.admitted_turns == [WAKE_ID]
    assert len(openclaw.runs) == 1
    openclaw.end(WAKE_ID)
    assert turn.join() == Outcome("ended")


def test_an_admission_lost_in_a_restart_buys_no_second_turn(openclaw, start):
    def admit_and_die(params):
        FakeGateway.on_agent(openclaw, params)
        openclaw.restart()
        return {}

    openclaw.on_agent = admit_and_die
    turn = start()
    assert turn.join().state == "failed"
    assert len(openclaw.asked("agent")) == 1


# ------------------------------------------------------------------------------- the probe


def test_the_probe_works_and_wakes_nobody(openclaw, method):
    probe = method.probe(AgentSettings("alpha"))
    assert probe.works
    assert "2026.9.6" in probe.why
    assert openclaw.asked("agent") == []


def test_the_probe_knows_an_absent_agent(method):
    probe = method.probe(AgentSettings("nosuch"))
    assert not probe.works
    assert probe.why == "OpenClaw knows no agent 'nosuch'"


def test_the_probe_names_an_rpc_that_a_release_does_not_have(openclaw, method):
    openclaw.methods.remove("agent.wait")
    probe = method.probe(AgentSettings("alpha"))
    assert not probe.works
    assert probe.why == "OpenClaw 2026.9.6 has no RPC agent.wait"


def test_the_probe_says_why_nothing_answers(openclaw, method):
    openclaw.close()
    probe = method.probe(AgentSettings("alpha"))
    assert not probe.works
    assert probe.why.startswith("no gateway at")


def test_a_gateway_that_does_not_say_what_a_run_used_does_not_keep_its_end_waiting(
    openclaw, start, monkeypatch
):
    monkeypatch.setattr(gatewayturns, "USAGE_S", 0.05)
    monkeypatch.setattr(openclaw, "tell_use", lambda _run: None)
    turn = start()
    openclaw.await_call("agent.wait")
    openclaw.end(WAKE_ID)
    assert turn.join() == Outcome("ended")
    assert turn.outcome.usage == Usage()


@pytest.mark.parametrize(
    ("meta", "usage"),
    [
        ({"usage": {"input": 5, "output": 2}, "costUsd": 1}, Usage(5, 2, 1.0)),
        ({"usage": {"input": "5", "output": -2}, "costUsd": "dear"}, Usage(0, 0, None)),
        ({"usage": {}, "costUsd": float("nan")}, Usage(0, 0, None)),
        ({"usage": {}, "costUsd": True}, Usage(0, 0, None)),
        ({"usage": 7, "costUsd": 1}, Usage()),
        ([], Usage()),
        (None, Usage()),
    ],
)
def test_nonsense_about_what_a_run_used_is_no_number(meta, usage):
    assert read_usage({"result": {"meta": {"agentMeta": meta}}}) == usage
    assert read_usage({"result": meta}) == Usage()
