"""Background runs by a real OpenClaw: what the bus is told of them is what OpenClaw did.

The bus is one that keeps the contract and lets a test see each call; the desk is the watcher's own.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest
from realopenclaw import START_LIMIT_S, WAIT_S, await_that

sys.path.insert(0, str(Path(__file__).parents[1] / "watcher"))

from fakebus import FakeBus
from fakeruns import Runs

from watcher import address, gatewayturns, privatefile
from watcher.bus import Bus
from watcher.clock import SystemClock
from watcher.gatewaylink import GatewayLink
from watcher.methods import Methods
from watcher.runs.desk import Desk
from watcher.settings import (
    BEARER,
    AgentSettings,
    Folder,
    OpenClawSettings,
    RunSettings,
    Settings,
)

pytestmark = [pytest.mark.openclaw, pytest.mark.timeout(900)]
FILE = "checkpoints/subagent-audit.md"
# Some seconds after a stopped run OpenClaw begins a turn of its worker's own session, too: whoever
# counts turns, or kills them, has a worker that did nothing before.
WORKERS = ("worker", "mortal")
OTHER_MODEL = "scripted/other-model"
CHECKS = {"kept": ("grep", "-q", "four", FILE), "no": ("false",)}


@pytest.fixture(scope="module")
def bus():
    fake = FakeBus()
    yield fake
    fake.close()


@pytest.fixture(scope="module")
def runs(bus):
    return Runs(bus)


@pytest.fixture(scope="module")
def desk(openclaw, bus, tmp_path_factory):
    """A node each of whose workers is an agent of OpenClaw, in the workspace that OpenClaw says."""
    folder = Folder(tmp_path_factory.mktemp("node") / "wakebus")
    for path in (folder.path, folder.state):
        privatefile.make_folder(path)
    privatefile.write(folder.node_token_file, "wb_node_secret\n")
    for name in WORKERS:
        privatefile.write(folder.header_file(name), f"{BEARER}wb_agent_{name}\n")
    what = RunSettings(verify=CHECKS, models=(OTHER_MODEL,))
    where = OpenClawSettings(config=openclaw.config)
    agents = {name: AgentSettings(name, method="gateway", runs=what) for name in WORKERS}
    settings = Settings(folder, bus.url, "pi", agents, openclaw=where)
    clock, stop = SystemClock(), threading.Event()
    methods = Methods(settings, clock)
    with Bus(address.parse(bus.url), settings.folder.read_node_token) as node:
        made = Desk(settings, node, methods, clock, stop, "i_1")
        yield made
        stop.set()
        assert made.close(60)
    methods.get("gateway").close()


@pytest.fixture
def ask(openclaw):
    """Ask OpenClaw something by RPC."""
    link = GatewayLink(OpenClawSettings(config=openclaw.config), lambda *_: None)
    yield lambda method, **params: link.call(method, params, timeout_s=WAIT_S)[0]
    link.close()


@pytest.fixture
def dispatch(desk, runs, request):
    """Offer a run to a worker under the test's own id; gives the id."""

    def offer(worker="worker", **order):
        run_id = f"r_{len(runs.orders)}{request.node.name.replace('_', '')[:20]}"
        runs.offer(run_id, worker, push=False, local_agent=worker, **order)
        desk.adopt()
        return run_id

    return offer


def behave(openclaw, *steps):
    openclaw.set_behaviour({"default": {"steps": list(steps)}})


def workspace(ask):
    agents = {one["id"]: one for one in ask("agents.list")["agents"]}
    return Path(agents["worker"]["workspace"])


def asked_of(worker, openclaw, since):
    return [one for one in openclaw.model_log(since) if one["model"] == f"{worker}-model"]


def test_a_workers_file_words_and_cost_come_back_from_a_session_of_its_own(
    openclaw, runs, dispatch, ask
):
    behave(openclaw, {"exec": f"echo four files > {FILE}"}, {"text": "I counted four files."})
    since = openclaw.model_seq()
    run_id = dispatch(task="Count the files of this run.", verify="kept")
    end = runs.await_end(run_id, WAIT_S)
    assert (end["status"], end["output"]) == ("completed", "I counted four files.")
    assert (end["file"]["written_by"], end["file"]["size"]) == ("worker", 11)
    assert end["verify"]["exit_code"] == 0
    assert end["tokens_in"] > 0
    assert (workspace(ask) / FILE).read_text() == "four files\n"
    asked = asked_of("worker", openclaw, since)
    assert len(asked) == 2
    assert "Count the files of this run." in asked[0]["last_user"]
    assert runs.calls("claim", run_id)[0]["workspace"] == str(workspace(ask))
    main = ask("chat.history", sessionKey="agent:worker:main", limit=50)["messages"]
    assert "Count the files" not in str(main)


