"""What a watcher does with its roster: on a lost answer, a half-made change, a bus that is odd."""

from __future__ import annotations

import hashlib
import json
import threading

import pytest
from fakebus import ProblemError

from watcher import address, inuse, settingsfile
from watcher.bus import Bus
from watcher.clock import SystemClock
from watcher.roster import ROSTER, Agents, Roster
from watcher.settings import Folder

RENEWAL = "/api/nodes/self/tokens"


@pytest.fixture
def folder(tmp_path):
    one = Folder(tmp_path / "folder")
    one.path.mkdir(mode=0o700)
    one.state.mkdir(mode=0o700)
    return one


def write(path, text):
    path.write_text(text + "\n")
    path.chmod(0o600)


@pytest.fixture
def roster(bus, folder):
    write(folder.node_token_file, "wb_node_old")
    write(folder.header_file("beta"), "Authorization: Bearer wb_agent_old")
    agent = {
        "method": "program",
        "argv": ["cat"],
        "local_agent": "b",
        "session_key": "agent:b:main",
    }
    raw = {"url": bus.url, "node": "here", "agents": {"beta": agent}}
    settings = settingsfile.save(folder, raw)
    stop = threading.Event()
    stop.set()  # what fails is said once and not repeated
    calls = Bus(address.parse(bus.url), folder.read_node_token)
    one = Roster(settings, Agents(settings.agents), calls, SystemClock(), stop)
    yield one
    calls.close()


def says(bus, *names, node="here", renew=None):
    agents = [{"name": name} for name in names]
    bus.answers[ROSTER] = lambda _: {"node": node, "agents": agents, "renew": renew or {}}


def known(folder):
    return list(json.loads(folder.settings_file.read_text())["agents"])


def test_a_renewed_token_whose_answer_was_lost_is_handed_in_again(bus, folder, roster):
    says(bus, "beta", renew={"node": True, "agents": ["beta"]})

    def lose(_request):
        raise ProblemError(503, "storage_busy")

    bus.answers[RENEWAL] = lose
    roster.look()
    assert folder.read_agent_token("beta") == "wb_agent_old", "not before the bus has it"
    says(bus, "beta")
    bus.answers[RENEWAL] = lambda _: {"taken": ["", "beta"]}
    roster.look()
    first, again = (call.json for call in bus.requests if call.path == RENEWAL)
    assert first == again
    token = folder.read_agent_token("beta")
    assert hashlib.sha256(token.encode()).hexdigest() == first["agents"]["beta"]
    own = folder.read_node_token()
    assert hashlib.sha256(own.encode()).hexdigest() == first["node"]
    assert not (folder.state / "renewal.json").exists()


def test_a_renewal_that_nobody_wants_any_more_is_dropped(bus, folder, roster):
    says(bus, "beta", renew={"agents": ["beta"]})

    def refuse(_request):
        raise ProblemError(409, "conflict")

    bus.answers[RENEWAL] = refuse
    roster.look()
    assert folder.read_agent_token("beta") == "wb_agent_old"
    assert not (folder.state / "renewal.json").exists()


def test_it_renews_nothing_for_an_agent_that_is_not_here(bus, folder, roster):
    says(bus, "beta", "other", renew={"agents": ["other", "../x", 7]})
    roster.look()
    assert [call for call in bus.requests if call.path == RENEWAL] == []


def test_the_old_header_file_leads_to_the_new_token_after_a_renewal(bus, folder, roster):
    says(bus, "gamma")
    bus.answers["/api/whoami"] = lambda _: {"name": "gamma"}
    roster.look()
    assert known(folder) == ["gamma"]
    says(bus, "gamma", renew={"agents": ["gamma"]})
    bus.answers[RENEWAL] = lambda _: {"taken": ["gamma"]}
    roster.look()
    assert folder.read_agent_token("gamma") != "wb_agent_old"
    assert folder.read_agent_token("beta") == folder.read_agent_token("gamma")


@pytest.mark.parametrize("problem", [(503, "draining"), (404, "not_found"), (403, "forbidden")])
def test_an_agent_is_forgotten_only_where_its_token_has_ended(bus, folder, roster, problem):
    says(bus)

    def fail(_request):
        raise ProblemError(*problem)

    bus.answers["/api/whoami"] = fail
    roster.look()
    assert known(folder) == ["beta"]
    assert folder.header_file("beta").exists()


def test_an_agent_whose_token_has_ended_leaves(bus, folder, roster):
    says(bus)

    def end(_request):
        raise ProblemError(401, "unauthorized")

    bus.answers["/api/whoami"] = end
    roster.look()
    assert known(folder) == []
    assert not folder.header_file("beta").exists()


@pytest.mark.parametrize("name", ["../beta", "", None, 7, "not on the roster"])
def test_a_name_that_is_none_becomes_no_file(bus, folder, roster, name):
    says(bus, "gamma")
    bus.answers["/api/whoami"] = lambda _: {"name": name}
    before = sorted(path.name for path in folder.path.iterdir())
    roster.look()
    assert sorted(path.name for path in folder.path.iterdir()) == before
    assert known(folder) == ["beta"]


@pytest.mark.parametrize("odd", [{}, {"agents": 7}, {"agents": [7]}, {"agents": [{}], "renew": 7}])
def test_a_roster_that_makes_no_sense_ends_nothing(bus, folder, roster, odd):
    bus.answers[ROSTER] = lambda _: odd
    bus.answers["/api/whoami"] = lambda _: {"name": "beta"}
    roster.look()
    assert known(folder) == ["beta"]


def test_what_the_watcher_itself_writes_into_its_settings_asks_for_no_restart(bus, folder, roster):
    inuse.note(folder)
    says(bus, "gamma")
    bus.answers["/api/whoami"] = lambda _: {"name": "gamma"}
    roster.look()
    assert known(folder) == ["gamma"]
    assert not inuse.is_outdated(folder)
    settingsfile.change_all(folder, ["turns_at_once=2"])
    roster.look()
    assert inuse.is_outdated(folder), "a person's change stays one that waits for a restart"


def test_a_persons_change_made_while_the_watcher_writes_its_settings_is_kept(bus, folder, roster):
    inuse.note(folder)
    says(bus, "gamma")
    change = threading.Thread(target=settingsfile.change_all, args=(folder, ["turns_at_once=2"]))

    def answer(_):
        change.start()
        change.join(0.3)  # it waits for the watcher, and would be done by now if it did not
        return {"name": "gamma"}

    bus.answers["/api/whoami"] = answer
    roster.look()
    change.join(30)
    assert known(folder) == ["gamma"]
    assert json.loads(folder.settings_file.read_text())["turns_at_once"] == 2
    assert inuse.is_outdated(folder)
