"""`bus-watcher doctor` on a node of a real bus: what is well, what is not, and the canary."""

from __future__ import annotations

import datetime as dt
import json
import subprocess

import pytest

from tests.conftest import WATCHER, clean_environment
from watcher.install.manager import runs_here

BUS_SIDE = {"bus", "node's token", "token of beta", "stream", "clock"}


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def examine(home):
    """Run doctor; gives its exit code and its findings by their names."""

    def run(*words, folder=".wakebus"):
        environment = clean_environment(HOME=str(home))
        argv = [WATCHER, "doctor", "--dir", str(home / folder), "--json", *words]
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
        assert "wb_" not in done.stdout + done.stderr
        answer = json.loads(done.stdout)
        assert answer["well"] is (done.returncode == 0)
        return done.returncode, {one["name"]: one for one in answer["checks"]}

    return run


@pytest.fixture
def node(bus, home):
    """Beta, a program that answers, on a node whose watcher runs."""
    tokens = bus.add_node("attic", home / ".wakebus", {"beta": ["cat"]})
    hello = {"to": "beta", "body": "hello", "reply_expected": False}
    _, sent = bus.call(tokens["beta"], "POST", "/api/send", hello)
    bus.follow_until(tokens["beta"], sent["id"], "acked", 20)  # its watcher is on its stream now
    return tokens


def states(found, names):
    return {name: found[name]["state"] for name in names}


def test_a_node_that_is_well_is_found_well_and_its_canary_comes_back(bus, node, examine):
    code, found = examine("--wake", "--yes")
    assert states(found, BUS_SIDE) == dict.fromkeys(BUS_SIDE, "ok")
    assert found["canary of beta"]["state"] == "ok", found["canary of beta"]
    assert "woken -> read -> acked" in found["canary of beta"]["seen"]
    # it runs, and systemd, where there is one, will not start it again
    assert found["service"]["state"] == ("warn" if runs_here() else "ok")
    assert code == 0, found


def test_a_canary_wakes_nobody_by_a_failure_of_its_own(bus, node, examine):
    examine("--wake", "--yes")
    status, inbox = bus.call(node["beta"], "GET", "/api/inbox?view=headers")
    assert (status, inbox["items"]) == (200, [])


def test_a_canary_of_an_agent_in_its_quiet_hours_says_until_when_and_does_not_wake_it(
    bus, node, examine
):
    hour, now = dt.timedelta(hours=1), dt.datetime.now(dt.UTC)
    end = f"{now + 6 * hour:%H:%M}"
    quiet = {"zone": "UTC", "windows": [f"{now - hour:%H:%M}-{end}"]}
    assert bus.call(bus.admin, "PATCH", "/api/agents/beta", {"quiet": quiet})[0] == 200
    before = bus.call(bus.admin, "GET", "/api/wakes?state=all")[1]["wakes"]
    code, found = examine("--wake", "--yes")
    canary = found["canary of beta"]
    assert (code, canary["state"]) == (0, "warn"), canary
    assert f"{end} in UTC, quiet hours" in canary["seen"]
    assert bus.call(bus.admin, "PATCH", "/api/agents/beta", {"quiet": None})[0] == 200
    assert bus.call(bus.admin, "GET", "/api/wakes?state=all")[1]["wakes"] == before


def test_a_watcher_that_is_not_there_is_said_twice_over(bus, node, examine):
    for watcher in bus.watchers:
        watcher.terminate()
        watcher.wait(60)
    code, found = examine()
    assert code == 1
    assert found["watcher"]["state"] == "bad"
    assert ("bus-watcher install" if runs_here() else "bus-watcher run") in found["watcher"]["mend"]
    assert (
        "no stream of this node's watcher" in found["agent beta"]["seen"]
        or "starts cat" in (found["agent beta"]["seen"])
    )


def test_a_token_that_the_bus_ended_is_named_with_the_way_to_a_new_one(bus, node, examine, home):
    (home / ".wakebus" / "beta.header").write_text("Authorization: Bearer wb_agent_nonsense\n")
    code, found = examine()
    assert code == 1
    assert found["token of beta"]["state"] == "bad"
    assert "bus node code attic" in found["token of beta"]["mend"]


def test_a_token_of_somebody_else_is_not_taken_for_the_agents(bus, node, examine, home):
    folder = home / ".wakebus"
    token = (folder / "node.token").read_text().strip()
    (folder / "beta.header").write_text(f"Authorization: Bearer {token}\n")
    _, found = examine()
    assert found["token of beta"]["seen"] == "it belongs to node attic"


def test_a_bus_that_is_away_is_one_line_and_not_many(bus, node, examine):
    bus.stop()
    code, found = examine()
    assert code == 1
    assert found["bus"]["state"] == "bad"
    assert "stream" not in found


def test_an_agent_that_came_after_the_code_is_told_of(bus, node, examine):
    body = {"name": "cleo", "node": "attic"}
    assert bus.call(bus.admin, "POST", "/api/agents", body)[0] == 201
    _, found = examine()
    assert "more for this node: cleo" in found["agents"]["seen"]


def test_agents_of_other_compartments_under_the_same_user_are_found(bus, node, examine, home):
    bus.add_node("cellar", home / "second", {"gamma": ["cat"]})
    _, found = examine()
    assert found["compartments"]["state"] == "ok"
    body = {"compartments": ["shop"]}
    assert bus.call(bus.admin, "PATCH", "/api/agents/gamma", body)[0] == 200
    code, found = examine()
    assert code == 1
    assert found["compartments"]["state"] == "bad"
    assert "open" in found["compartments"]["seen"]
    assert "shop" in found["compartments"]["seen"]
