"""Doctor against a scripted bus, systemd and OpenClaw: each thing that is wrong, and its mend."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fakebus import ProblemError

from watcher import address, cli, neighbours, privatefile, settingsfile
from watcher.bus import Bus
from watcher.doctor import canary, machine, runside, turnside
from watcher.doctor.busside import BusSide
from watcher.install import manager
from watcher.install.installing import Installation
from watcher.install.steps import Steps
from watcher.settings import BEARER, Folder

PROGRAM = {"beta": {"argv": ["cat"]}}
SECRETS = ("wb_", "gw-secret", "hook-secret")


@pytest.fixture
def install(system):
    def run(settings):
        Installation(settings, system.environ, Steps(lambda _: None)).run()

    return run


def by_name(findings):
    return {one.name: one for one in findings}


# ------------------------------------------------------------------------------------- machine


@pytest.mark.parametrize(
    ("name", "mode"), [("", 0o755), ("node.token", 0o644), ("beta.header", 0o640), ("state", 0o711)]
)
def test_a_file_that_others_can_read_is_named_with_its_mend(enrolled, name, mode):
    folder = enrolled(agents=PROGRAM).folder
    folder.settings_file.chmod(0o600)
    assert by_name(machine.look_at_files(folder))["files"].state == "ok"
    path = folder.path / name
    path.chmod(mode)
    found = by_name(machine.look_at_files(folder))["files"]
    assert found.state == "bad"
    subprocess.run(found.mend, shell=True, check=True)
    assert by_name(machine.look_at_files(folder))["files"].state == "ok"


def test_the_link_that_a_renamed_agent_leaves_is_as_private_as_its_file(enrolled):
    folder = enrolled(agents=PROGRAM).folder
    folder.settings_file.chmod(0o600)
    (folder.path / "old.header").symlink_to("beta.header")
    (folder.path / "older.header").symlink_to("gone.header")
    assert by_name(machine.look_at_files(folder))["files"].state == "ok"
    (folder.path / "beta.header").chmod(0o644)
    assert by_name(machine.look_at_files(folder))["files"].state == "bad"


def test_a_service_that_is_not_there_is_one_to_install(system, enrolled):
    found = by_name(machine.look_at_service(enrolled(agents=PROGRAM), system.environ))
    assert found["service"].mend.endswith("install")
    assert found["watcher"].state == "bad"


def test_a_service_that_is_well_is_said_to_be(system, enrolled, install):
    settings = enrolled(agents=PROGRAM)
    object.__setattr__(settings.folder, "path", system.home / ".wakebus")
    enrolled(agents=PROGRAM)
    install(settings)
    found = by_name(machine.look_at_service(settings, system.environ))
    assert (found["service"].state, found["linger"].state) == ("ok", "ok")
    assert "service's PATH" not in found


@pytest.mark.parametrize(
    ("gone", "name", "words"),
    [
        ("active", "service", "systemctl --user restart"),
        ("enabled", "service", "systemctl --user enable"),
        ("linger", "linger", "loginctl enable-linger"),
    ],
)
def test_what_an_installed_service_lacks_is_named(system, enrolled, install, gone, name, words):
    settings = enrolled(agents=PROGRAM)
    object.__setattr__(settings.folder, "path", system.home / ".wakebus")
    enrolled(agents=PROGRAM)
    install(settings)
    for fact in [Path(gone)] if gone != "linger" else (system.state / "linger").iterdir():
        system.clear(fact)
    found = [one for one in machine.look_at_service(settings, system.environ) if one.name == name]
    assert any(one.state == "bad" and words in one.mend for one in found)


def test_a_program_that_only_the_shell_finds_is_told_of(system, enrolled, install):
    settings = enrolled(agents={"beta": {"argv": ["no-such-program"]}})
    object.__setattr__(settings.folder, "path", system.home / ".wakebus")
    enrolled(agents={"beta": {"argv": ["no-such-program"]}})
    install(settings)
    found = by_name(machine.look_at_service(settings, system.environ))
    assert "no-such-program" in found["service's PATH"].seen


@pytest.mark.parametrize("is_installed", [True, False])
def test_where_no_systemd_runs_that_is_said_and_is_nothing_bad(
    system, enrolled, install, is_installed, tmp_path, monkeypatch
):
    monkeypatch.setattr(manager, "RUNS_HERE", tmp_path / "none")
    settings = enrolled(agents=PROGRAM)
    if is_installed:
        install(settings)
    system.set("no-manager")
    found = by_name(machine.look_at_service(settings, system.environ))
    assert (found["service"].state, found["service"].mend) == ("ok", "")
    assert "no systemd runs this machine" in found["service"].seen
    assert found["watcher"].state == "bad"
    assert f"bus-watcher run --dir {settings.folder.path}" in found["watcher"].mend
    assert not any("systemctl" in one.mend or "linger" in one.mend for one in found.values())


def test_a_systemd_that_does_not_answer_its_user_is_bad(
    system, enrolled, install, tmp_path, monkeypatch
):
    monkeypatch.setattr(manager, "RUNS_HERE", tmp_path)
    settings = enrolled(agents=PROGRAM)
    install(settings)
    system.set("no-manager")
    found = by_name(machine.look_at_service(settings, system.environ))
    assert found["service"].state == "bad"
    assert "loginctl enable-linger" in found["service"].mend


def test_a_setting_that_the_running_watcher_has_not_taken_is_told_of(bus, system, enrolled):
    bus.answers["/api/nodes/self/roster"] = lambda _: {"node": "pi", "agents": [{"name": "beta"}]}
    settings = enrolled(agents=PROGRAM)
    folder = settings.folder
    folder.settings_file.chmod(0o600)

    def look():
        return by_name(machine.look_at_service(settings, system.environ))["watcher"]

    for _ in range(2):  # the second takes what was changed
        command = [sys.executable, "-m", "watcher", "run", "--dir", str(folder.path)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            lines = iter(process.stderr.readline, "")
            assert any("watcher_started" in line for line in lines)
            assert look().state == "ok"
            settingsfile.change_agent(folder, "beta", ["limit_s=7"])
            found = look()
            process.terminate()
            process.communicate(timeout=60)
        assert found.state == "warn"
        assert "restart it: " in found.mend
        settingsfile.change_agent(folder, "beta", ["limit_s=8"])


# ------------------------------------------------------------------------------------- the bus


@pytest.fixture
def answers(bus):
    """A bus on which all is well."""

    def whoami(request):
        if "node" in request.headers["Authorization"]:
            return {"kind": "node", "name": "pi", "agents": ["beta"]}
        return {"kind": "agent", "name": "beta", "compartments": ["open"]}

    bus.answers["/healthz"] = lambda _: {"status": "ok", "version": "1"}
    bus.answers["/readyz"] = lambda _: {"status": "ready"}
    bus.answers["/api/whoami"] = whoami
    bus.answers["/api/agents/beta"] = lambda _: {"node_online": True, "pending": 0}
    return bus.answers


def hello(bus, at):
    data = json.dumps({"to_agent": None, "server_time": at})
    bus.hello = f"retry: 20\n:\nevent: hello\ndata: {data}\n\n".encode()


def test_a_clock_that_is_off_is_told_of(bus, enrolled, clock, answers):
    hello(bus, "2001-01-01T00:00:00.000Z")
    found = by_name(BusSide(enrolled(), clock).look())
    assert found["stream"].state == "ok"
    assert found["clock"].state == "warn"
    assert "ahead of the bus" in found["clock"].seen


def test_a_bus_that_is_stopping_is_not_well(bus, enrolled, clock, answers):
    def refuse(_request):
        raise ProblemError(503, "draining", "the bus is stopping")

    answers["/readyz"] = refuse
    (found,) = BusSide(enrolled(), clock).look()
    assert found.state == "bad"
    assert "the bus is stopping" in found.seen


def test_a_paused_agent_is_told_of(bus, enrolled, clock, answers):
    answers["/api/agents/beta"] = lambda _: {"node_online": True, "paused": True, "pending": 4}
    found = by_name(BusSide(enrolled(), clock).look())
    assert found["mail of beta"].mend == "bus agent resume beta"
    assert "4 waiting" in found["token of beta"].seen


def test_plain_http_to_another_machine_is_told_of(enrolled, clock):
    side = BusSide(enrolled(url="http://192.0.2.7:8091"), clock)
    (found,) = side._look_at_transport()
    assert (found.state, found.name) == ("warn", "TLS")
    assert list(BusSide(enrolled(url="http://localhost:8091"), clock)._look_at_transport()) == []


def test_many_neighbours_whose_bus_is_gone_are_one_line_with_its_mend(
    bus, enrolled, clock, answers, tmp_path
):
    folders = [Folder(tmp_path / f"other{number}") for number in range(3)]
    for folder in folders:
        privatefile.make_folder(folder.path)
        settings = {"url": "http://127.0.0.1:1", "node": "old", "agents": {"carla": {}}}
        folder.settings_file.write_text(json.dumps(settings))
        privatefile.write(folder.node_token_file, "wb_node_secret\n")
        privatefile.write(folder.header_file("carla"), f"{BEARER}wb_agent_carla\n")
        neighbours.note(folder, os.environ)
    side = BusSide(enrolled(), clock)
    (found,) = side.look_at_neighbours(os.environ)
    assert (found.name, found.state) == ("compartments", "warn")
    assert found.seen.startswith(f"{folders[0].path} was not looked at: ")
    assert found.seen.endswith("; nor were 2 more")
    assert found.mend.endswith(f"bus-watcher uninstall --purge --dir '{folders[0].path}'")


def test_a_stream_that_a_proxy_holds_back_is_told_of(bus, enrolled, clock, answers, monkeypatch):
    monkeypatch.setattr("watcher.doctor.busside.HELLO_S", 0.3)
    bus.hello = b""
    found = by_name(BusSide(enrolled(), clock).look())
    assert found["stream"].state == "bad"
    assert "proxy" in found["stream"].mend


# ---------------------------------------------------------------------------------- OpenClaw


def test_an_agent_that_openclaw_lacks_is_named_with_those_it_has(system, enrolled, clock, tmp_path):
    system.add_openclaw("main")
    config = tmp_path / "openclaw.json"
    raw = {"agents": {"entries": {"main": {}, "other": {}}}, "gateway": {"port": 1}}
    config.write_text(json.dumps({**raw, "hooks": {"enabled": True, "token": "hook-secret"}}))
    settings = enrolled(
        agents={"beta": {"local_agent": "nosuch"}}, openclaw={"config": str(config)}
    )
    found = by_name(turnside.look(settings, clock, system.environ))
    assert found["OpenClaw"].seen.startswith("OpenClaw 2026")
    assert "it has main, other" in found["OpenClaw's agents"].seen
    assert found["agent beta"].state == found["wake methods"].state == "bad"
    assert found["hooks"].state == "ok"
    assert "Unknown agent id" in found["skill of beta"].seen
    assert not any(word in repr(found) for word in SECRETS)


def test_the_skill_of_a_renamed_agent_is_one_to_write_again(system, enrolled, install, clock):
    system.add_openclaw("main")
    openclaw = {"local_agent": "main", "method": "command"}
    install(enrolled(agents={"beta": openclaw}))
    renamed = enrolled(agents={"gamma": openclaw})
    found = by_name(turnside.look(renamed, clock, system.environ))["skill of gamma"]
    assert (found.state, found.mend) == ("warn", "bus-watcher install")
    install(renamed)
    found = by_name(turnside.look(renamed, clock, system.environ))["skill of gamma"]
    assert found.state == "ok", found
    system.skill("main").write_text("a person's own words")
    found = by_name(turnside.look(renamed, clock, system.environ))["skill of gamma"]
    assert found.state == "ok", "install would leave it"


def test_a_skill_that_openclaw_has_not_seen_yet_is_not_one_to_install_again(
    system, enrolled, clock
):
    system.add_openclaw("beta")
    settings = enrolled(agents={"beta": {}})
    (system.state / "answer-with-beta").write_text(
        (system.state / "answer-without-beta").read_text()
    )
    system.skill("beta").parent.mkdir(parents=True)
    system.skill("beta").write_text("---\n")
    found = by_name(turnside.look(settings, clock, system.environ))["skill of beta"]
    assert "has not seen it yet" in found.seen
    assert "install" not in found.mend


def test_a_node_without_openclaw_is_not_asked_about_it(system, enrolled, clock):
    found = by_name(turnside.look(enrolled(agents=PROGRAM), clock, system.environ))
    assert set(found) == {"agent beta"}


# ---------------------------------------------------------------------------------- the canary


@pytest.fixture
def ladder(bus):
    """Have the canary come so far: `ladder("accepted", "queued", reason="...")`."""

    def play(*rungs, reason="", ended=False, **more):
        delivery = {
            "state": rungs[-1],
            "reason": reason,
            "ended": ended,
            "ladder": [{"state": rung} for rung in rungs],
            **more,
        }
        bus.answers["/api/send"] = lambda _: {"status": "accepted", "id": "m_1"}
        bus.answers["/api/messages/m_1"] = lambda _: {"deliveries": [delivery]}
        bus.answers["/api/messages/m_1/cancel"] = lambda _: {"id": "m_1", "results": []}

    return play


@pytest.fixture
def own(bus):
    with Bus(address.parse(bus.url), lambda: "wb_agent_beta") as made:
        yield made


@pytest.mark.parametrize("rung", list(canary.MEND))
def test_a_canary_that_is_stuck_says_where_and_is_taken_back(bus, own, ladder, clock, rung):
    ladder(*list(canary.MEND)[: list(canary.MEND).index(rung) + 1], reason="because")
    found = canary.wake("beta", own, clock, limit_s=0.05)
    assert found.state == "bad"
    assert f"stuck at {rung}" in found.seen
    assert "because" in found.seen
    assert found.mend
    assert bus.wait_for_call("/api/messages/m_1/cancel").json == {"reason": "it was a test"}


def test_a_canary_in_quiet_hours_is_no_failure_and_is_taken_back_at_once(bus, own, ladder, clock):
    reason = "quiet hours until 2026-11-21T06:00:00.000Z (sat 07:00 in Europe/Berlin)"
    ladder("accepted", "held", reason=reason)
    found = canary.wake("beta", own, clock, limit_s=10_000)
    assert found.state == "warn"
    assert found.seen.startswith("held until sat 07:00 in Europe/Berlin, quiet hours")
    assert "bus agent change beta --no-quiet" in found.mend
    assert bus.wait_for_call("/api/messages/m_1/cancel").json == {"reason": "it was a test"}


def test_a_turn_that_read_nothing_is_not_paid_for_twice(own, ladder, clock):
    ladder("accepted", "queued", "notified", "woken", "queued", failed_attempts=1)
    found = canary.wake("beta", own, clock, limit_s=10_000)
    assert "stuck at woken" in found.seen
    assert "its model answer" in found.mend


def test_a_canary_that_died_says_of_what(own, ladder, clock):
    ladder("accepted", "queued", "dead", reason="unknown agent", ended=True)
    found = canary.wake("beta", own, clock)
    assert "it ended as dead: unknown agent" in found.seen


def test_a_canary_that_was_read_and_acked_is_proof(bus, own, ladder, clock):
    ladder("accepted", "queued", "notified", "woken", "read", "acked", ended=True)
    assert canary.wake("beta", own, clock).state == "ok"
    sent = bus.wait_for_call("/api/send").json
    assert (sent["to"], sent["type"]) == ("beta", "CANARY")
    assert not [request for request in bus.requests if request.path.endswith("/cancel")]


def test_an_agent_that_takes_no_canaries_is_told_of(bus, own, clock):
    def refuse(_request):
        raise ProblemError(400, "type_not_accepted", "beta takes TASK")

    bus.answers["/api/send"] = refuse
    found = canary.wake("beta", own, clock)
    assert "beta takes TASK" in found.seen
    assert "CANARY" in found.mend


def test_a_worker_that_no_mail_can_wake_is_no_failure(bus, own, clock):
    def refuse(_request):
        raise ProblemError(400, "takes_runs", "beta is a worker")

    bus.answers["/api/send"] = refuse
    assert canary.wake("beta", own, clock).state == "ok"


# --------------------------------------------------------------------------------- the command


def run(folder, capsys, *words):
    code = cli.main(["doctor", "--dir", str(folder.path), *words])
    return (code, *capsys.readouterr())


def test_a_folder_without_settings_is_a_finding_and_not_a_fault(folder, capsys):
    code, said, _ = run(folder, capsys)
    assert code == 1
    assert "enrol URL CODE" in said


def test_it_wakes_nobody_unasked(bus, enrolled, capsys, answers):
    folder = enrolled(agents=PROGRAM).folder
    code, _, complaint = run(folder, capsys, "--wake")
    assert code == 2
    assert "costs a model call" in complaint
    assert not bus.requests


def test_what_came_over_the_network_cannot_steer_the_terminal(bus, enrolled, capsys, answers):
    def refuse(_request):
        raise ProblemError(401, "x\x1b[2J", "no\x1b]0;owned\x07")

    answers["/api/whoami"] = refuse
    folder = enrolled(agents=PROGRAM).folder
    for words in ([], ["--json"]):
        _, said, _ = run(folder, capsys, *words)
        assert "owned" in said
        assert not {"\x1b", "\x07"} & set(said)
        assert not any(word in said for word in SECRETS)


def test_the_json_is_for_a_program(enrolled, capsys, bus, answers):
    folder = enrolled(agents=PROGRAM).folder
    privatefile.write(folder.node_token_file, "wb_node_secret\n")
    code, said, _ = run(folder, capsys, "--json")
    answer = json.loads(said)
    assert answer["well"] is False
    assert code == 1
    assert {"name", "state", "seen", "mend"} == set(answer["checks"][0])


def test_the_daemon_loads_nothing_of_what_only_doctor_needs():
    code = (
        "import sys, watcher.cli\n"
        "assert not [one for one in sys.modules if one.startswith(('watcher.doc', 'watcher.ins'))]"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


# ------------------------------------------------------------------------------------- workers


def test_a_worker_whose_runs_can_be_done_is_said_to_be_well(enrolled, tmp_path):
    runs = {"workspace": str(tmp_path), "verify": {"tests": ["true"]}}
    found = list(runside.look(enrolled(agents={"beta": {"argv": ["cat"], "runs": runs}})))
    assert [(one.state, one.seen) for one in found] == [
        ("ok", f"its runs work in {tmp_path}; checks: tests")
    ]


def test_an_agent_without_settings_for_runs_is_not_looked_at(enrolled):
    assert list(runside.look(enrolled(agents=PROGRAM))) == []


@pytest.mark.parametrize(
    ("runs", "agent", "seen", "mend"),
    [
        ({"workspace": "/no/such"}, {}, "/no/such is not a folder", "mkdir -p '/no/such'"),
        ({"workspace": "/proc/sys"}, {}, "cannot be written to", "chmod"),
        ({"models": ["a"]}, {}, "it has no workspace", "set beta runs.workspace=/PATH"),
        ({"workspace": "/tmp", "verify": {"lint": ["no-such"]}}, {},
         "its check lint cannot run: no-such", "set beta runs.verify.lint=COMMAND"),
        ({"workspace": "/tmp"}, {"method": "hook"},
         "cannot be seen by hook", "set beta method=gateway"),
    ],
)  # fmt: skip
def test_what_a_workers_runs_lack_is_named_with_its_mend(enrolled, runs, agent, seen, mend):
    entry = {"argv": ["cat"], **agent, "runs": runs}
    (found,) = runside.look(enrolled(agents={"beta": entry}))
    assert (found.name, found.state) == ("worker beta", "bad")
    assert seen in found.seen
    assert mend in found.mend
