"""Background runs by a gateway that speaks as OpenClaw's does, against a bus by the contract."""

from __future__ import annotations

import json
import threading

import pytest
from fakebus import ProblemError
from fakegateway import RefusedError

from watcher import address, gatewayturns
from watcher.bus import Bus
from watcher.methods import Methods
from watcher.runs import bygateway, running
from watcher.runs.desk import Desk

FILE = "checkpoints/subagent-audit.md"
SESSION = "agent:beta:subagent:r_1"
pytestmark = pytest.mark.usefixtures("quick_gateway")


@pytest.fixture
def desk(enrolled, bus, clock, openclaw, workspace, tmp_path):
    """Make a desk whose worker beta is the gateway's."""
    made = []

    def make(**runs):
        config = tmp_path / "openclaw.json"
        gateway = {"port": openclaw.server.port, "auth": {"token": openclaw.token}}
        config.write_text(json.dumps({"gateway": gateway}))
        agent = {"method": "gateway", "runs": {"workspace": str(workspace), **runs}}
        agent["runs"] = {key: value for key, value in agent["runs"].items() if value is not None}
        settings = enrolled(agents={"beta": agent}, openclaw={"config": str(config)})
        methods, stop = Methods(settings, clock), threading.Event()
        node = Bus(address.parse(bus.url), settings.folder.read_node_token)
        desk = Desk(settings, node, methods, clock, stop, "i_1")
        desk.stop = stop
        made.append((desk, node, methods))
        return desk

    yield make
    for desk, node, methods in made:
        desk.stop.set()
        assert desk.close(20)
        node.close()
        methods.get("gateway").close()


@pytest.fixture
def begin(desk, runs, openclaw):
    """Offer a run and wait until OpenClaw has it."""

    def start(settings=None, **order):
        runs.offer(push=False, **order)
        working = desk(**(settings or {}))
        working.adopt()
        openclaw.await_call("agent.wait")
        return working

    return start


def test_it_runs_in_a_session_of_its_own_under_the_runs_id(begin, runs, openclaw):
    begin(task="count the files")
    assert openclaw.await_call("agent") == {
        "message": "count the files",
        "agentId": "beta",
        "sessionKey": SESSION,
        "deliver": False,
        "idempotencyKey": "r_1",
    }
    openclaw.end("r_1")
    assert runs.await_end()["status"] == "completed"


def test_it_says_where_a_person_can_look_on(begin, runs, bus):
    begin()
    bus.wait_for(lambda _: runs.calls("alive"))
    assert runs.calls("alive")[0] == {"claim": 1, "turn_id": "r_1", "session_key": SESSION}


def test_the_last_words_are_the_output_with_what_they_cost(begin, runs, openclaw, workspace):
    openclaw.replies[SESSION] = "Four files."
    begin()
    openclaw.end("r_1")
    end = runs.await_end()
    assert (end["output"], end["output_bytes"]) == ("Four files.", 11)
    assert (end["tokens_in"], end["tokens_out"], end["cost_usd"]) == (123, 7, 0.25)
    assert end["file"]["written_by"] == "watcher"
    assert (workspace / FILE).read_text() == "Four files."


@pytest.mark.parametrize("nonsense", [-1, 2**60, float("nan"), float("inf"), "7", True, None])
def test_a_cost_that_is_no_number_does_not_cost_the_result(begin, runs, openclaw, nonsense):
    openclaw.used, openclaw.cost_usd = None, nonsense
    openclaw.session_usage = dict.fromkeys(openclaw.session_usage, nonsense)
    begin()
    openclaw.end("r_1")
    end = runs.await_end()
    assert end["status"] == "completed"
    assert {"tokens_in", "tokens_out", "cost_usd"}.isdisjoint(end)


def test_last_words_that_openclaw_cuts_are_fetched_whole(begin, runs, openclaw, workspace):
    openclaw.replies[SESSION] = "long " * 20_000
    begin()
    openclaw.end("r_1")
    end = runs.await_end()
    assert (len(end["output"]), end["output_bytes"]) == (64_000, 100_000)
    assert (workspace / FILE).read_text() == "long " * 20_000


