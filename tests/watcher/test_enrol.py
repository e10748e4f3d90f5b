"""Enrolment and the other commands, as a person meets them."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from fakebus import ProblemError

from watcher import cli, settingsfile
from watcher.install.record import Record
from watcher.settings import SettingsError

GRANT = {
    "node": "pi",
    "token": "wb_node_1",
    "agents": [
        {
            "name": "beta",
            "token": "wb_agent_b",
            "local_agent": "main",
            "session_key": "agent:main:main",
        },
        {
            "name": "gamma",
            "token": "wb_agent_g",
            "local_agent": "g",
            "session_key": "agent:g:main",
        },
    ],
}


@pytest.fixture
def grant(bus):
    """What the bus gives; change it to give something else."""
    given = json.loads(json.dumps({**GRANT, "url": bus.url}))
    bus.answers["/api/enrol"] = lambda _: given
    return given


@pytest.fixture
def run(folder, capsys):
    """Run a command; gives exit code, output and complaints."""

    def start(command, *words):
        code = cli.main([command, "--dir", str(folder.path), *words])
        return (code, *capsys.readouterr())

    return start


def read(folder):
    return json.loads(folder.settings_file.read_text())


def test_it_writes_settings_tokens_and_headers_for_the_owner_only(run, bus, grant, folder):
    code, said, _ = run("enrol", bus.url, "CODE-1")
    assert code == 0
    assert f"node pi of {bus.url}" in said
    assert "bus-watcher run" in said
    assert "wb_" not in said
    assert folder.read_node_token() == "wb_node_1"
    assert folder.header_file("beta").read_text() == "Authorization: Bearer wb_agent_b\n"
    beta = {"local_agent": "main", "method": "auto", "session_key": "agent:main:main"}
    assert read(folder)["agents"]["beta"] == beta
    for path in [folder.path, *folder.path.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_a_lost_answer_is_asked_for_again_under_the_same_nonce(run, bus, grant):
    def lose(_request):
        raise ProblemError(503, "draining")

    real = bus.answers["/api/enrol"]
    bus.answers["/api/enrol"] = lose
    assert run("enrol", bus.url, "CODE-1")[0] == 4
    bus.answers["/api/enrol"] = real
    assert run("enrol", bus.url, "CODE-1")[0] == 0
    first, second = (request.json for request in bus.requests)
    assert first == second
    assert len(first["nonce"]) > 20
    run("enrol", bus.url, "CODE-2")
    assert bus.requests[-1].json["nonce"] != first["nonce"]


@pytest.mark.parametrize(("home", "named"), [("anna", "{}/.wakebus"), ("ä na", "$HOME/.wakebus")])
def test_the_curl_commands_name_the_folder_so_that_openclaw_finds_it_from_another_home(
    bus, grant, tmp_path, monkeypatch, capsys, home, named
):
    monkeypatch.setenv("HOME", str(tmp_path / home))
    monkeypatch.delenv("WAKEBUS_DIR", raising=False)
    assert cli.main(["enrol", bus.url, "CODE-1"]) == 0
    assert bus.requests[-1].json["header_dir"] == named.format(tmp_path / home)
    assert (tmp_path / home / ".wakebus" / "beta.header").exists()


def test_it_tells_the_bus_which_nodes_this_user_has_already(run, bus, grant, tmp_path, capsys):
    run("enrol", bus.url, "CODE-1")
    run("enrol", bus.url, "CODE-2")
    assert bus.requests[-1].json["neighbours"] == []  # its own folder is none
    cli.main(["enrol", "--dir", str(tmp_path / "second"), bus.url, "CODE-3"])
    assert bus.requests[-1].json["neighbours"] == ["pi"]
    (tmp_path / "second" / "node.token").unlink()
    run("enrol", bus.url, "CODE-4")
    assert bus.requests[-1].json["neighbours"] == []  # what is not enrolled any more is none


def test_a_new_enrolment_keeps_how_agents_are_reached(run, bus, grant, folder):
    run("enrol", bus.url, "CODE-1")
    run("set", "beta", "method=program", "argv=claude -p {text}", "limit_s=30")
    grant["agents"][0]["session_key"] = "agent:main:other"
    grant["agents"].pop()
    _, said, _ = run("enrol", bus.url, "CODE-2")
    beta = read(folder)["agents"]["beta"]
    assert beta["argv"] == ["claude", "-p", "{text}"]
    assert (beta["limit_s"], beta["session_key"]) == (30, "agent:main:other")
    assert "gamma is no agent of this node any more" in said
    assert not folder.header_file("gamma").exists()


def test_a_folder_of_another_node_is_not_overwritten_unless_told_to(run, bus, grant, folder):
    def refuse(_request):
        raise ProblemError(409, "other_node")

    run("enrol", bus.url, "CODE-1")
    folder.cursor_file.write_text("1-1.\n")
    given = bus.answers["/api/enrol"]
    bus.answers["/api/enrol"] = refuse
    code, _, complaint = run("enrol", bus.url, "CODE-2")
    assert code == 3
    assert bus.requests[-1].json["present_node"] == "pi"
    assert "--replace" in complaint
    assert folder.read_node_token() == "wb_node_1"
    bus.answers["/api/enrol"] = given
    grant.update(node="shed", token="wb_node_2")
    assert run("enrol", bus.url, "CODE-2", "--replace")[0] == 0
    assert bus.requests[-1].json["present_node"] == ""
    assert (folder.read_node_token(), read(folder)["node"]) == ("wb_node_2", "shed")
    assert not folder.cursor_file.exists()


def test_a_folder_of_another_bus_costs_no_code(run, bus, grant, folder):
    run("enrol", bus.url, "CODE-1")
    code, _, complaint = run("enrol", "http://127.0.0.1:1", "CODE-2")
    assert code == 3
    assert f"belongs to node pi of {bus.url}" in complaint
    assert "the code was not used" in complaint


@pytest.mark.parametrize(
    ("problem", "sentence"),
    [
        (ProblemError(409, "mixed_compartments", "agents of two compartments"), "two compartments"),
        (ProblemError(409, "code_used", "used by another machine"), "used by another machine"),
        (ProblemError(410, "code_expired", "it has expired"), "it has expired"),
        (ProblemError(404, "not_found", "no such code"), "no such code"),
    ],
)
def test_a_refusal_is_a_sentence_and_an_exit_code(run, bus, folder, problem, sentence):
    def refuse(_request):
        raise problem

    bus.answers["/api/enrol"] = refuse
    code, _, complaint = run("enrol", bus.url, "CODE-1")
    assert code == 4
    assert sentence in complaint
    assert not folder.settings_file.exists()


@pytest.mark.parametrize(
    "change",
    [{"node": "../x"}, {"token": "a\nb"}, {"token": None}, {"agents": None},
     {"agents": [{"name": "../../etc/passwd", "token": "t"}]}, {"agents": ["beta"]}],
)  # fmt: skip
def test_an_answer_that_cannot_be_trusted_writes_nothing(run, bus, grant, folder, change):
    grant.update(change)
    assert run("enrol", bus.url, "CODE-1")[0] == 4
    assert not folder.settings_file.exists()
    assert not folder.node_token_file.exists()


def test_a_bus_that_is_not_there_fails(run):
    code, _, complaint = run("enrol", "http://127.0.0.1:9", "CODE-1")
    assert code == 1
    assert "no answer from" in complaint


def test_a_url_that_is_none_is_a_wrong_setting(run):
    code, _, complaint = run("enrol", "bus://bus:8091", "CODE-1")
    assert code == 3
    assert "is not a URL such as" in complaint


@pytest.mark.parametrize("typed", ["bus:8091", "192.168.1.5:8091", "pi.local", "//bus:8091"])
def test_an_address_without_its_beginning_is_answered_by_the_command_to_type(run, folder, typed):
    code, _, complaint = run("enrol", typed, "CODE-1")
    assert code == 3
    assert f"enrol http://{typed.lstrip('/')} CODE" in complaint
    assert not folder.path.exists()


def test_without_settings_it_says_how_to_get_them(run):
    code, _, complaint = run("run")
    assert code == 3
    assert "bus-watcher enrol URL CODE" in complaint


def test_an_open_token_file_refuses_to_run(run, bus, grant, folder):
    run("enrol", bus.url, "CODE-1")
    folder.node_token_file.chmod(0o644)
    code, _, complaint = run("run")
    assert code == 3
    assert f"chmod 600 '{folder.node_token_file}'" in complaint


def test_broken_settings_are_named(run, bus, grant, folder):
    run("enrol", bus.url, "CODE-1")
    folder.settings_file.write_text("{")
    assert run("agents")[0] == 3
    folder.settings_file.write_text('{"urll": 1}')
    code, _, complaint = run("agents")
    assert code == 3
    assert "did you mean url?" in complaint


def test_it_shows_how_each_agent_is_reached(run, bus, grant):
    run("enrol", bus.url, "CODE-1")
    run("set", "beta", "argv=cat")
    run("set", "gamma", "method=program", "argv=no-such-program")
    code, said, _ = run("agents")
    assert code == 1
    header, beta, gamma = said.splitlines()
    assert header.split() == ["AGENT", "SETTING", "METHOD", "WHY"]
    assert beta.split(maxsplit=3) == ["beta", "auto", "program", "starts cat for each message"]
    assert gamma.split(maxsplit=3)[:3] == ["gamma", "program", "none"]
    assert "cannot be woken: program: no-such-program is not an executable" in gamma
    run("set", "gamma", "argv=cat")
    assert run("agents")[0] == 0


def test_an_agent_that_nothing_can_wake_is_shown_so(run, bus, grant, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("CONFIG_PATH", "STATE_DIR", "HOME"):
        monkeypatch.delenv(f"OPENCLAW_{name}", raising=False)
    run("enrol", bus.url, "CODE-1")
    code, said, _ = run("agents")
    assert code == 1
    _, beta, _ = said.splitlines()
    assert beta.split(maxsplit=3)[:3] == ["beta", "auto", "none"]
    assert "cannot be woken: gateway, hook: there is no " in beta
    assert beta.count("there is no ") == 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nobody", "method=auto"], "no agent nobody here; this node has: beta, gamma"),
        (["beta", "method"], "'method' is not key=value"),
        (["beta", "methd=auto"], "did you mean method?"),
        (["beta", "method=cron"], "must be one of auto"),
        (["beta"], "say what to change of beta"),
        (["beta", "retries=many"], "retries must be a whole number from 0 to 4, not 'many'"),
        (["beta", "limit_s=abc"], "limit_s must be a number of seconds above 0"),
        (["beta", 'env={"A'], "env must be an object of texts such as"),
        (["openclaw.confg=/x"], "did you mean config?"),
        (["url=http://elsewhere"], "url cannot be set so"),
        (["agents.beta=x"], "agents.beta cannot be set so"),
        (["turns_at_once=99"], "turns_at_once must be a whole number from 1 to 64"),
        (["beta", "argv='x"], "argv="),
        (["beta", "runs.workspce=/x"], "did you mean workspace?"),
        (["beta", "runs.verify.a b=make"], "runs.verify must be an object of named commands"),
        (["beta", "runs.verify_limit_s=0"], "verify_limit_s must be a number of seconds above 0"),
        (["beta", "runs.cleanup=delete"], "runs.cleanup must be one of as_asked, keep"),
        (["beta", "env.A=b"], "nothing lies below env"),
    ],
)
def test_a_wrong_change_is_refused_and_changes_nothing(run, bus, grant, folder, words, sentence):
    run("enrol", bus.url, "CODE-1")
    before = folder.settings_file.read_text()
    code, _, complaint = run("set", *words)
    assert code == 3
    assert sentence in complaint
    assert folder.settings_file.read_text() == before


def test_an_empty_value_takes_a_key_away(run, bus, grant, folder):
    run("enrol", bus.url, "CODE-1")
    run("set", "beta", 'argv=["cat", "-u"]', 'env={"A": "b"}')
    assert read(folder)["agents"]["beta"]["argv"] == ["cat", "-u"]
    run("set", "beta", "argv=", "env=", "method=gateway")
    assert sorted(read(folder)["agents"]["beta"]) == ["local_agent", "method", "session_key"]


def test_what_a_workers_runs_may_use_is_set_word_by_word(run, bus, grant, folder, tmp_path):
    run("enrol", bus.url, "CODE-1")
    words = ("runs.models=a/b c", "runs.verify.tests=make test", "runs.verify.py.lint=ruff .")
    run("set", "beta", f"runs.workspace={tmp_path}", "runs.verify_limit_s=5", *words)
    assert read(folder)["agents"]["beta"]["runs"] == {
        "workspace": str(tmp_path),
        "models": ["a/b", "c"],
        "verify": {"tests": ["make", "test"], "py.lint": ["ruff", "."]},
        "verify_limit_s": 5,
    }
    run("set", "beta", "runs.verify.tests=", "runs.models=")
    runs = settingsfile.load(folder).agents["beta"].runs
    assert (runs.models, runs.verify) == ((), {"py.lint": ("ruff", ".")})


def test_a_workspace_is_a_whole_path(enrolled):
    with pytest.raises(SettingsError, match=r"runs\.workspace must be the whole path"):
        enrolled(agents={"beta": {"runs": {"workspace": "work"}}})


def test_where_openclaw_is_can_be_set_by_the_command_that_is_named(run, bus, grant, folder):
    run("enrol", bus.url, "CODE-1")
    openclaw = folder.path / "elsewhere.json"
    code, said, _ = run("set", f"openclaw.config={openclaw}", "webhook.allowed_hosts=a b:1")
    assert code == 0
    assert "restart the watcher" in said
    assert read(folder)["openclaw"] == {"config": str(openclaw)}
    assert read(folder)["webhook"] == {"allowed_hosts": ["a", "b:1"]}
    assert f"there is no {openclaw}" in run("agents")[1]
    assert "bus-watcher set openclaw.config=PATH" in run("agents")[1]
    run("set", "openclaw.config=", "turns_at_once=2")
    assert read(folder)["openclaw"] == {}
    assert read(folder)["turns_at_once"] == 2


def test_a_new_setting_comes_with_the_command_that_has_the_service_take_it(run, bus, grant, folder):
    run("enrol", bus.url, "CODE-1")
    Record(folder.install_file, unit="bus-watcher-attic.service").save()
    _, said, _ = run("set", "openclaw.config=/c.json")
    assert "systemctl --user restart bus-watcher-attic.service" in said


def test_a_new_enrolment_says_that_a_running_watcher_must_be_restarted(run, bus, grant):
    assert "restart the watcher" not in run("enrol", bus.url, "CODE-1")[1]
    said = run("enrol", bus.url, "CODE-2")[1]
    assert "restart the watcher (bus-watcher run, or its service) so that it takes the new" in said


def test_what_openclaw_lacks_is_not_said_of_agents_that_do_not_need_it(
    run, bus, grant, folder, monkeypatch, tmp_path
):
    openclaw = tmp_path / "openclaw.json"
    openclaw.write_text('{"agents": {"entries": {"main": {}}}}')
    monkeypatch.setenv("OPENCLAW_CONFIG_PATH", str(openclaw))
    assert "OpenClaw here has no agent g, which gamma" in run("enrol", bus.url, "CODE-1")[1]
    run("set", "gamma", "method=program")
    assert "OpenClaw here has no" not in run("enrol", bus.url, "CODE-2")[1]
    run("set", "gamma", "method=webhook")
    assert "OpenClaw here has no" not in run("enrol", bus.url, "CODE-3")[1]


@pytest.mark.parametrize("text", [None, "no certificate"])
def test_an_authority_file_that_is_no_use_is_named(run, tmp_path, text):
    path = tmp_path / "nope.pem"
    if text:
        path.write_text(text)
    code, _, complaint = run("enrol", "https://127.0.0.1:9", "CODE-1", "--ca-file", str(path))
    assert code == 3
    assert f"the CA file {path} cannot be used: " in complaint


def test_where_no_bus_watcher_is_installed_the_shown_commands_still_run(bus, grant, folder):
    root = Path(__file__).parents[2]

    def start(*words):
        argv = [sys.executable, "-m", "watcher", *words]
        return subprocess.run(argv, cwd=root, capture_output=True, text=True, check=False)

    at = ["--dir", str(folder.path)]
    failed = start("agents", *at)
    assert failed.stderr.startswith("python3 -m watcher: ")
    assert "run: python3 -m watcher enrol URL CODE" in failed.stderr
    said = start("enrol", bus.url, "CODE-1", *at).stdout
    assert f"  python3 -m watcher run --dir {folder.path} " in said
    assert "bus-watcher" not in said
    assert start("agents", "--help").stdout.startswith("usage: python3 -m watcher agents")


def test_an_option_may_stand_anywhere_among_the_words(bus, grant, folder, run, capsys):
    run("enrol", bus.url, "CODE-1")
    at = ["--dir", str(folder.path)]
    assert cli.main(["set", "beta", *at, "method=program", "argv=cat"]) == 0
    assert cli.main(["set", "beta", "retries=1", *at, "limit_s=7"]) == 0
    assert cli.main(["set", "turns_at_once=2", *at, "openclaw.argv=openclaw x"]) == 0
    beta = read(folder)["agents"]["beta"]
    assert (beta["method"], beta["argv"]) == ("program", ["cat"])
    assert (beta["retries"], beta["limit_s"]) == (1, 7)
    assert read(folder)["openclaw"]["argv"] == ["openclaw", "x"]
    for words in (["set", "beta", *at, "--nonsense"], ["agents", *at, "beta"]):
        with pytest.raises(SystemExit) as end:
            cli.main(words)
        assert end.value.code == 2
        assert "unrecognized arguments" in capsys.readouterr().err


def test_no_command_is_usage(capsys):
    with pytest.raises(SystemExit) as end:
        cli.main([])
    assert end.value.code == 2


def test_it_says_its_version(run):
    assert run("version")[:2] == (0, "0.1.0\n")
