"""The agents of an OpenClaw become agents of the bus by one command, which can be repeated."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bus.cli.openclawfile import Found, read_agents

AS_A_PERSON_WRITES_IT = """\ufeff{
  // the gateway's secret is nobody's business here
  gateway: {auth: {mode: 'token', token: "do//not\\"look"}, port: 18789,},
  session: {mainKey: 'home'},
  /* three agents */
  agents: {entries: {
    Alpha: {identity: {name: "Alpha, the first"}, workspace: '/home/me/it\\'s a "place"'},
    beta: {name: 'Beta',},
    gamma: {},
  }},
}
"""
OPENCLAW = {
    "gateway": {"auth": {"token": "not-for-the-bus"}},
    "agents": {"entries": {"alpha": {"identity": {"name": "Alpha"}}, "beta": {}, "builder": {}}},
}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "openclaw.json"
    path.write_text(json.dumps(OPENCLAW))
    return str(path)


def agents(as_admin):
    return {one["name"]: one for one in as_admin("agent", "list", "--json").json["agents"]}


def actions(answer):
    assert answer.code == 0, answer.err
    return {one["name"]: one["action"] for one in answer.json["agents"]}


def test_a_file_is_read_as_openclaw_reads_it():
    assert read_agents(AS_A_PERSON_WRITES_IT) == [
        Found("alpha", "Alpha, the first", "agent:alpha:home"),
        Found("beta", "Beta", "agent:beta:home"),
        Found("gamma", "", "agent:gamma:home"),
    ]
    listed = '{"agents": {"list": [{"id": "Main", "name": "Cleo"}, {"no": "id"}]}}'
    assert read_agents(listed) == [Found("main", "Cleo", "agent:main:main")]
    assert read_agents("{}") == [Found("main", "", "agent:main:main")]


def test_the_agents_of_an_openclaw_are_on_the_bus_and_its_secrets_are_not(as_admin, file):
    as_admin("node", "add", "attic")
    words = ("agent", "import", file, "--node", "attic", "--worker", "builder")
    got = as_admin(*words)
    assert got.code == 0, got.err
    assert "Next: bus node code attic" in got.out
    assert "not-for-the-bus" not in got.out
    there = agents(as_admin)
    assert {name: one["kind"] for name, one in there.items()} == {
        "alpha": "named",
        "beta": "named",
        "builder": "worker",
    }
    assert {one["node"] for one in there.values()} == {"attic"}
    assert there["alpha"]["display_name"] == "Alpha"
    assert there["beta"]["session_key"] == "agent:beta:main"


def test_the_same_import_again_has_nothing_left_to_do(as_admin, file):
    as_admin("node", "add", "attic")
    words = ("agent", "import", file, "--node", "attic", "--json")
    assert actions(as_admin(*words)) == dict.fromkeys(("alpha", "beta", "builder"), "add")
    before = agents(as_admin)
    again = as_admin(*words)
    assert actions(again) == dict.fromkeys(("alpha", "beta", "builder"), "keep")
    assert again.json["next"] == "bus-watcher doctor, on attic"
    assert agents(as_admin) == before


def test_what_was_changed_in_the_file_is_changed_and_what_it_leaves_open_is_not(as_admin, file):
    as_admin("agent", "import", file)
    as_admin("agent", "change", "beta", "--display-name", "B.", "--accepts", "TASK")
    changed = {"session": {"mainKey": "home"}, "agents": {"entries": {"beta": {}}}}
    Path(file).write_text(json.dumps(changed))
    assert actions(as_admin("agent", "import", file, "--json")) == {"beta": "change"}
    beta = agents(as_admin)["beta"]
    assert beta["session_key"] == "agent:beta:home"
    assert (beta["display_name"], beta["accepts"]) == ("B.", ["TASK"])


def test_a_dry_run_shows_it_and_does_nothing(as_admin, file):
    got = as_admin("agent", "import", file, "--dry-run")
    assert got.code == 0, got.err
    assert "builder" in got.out
    assert "without --dry-run" in got.out
    assert "would be added" in got.out
    assert agents(as_admin) == {}


def test_without_a_node_the_next_command_places_them(as_admin, file):
    got = as_admin("agent", "import", file, "alpha", "BETA")
    assert "Next: bus node add NODE --agents alpha,beta" in got.out
    assert sorted(agents(as_admin)) == ["alpha", "beta"]
    assert as_admin("node", "add", "attic", "--agents", "alpha,beta").code == 0
    assert actions(as_admin("agent", "import", file, "alpha", "--json")) == {"alpha": "keep"}


def test_a_second_machine_with_agents_of_the_same_name_gives_them_others(as_admin, file):
    for node in ("attic", "cellar"):
        as_admin("node", "add", node)
    as_admin("agent", "import", file, "alpha", "--node", "attic")
    got = as_admin("agent", "import", file, "beta", "alpha", "--node", "cellar")
    assert got.code == 1
    assert "alpha is there, on attic" in got.err
    assert "--as alpha=NAME" in got.err
    assert "beta" not in agents(as_admin), "nothing is done where one is refused"
    got = as_admin("agent", "import", file, "alpha", "--node", "cellar", "--as", "alpha=zoe")
    assert got.code == 0, got.err
    assert agents(as_admin)["zoe"]["local_agent"] == "alpha"


@pytest.mark.lab
def test_the_configuration_of_a_real_openclaw_is_taken(as_admin, lab):
    text = (lab / "openclaw" / "openclaw.json.tmpl").read_text()
    for hole, filled in (("@ENTRIES@", '{"alpha": {}, "beta": {}}'), ("@GATEWAY_PORT@", "18789")):
        text = text.replace(hole, filled)
    for hole in ("@AGENT_IDS@", "@HOOK_MAPPINGS@", "@MODELS@"):
        text = text.replace(hole, "[]")
    got = as_admin("agent", "import", "-", "--json", stdin=text)
    assert actions(got) == {"alpha": "add", "beta": "add"}
