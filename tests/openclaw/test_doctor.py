"""Install's skill and doctor's canary on the real OpenClaw."""

from __future__ import annotations

import json
import subprocess

import pytest
from wholepath import ACK, READ, WATCHER

pytestmark = [pytest.mark.openclaw, pytest.mark.timeout(900)]
DONE = {"text": "Inbox done."}


@pytest.fixture(scope="module")
def examine(household, machine, tmp_path_factory):
    """Run doctor on the node, as on its machine; gives its findings by their names."""
    refusing = tmp_path_factory.mktemp("bin")  # this machine's own systemd is left alone
    for program in ("systemctl", "loginctl"):
        (refusing / program).write_text("#!/bin/sh\nexit 1\n")
        (refusing / program).chmod(0o755)
    household.add_node("here", machine, {"alpha": ["method=auto"]})
    folder = machine.openclaw.home / household.folder / "here"
    environment = machine.openclaw.environment()
    environment["PATH"] = f"{refusing}:{environment['PATH']}"

    def run(command, *words):
        argv = [WATCHER, command, "--dir", str(folder), *words]
        return subprocess.run(
            argv, env=environment, capture_output=True, text=True, timeout=200, check=False
        )

    def look(*words):
        done = run("doctor", "--json", *words)
        assert done.stdout, done.stderr
        token = machine.openclaw.gateway_token
        assert not {token, machine.openclaw.hook_token} & set(done.stdout.split('"'))
        return {one["name"]: one for one in json.loads(done.stdout)["checks"]}

    look.run = run
    return look


def test_the_skill_that_install_writes_is_ready_in_openclaw_and_goes_again(examine):
    said = examine.run("install").stdout
    assert "kept: the skill of alpha is ready in OpenClaw" in said, said
    assert examine()["skill of alpha"]["state"] == "ok"
    assert "SKILL.md" in examine.run("uninstall").stdout


def test_it_sees_how_the_real_openclaw_can_be_woken(examine):
    found = examine()
    assert found["OpenClaw"]["seen"].startswith("OpenClaw 20")
    assert found["wake methods"]["seen"] == "gateway works, hook works, command works"
    assert found["gateway"]["state"] == found["hooks"]["state"] == "ok"
    assert found["agent alpha"]["seen"].startswith("is woken by gateway")


def test_a_canary_comes_back_through_the_agents_own_inbox(examine, machine):
    machine.behave("alpha", READ, ACK, DONE)
    found = examine("--wake", "--yes")["canary of alpha"]
    assert found["state"] == "ok", found
    assert "notified -> woken -> read -> acked" in found["seen"]


def test_a_canary_of_an_agent_that_does_not_read_says_so_and_wakes_it_no_more(
    examine, machine, household
):
    machine.behave("alpha", {"text": "I would rather not."})
    found = examine("--wake", "--yes")["canary of alpha"]
    assert found["state"] == "bad", found
    assert "session" in found["mend"]
    household.await_idle("alpha")
