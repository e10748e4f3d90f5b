"""A systemd and an OpenClaw that are shell scripts on a PATH, in a home of their own."""

from __future__ import annotations

import json
import os

SYSTEMCTL = """#!/bin/sh
state={state}
shift # --user
echo "systemctl $*" >> $state/calls
[ -e $state/no-manager ] && { echo "Failed to connect to bus: No medium found" >&2; exit 1; }
case $1 in
enable) : > $state/enabled ;;
disable) rm -f $state/enabled $state/active ;;
restart) [ -e $state/broken ] && { echo "Job failed" >&2; exit 1; }; : > $state/active ;;
show) case $2 in --property*) exit 0 ;; esac
  [ -e $state/enabled ] && echo UnitFileState=enabled || echo UnitFileState=disabled
  [ -e $state/active ] && echo ActiveState=active || echo ActiveState=inactive ;;
esac
"""
LOGINCTL = """#!/bin/sh
state={state}
echo "loginctl $*" >> $state/calls
[ -e $state/linger-for-root ] && { echo "Could not enable linger: Access denied" >&2; exit 1; }
case $2 in enable-linger) : > $state/linger/$3 ;; disable-linger) rm $state/linger/$3 ;; esac
"""
OPENCLAW = """#!/bin/sh
state={state}
case $1 in
--version) echo "OpenClaw 2026.9.6 (abc)"; exit 0 ;;
agents) cat $state/agents; exit 0 ;;
skills) ;;
*) exit 0 ;;
esac
[ -d $state/workspaces/$4 ] || { echo "Unknown agent id: $4" >&2; exit 1; }
[ -e $state/workspaces/$4/skills/wakebus/SKILL.md ] && has=with || has=without
cat $state/answer-$has-$4
"""


class FakeSystem:
    """`environ` is for whoever installs; the rest is what a test sets and asks."""

    def __init__(self, folder):
        self.state = folder / "system"
        self.home = folder / "home"
        programs = folder / "bin"
        for made in (self.state / "linger", self.home, programs):
            made.mkdir(parents=True)
        for name, text in {"systemctl": SYSTEMCTL, "loginctl": LOGINCTL}.items():
            self.make_program(programs / name, text)
        self.programs = programs
        self.environ = {
            "HOME": str(self.home),
            "PATH": f"{programs}:{os.environ['PATH']}",
            "XDG_RUNTIME_DIR": str(folder),
            "XDG_STATE_HOME": str(self.home / ".local" / "state"),
        }

    def make_program(self, path, text):
        path.write_text(text.replace("{state}", str(self.state)))
        path.chmod(0o755)

    def set(self, fact):
        (self.state / fact).touch()

    def clear(self, fact):
        (self.state / fact).unlink()

    def has(self, fact):
        return (self.state / fact).exists()

    def calls(self):
        path = self.state / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def forget_calls(self):
        (self.state / "calls").unlink(missing_ok=True)

    def add_openclaw(self, *agents, ready=True):
        self.make_program(self.programs / "openclaw", OPENCLAW)
        places = {agent: self.state / "workspaces" / agent for agent in agents}
        listed = [{"id": agent, "workspace": str(place)} for agent, place in places.items()]
        (self.state / "agents").write_text(json.dumps(listed))
        for agent in agents:
            workspace = self.state / "workspaces" / agent
            workspace.mkdir(parents=True)
            ours = {"name": "wakebus", "eligible": ready, "disabled": not ready, "missing": {}}
            for word, skills in {"with": [ours], "without": []}.items():
                answer = {"workspaceDir": str(workspace), "skills": skills}
                (self.state / f"answer-{word}-{agent}").write_text(json.dumps(answer))

    def skill(self, agent):
        return self.state / "workspaces" / agent / "skills" / "wakebus" / "SKILL.md"