def test_a_worker_that_only_speaks_has_its_words_in_the_file(openclaw, runs, dispatch, ask):
    words = "line of a long report\n" * 2_000
    behave(openclaw, {"text": words})
    end = runs.await_end(dispatch(task="Report.", output="reports/long.md"), WAIT_S)
    assert (end["status"], end["file"]["written_by"]) == ("completed", "watcher")
    assert end["output"] == words
    assert (workspace(ask) / "reports/long.md").read_text() == words


def test_a_check_of_the_node_decides_whether_it_is_completed(openclaw, runs, dispatch):
    behave(openclaw, {"text": "All is well, it is completed."})
    end = runs.await_end(dispatch(verify="no"), WAIT_S)
    assert (end["status"], end["verify"]["exit_code"]) == ("failed", 1)


def test_the_model_that_the_settings_allow_is_the_one_that_is_asked(openclaw, runs, dispatch):
    behave(openclaw, {"text": "Done by the other."})
    since = openclaw.model_seq()
    assert runs.await_end(dispatch(model=OTHER_MODEL), WAIT_S)["status"] == "completed"
    models = {record["model"] for record in openclaw.model_log(since)}
    assert models & {"worker-model", "other-model"} == {"other-model"}


def test_at_its_limit_a_turn_is_stopped_in_openclaw(openclaw, runs, dispatch, ask):
    behave(openclaw, {"exec": "sleep 1"}, {"text": "Too late.", "delay": 600})
    run_id = dispatch(limit_s=12)
    end = runs.await_end(run_id, WAIT_S)
    assert (end["status"], end["reason"]) == ("timed_out", "turn limit 12 s")
    await_that(lambda: _state(ask, run_id) not in {"running", None}, "it runs on in OpenClaw")


def test_a_cancel_stops_the_turn_in_openclaw(openclaw, runs, dispatch, desk, ask):
    behave(openclaw, {"text": "Nobody wants it.", "delay": 600})
    since = openclaw.model_seq()
    run_id = dispatch(task="Cancel me.")
    openclaw.await_model("Cancel me.", since=since)
    runs.states[run_id] = "cancelled"
    desk.take({"run_id": run_id, "to_agent": "worker", "state": "cancelled"})
    assert runs.await_end(run_id, WAIT_S)["status"] == "cancelled"
    await_that(lambda: _state(ask, run_id) not in {"running", None}, "it runs on in OpenClaw")


def test_a_transcript_goes_when_that_is_asked_for_and_only_then(
    openclaw, runs, dispatch, desk, ask
):
    behave(openclaw, {"text": "Forget me."})
    run_id = dispatch(cleanup="delete")
    assert runs.await_end(run_id, WAIT_S)["output"] == "Forget me."
    assert desk.wait_idle(WAIT_S)
    assert _state(ask, run_id) is None


def test_a_gateway_that_is_killed_in_mid_run_is_a_failed_run_that_does_not_go_on(
    openclaw, runs, dispatch, ask, monkeypatch
):
    monkeypatch.setattr(gatewayturns, "RETURN_S", START_LIMIT_S)
    behave(openclaw, {"exec": "sleep 1"}, {"text": "Too late.", "delay": 600})
    since = openclaw.model_seq()
    run_id = dispatch("mortal", task="Outlive your gateway.", limit_s=600)
    await_that(lambda: len(asked_of("mortal", openclaw, since)) == 2, "the turn never got so far")
    openclaw.kill()
    openclaw.up()
    end = runs.await_end(run_id, START_LIMIT_S)
    assert end["status"] == "failed"
    assert "Task execution process exited before restart." in end["reason"]
    behave(openclaw, {"text": "Done."})
    # what OpenClaw takes up again after a restart it takes up before a later turn has ended
    assert runs.await_end(dispatch("mortal", task="And then?"), WAIT_S)["status"] == "completed"
    assert not [
        one for one in asked_of("mortal", openclaw, since) if "interrupted" in one["last_user"]
    ]


def _state(ask, run_id):
    """Give what OpenClaw says of the run's session; None where there is none."""
    row = ask("sessions.describe", key=f"agent:worker:subagent:{run_id}")["session"]
    return row["status"] if row else None