def test_a_failed_turn_is_a_failed_run_with_openclaws_reason(begin, runs, openclaw):
    begin()
    openclaw.end("r_1", status="error", error="LLM request failed.")
    end = runs.await_end()
    assert (end["status"], end["reason"]) == ("failed", "LLM request failed.")


def test_at_the_limit_the_turn_is_aborted(begin, runs, openclaw):
    begin(limit_s=0.5)
    end = runs.await_end()
    assert (end["status"], end["reason"]) == ("timed_out", "turn limit 0.5 s")
    assert openclaw.asked("chat.abort") == [{"sessionKey": SESSION, "runId": "r_1"}]


def test_a_cancel_aborts_the_turn(begin, runs, openclaw):
    begin()
    runs.states["r_1"] = "cancelled"
    assert runs.await_end()["status"] == "cancelled"
    assert openclaw.asked("chat.abort") == [{"sessionKey": SESSION, "runId": "r_1"}]


def test_a_run_that_the_bus_has_closed_is_aborted_too(begin, runs, openclaw):
    working = begin()
    runs.states["r_1"] = "lost"
    assert working.wait_idle(20)
    assert openclaw.asked("chat.abort")
    assert runs.await_end()["reason"] == "the bus had given it up"


def test_a_stop_leaves_the_turn_running(begin, runs, openclaw, folder):
    working = begin()
    working.stop.set()
    assert working.close(10)
    assert openclaw.asked("chat.abort") == []
    assert runs.calls("end") == []
    assert (folder.runs / "r_1.json").exists()


def test_a_gateway_that_was_restarted_in_mid_run_is_a_failed_run(begin, runs, openclaw):
    begin()
    openclaw.restart()
    end = runs.await_end()
    assert end["status"] == "failed"
    assert "Task execution process exited before restart." in end["reason"]
    # the answer that says what it cost went with the gateway; its session is still known
    assert (end["tokens_in"], end["tokens_out"], end["cost_usd"]) == (10, 5, 0.25)


def test_a_gateway_that_stays_away_is_a_failed_run(begin, runs, openclaw, monkeypatch):
    monkeypatch.setattr(gatewayturns, "RETURN_S", 0.2)
    begin()
    openclaw.close()
    end = runs.await_end()
    assert end["status"] == "failed"
    assert "the gateway went away" in end["reason"]


def test_a_gateway_that_is_away_at_first_is_waited_for(desk, runs, openclaw, monkeypatch):
    turned_away = []
    real = openclaw.on_connect

    def refuse_twice(params):
        if len(turned_away) < 2:
            turned_away.append(params)
            raise RefusedError("UNAVAILABLE", "starting")
        return real(params)

    monkeypatch.setattr(openclaw, "on_connect", refuse_twice)
    runs.offer(push=False)
    working = desk()
    working.adopt()
    openclaw.await_call("agent.wait")
    openclaw.end("r_1")
    assert runs.await_end()["status"] == "completed"
    assert len(turned_away) == 2


def test_a_gateway_that_is_not_there_is_a_failed_run_in_the_end(desk, runs, openclaw, monkeypatch):
    monkeypatch.setattr(bygateway, "RETURN_S", 0.2)
    openclaw.close()
    runs.offer(push=False)
    desk().adopt()
    end = runs.await_end()
    assert end["status"] == "failed"
    assert "no gateway at" in end["reason"]


def test_an_agent_that_openclaw_does_not_know_is_a_failed_run_at_once(desk, runs):
    runs.offer(push=False, local_agent="nosuch")
    desk().adopt()
    end = runs.await_end()
    assert end["status"] == "failed"
    assert 'unknown agent id "nosuch"' in end["reason"]


