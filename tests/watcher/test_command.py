"""The command method: the exact argv, and what it makes of each exit."""

from __future__ import annotations

import json
import os
import socket
import threading

import pytest

from watcher.methods.base import Outcome, Wake
from watcher.methods.command import Command
from watcher.settings import AgentSettings, Folder, OpenClawSettings, Settings

OLD_HELP = "Commands:\n  list      List automations\n  run       Run an automation now\n"
NEW_HELP = OLD_HELP + "  wake      Wake an agent\n"
# Writes down its arguments and environment; the rest is the test's.
FAKE = """#!/bin/sh
here='{here}'
printf '%s\\0' "$@" >> "$here/argv"; printf '\\n' >> "$here/argv"
env > "$here/env"
if [ "$1 $2" = "cron --help" ]; then cat "$here/help"; exit 0; fi
{body}
"""


class Silent:
    """A report that nobody reads."""

    def admitted(self, _turn_id):
        raise AssertionError("a command cannot see a turn")

    def alive(self):
        pass


class FakeOpenClaw:
    """An `openclaw` on the PATH."""

    def __init__(self, folder):
        self.folder = folder
        self.set(help_text=OLD_HELP)

    def set(self, body="exit 0", help_text=None):
        path = self.folder / "openclaw"
        path.write_text(FAKE.format(here=self.folder, body=body))
        path.chmod(0o755)
        if help_text is not None:
            (self.folder / "help").write_text(help_text)

    @property
    def calls(self):
        path = self.folder / "argv"
        lines = path.read_bytes().split(b"\0\n")[:-1] if path.exists() else []
        return [[word.decode() for word in line.split(b"\0")] for line in lines]

    @property
    def environment(self):
        lines = (self.folder / "env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)


@pytest.fixture
def fake(tmp_path, monkeypatch):
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return FakeOpenClaw(folder)


@pytest.fixture
def gateway_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def method(fake, tmp_path, gateway_port):
    path = tmp_path / "openclaw.json"
    agents = {"entries": {"alpha": {}, "beta": {}}}
    path.write_text(json.dumps({"agents": agents, "gateway": {"port": gateway_port}}))
    openclaw = OpenClawSettings(config=path)
    return Command(Settings(Folder(tmp_path), "http://bus", "n1", openclaw=openclaw))


def run(method, name="beta", text="You have mail.\n--mode never", stop=None, **options):
    wake = Wake(
        "w_7", 1, name, name, f"agent:{name}:main", text, 1, 0, options.pop("turn_id", None)
    )
    agent = AgentSettings(name, **options)
    return method.run(wake, agent, Silent(), stop or threading.Event())


# ------------------------------------------------------------------------------- the default


def test_where_openclaw_has_cron_wake_it_is_used(fake, method):
    fake.set(help_text=NEW_HELP)
    assert run(method) == Outcome("requested")
    assert fake.calls == [["cron", "--help"], ["cron", "wake", "beta", "--mode=now"]]


def test_where_it_has_not_a_system_event_is_used(fake, method):
    assert run(method) == Outcome("requested")
    event = ["system", "event", "--text", "You have mail.\n--mode never", "--mode", "now"]
    assert fake.calls == [["cron", "--help"], [*event, "--session-key", "agent:beta:main"]]


def test_the_release_is_asked_once(fake, method):
    run(method)
    run(method, "alpha")
    assert [call[:2] for call in fake.calls].count(["cron", "--help"]) == 1


def test_a_help_that_failed_is_asked_for_again(fake, method):
    fake.set("exit 1")
    (fake.folder / "openclaw").write_text("#!/bin/sh\nexit 1\n")
    run(method)
    fake.set(help_text=NEW_HELP)
    run(method)
    assert fake.calls[-1] == ["cron", "wake", "beta", "--mode=now"]


def test_openclaw_is_not_told_that_it_runs_inside_an_agent(fake, method, monkeypatch):
    monkeypatch.setenv("OPENCLAW_SHELL", "exec")
    monkeypatch.setenv("KEPT", "yes")
    run(method, env={"ADDED": "too"})
    assert "OPENCLAW_SHELL" not in fake.environment
    assert (fake.environment["KEPT"], fake.environment["ADDED"]) == ("yes", "too")


# ------------------------------------------------------------------------------- any command


def test_each_placeholder_is_filled_in_once_and_never_by_a_shell(fake, method):
    argv = ("openclaw", "a-{agent}", "{text}", "{session_key}", "id={wake_id}", "{other}")
    text = "$(touch pwned) {agent} `id`; \"x\" 'y'"
    assert run(method, argv=argv, text=text) == Outcome("requested")
    assert fake.calls == [["a-beta", text, "agent:beta:main", "id=w_7", "{other}"]]
    assert not (fake.folder / "pwned").exists()


def test_a_text_is_never_an_option(fake, method):
    run(method, argv=("openclaw", "{text}"), text="--gateway-url=ws://evil")
    assert fake.calls == [[" --gateway-url=ws://evil"]]


def test_what_an_earlier_life_asked_for_is_not_asked_for_again(fake, method):
    assert run(method, turn_id="t").state == "requested"
    assert fake.calls == []


# ------------------------------------------------------------------------------- how it ends


def test_a_failure_is_no_turn_with_the_end_of_what_it_said(fake, method):
    fake.set("echo " + "x" * 3000 + " >&2; echo 'Gateway not reachable: ECONNREFUSED' >&2; exit 3")
    outcome = run(method)
    assert (outcome.state, outcome.permanent) == ("no_turn", False)
    assert outcome.reason.startswith("openclaw failed with exit status 3: ")
    assert outcome.reason.endswith("Gateway not reachable: ECONNREFUSED")
    assert len(outcome.reason) < 700


def test_an_agent_that_openclaw_does_not_know_is_final(fake, method):
    fake.set("echo 'Error: cron job agent is unavailable: nosuch' >&2; exit 1")
    assert run(method, "nosuch").permanent
    assert not run(method, "beta").permanent


def test_any_command_may_say_that_an_agent_is_unknown(fake, method):
    fake.set("echo 'Unknown agent id \"beta\"' >&2; exit 1")
    assert run(method, argv=("openclaw", "{agent}")).permanent


def test_a_command_that_is_not_there_is_no_turn(method):
    outcome = run(method, argv=("/no/such/thing",))
    assert outcome.state == "no_turn"
    assert "could not be started" in outcome.reason


def test_a_command_over_its_limit_is_ended(fake, method):
    fake.set("sleep 60")
    outcome = run(method, argv=("openclaw",), limit_s=0.2)
    assert outcome == Outcome("no_turn", "openclaw was ended at its limit of 0.2 s")


def test_at_a_stop_it_leaves_it_open(fake, method):
    fake.set("sleep 60")
    stop = threading.Event()
    stop.set()
    assert run(method, argv=("openclaw",), stop=stop) == Outcome("left")


# ------------------------------------------------------------------------------- the probe


def test_the_probe_runs_nothing(fake, method):
    assert method.probe(AgentSettings("beta")).works
    assert method.probe(AgentSettings("beta", argv=("openclaw", "x"))).works
    assert fake.calls == []


def test_the_probe_says_what_is_missing(fake, method, gateway_port):
    assert "not an executable" in method.probe(AgentSettings("beta", argv=("no-such",))).why
    assert "no agent 'nosuch'" in method.probe(AgentSettings("nosuch")).why
    (fake.folder / "openclaw").unlink()
    assert not method.probe(AgentSettings("beta")).works
