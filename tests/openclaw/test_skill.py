"""The skill, in the real OpenClaw: it loads, and a prompt offers it."""

from __future__ import annotations

import json

import pytest

from watcher import skill

pytestmark = [pytest.mark.openclaw, pytest.mark.timeout(900)]


def test_openclaw_takes_it_as_ready_for_the_agent_that_has_it(openclaw):
    folder = openclaw.folder / "ws" / "skilled" / "skills" / skill.NAME
    folder.mkdir(parents=True)
    (folder / skill.FILE_NAME).write_text(skill.render("skilled", "http://127.0.0.1:8091"))
    assert _find_skill(openclaw, "skilled")["eligible"] is True
    assert _find_skill(openclaw, "unskilled") is None


def _find_skill(openclaw, agent):
    done = openclaw.run("openclaw", "skills", "list", "--agent", agent, "--json")
    assert done.returncode == 0, done.stderr
    skills = json.loads(done.stdout)["skills"]
    return next((entry for entry in skills if entry["name"] == skill.NAME), None)