def test_an_allowed_model_is_set_on_the_session_before_the_turn(begin, runs, openclaw):
    begin({"models": ["big/one"]}, model="big/one")
    names = [name for name, _ in openclaw.calls]
    assert names.index("sessions.create") < names.index("agent")
    assert openclaw.asked("sessions.create") == [
        {"key": SESSION, "agentId": "beta", "model": "big/one"}
    ]
    openclaw.end("r_1")
    assert runs.await_end()["status"] == "completed"


def test_a_model_that_openclaw_refuses_is_a_failed_run_before_any_turn(desk, runs, openclaw):
    runs.offer(push=False, model="no/such")
    desk(models=["no/such"]).adopt()
    end = runs.await_end()
    assert end["reason"] == "OpenClaw refused the model: unknown model"
    assert openclaw.asked("agent") == []


def test_a_model_that_the_settings_do_not_name_asks_openclaw_nothing(desk, runs, openclaw):
    runs.offer(push=False, model="dear/one")
    desk(models=["big/one"]).adopt()
    assert runs.await_end()["status"] == "failed"
    assert openclaw.asked("agent") == openclaw.asked("sessions.create") == []


def test_the_workspace_is_openclaws_own_where_none_is_set(begin, runs, openclaw, workspace):
    openclaw.about["beta"] = {"workspace": str(workspace)}
    begin({"workspace": None})
    assert runs.calls("claim")[0]["workspace"] == str(workspace)
    openclaw.end("r_1")
    assert (runs.await_end()["status"], (workspace / FILE).exists()) == ("completed", True)


def test_without_any_workspace_the_run_fails_with_the_command_that_sets_one(desk, runs):
    runs.offer(push=False)
    desk(workspace=None).adopt()
    end = runs.await_end()
    assert "bus-watcher set beta runs.workspace=/PATH" in end["reason"]


# ------------------------------------------------------------------------------- the transcript


def test_a_transcript_is_deleted_only_after_the_bus_has_the_result(begin, runs, openclaw):
    runs.refusals["end"] = [ProblemError(503, "away")] * 3
    working = begin(cleanup="delete")
    seen = []
    real = runs._end
    runs._end = lambda run_id, body: seen.append(list(openclaw.deleted)) or real(run_id, body)
    openclaw.end("r_1")
    runs.await_end()
    assert working.wait_idle(30)
    assert seen == [[]]
    assert openclaw.deleted == [SESSION]


def test_a_transcript_is_kept_where_that_is_asked_for(begin, runs, openclaw):
    working = begin(cleanup="keep")
    openclaw.end("r_1")
    assert working.wait_idle(30)
    assert openclaw.deleted == []


def test_a_node_that_keeps_transcripts_keeps_them_all(begin, runs, openclaw):
    working = begin({"cleanup": "keep"}, cleanup="delete")
    openclaw.end("r_1")
    assert working.wait_idle(30)
    assert openclaw.deleted == []


def test_a_transcript_is_kept_where_the_bus_did_not_take_the_result(begin, runs, openclaw):
    working = begin(cleanup="delete")
    runs.refusals["end"] = [ProblemError(409, "fenced")]
    openclaw.end("r_1")
    assert working.wait_idle(30)
    assert openclaw.deleted == []


def test_a_deletion_that_failed_is_tried_again_by_the_next_life(
    begin, desk, runs, openclaw, folder, monkeypatch
):
    monkeypatch.setattr(running, "DELETE_TRIES", 1)
    real = openclaw.on_sessions_delete

    def refuse(_params):
        raise RefusedError("UNAVAILABLE", "busy")

    openclaw.on_sessions_delete = refuse
    working = begin(cleanup="delete")
    openclaw.end("r_1")
    assert working.wait_idle(30)
    assert (folder.runs / "r_1.json").exists()
    openclaw.on_sessions_delete = real
    again = desk()
    again.resume()
    assert again.wait_idle(30)
    assert openclaw.deleted == [SESSION]
    assert list(folder.runs.iterdir()) == []
    assert len(runs.calls("end")) == 1
