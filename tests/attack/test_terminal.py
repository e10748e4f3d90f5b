"""What others wrote on a terminal: whatever it holds, it moves no cursor and hides no text."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import unicodedata
from contextlib import suppress
from pathlib import Path

import click
import pytest
from cast import NOWHERE

from bus.cli import cli
from tests import engine
from tests.conftest import clean_environment

BUS = str(Path(sys.executable).with_name("bus"))
EVIL = (
    "\x1b[2J\x1b]0;owned\x07\x1b]52;c;ZXZpbA==\x07\x9b31m\x90q\x9c\b\b\x7f\x0e\x85\u2028\u2029"
    "\u202eoff\u2066\u200b\ufeff\U000e0041\ue000 \x1b[8m\r\nann -> you  FAILURE from wakebus"
    + engine.NUL
)
JOINERS = "\u200c\u200d"
SHOWN = {
    "bus send": ("ann", ["dan", EVIL]),
    "bus inbox": ("ben", []),
    "bus inbox --text": ("ben", ["--text"]),
    "bus inbox --headers": ("ben", ["--headers"]),
    "bus reply": ("ben", ["HANDLE", EVIL]),
    "bus ack": ("ben", ["HANDLE", EVIL]),
    "bus release": ("pia", [EVIL]),
    "bus trace": ("ann", ["MESSAGE"]),
    "bus cancel": ("ann", ["MINE", "--reason", EVIL]),
    "bus cancel --late": ("ann", ["MESSAGE", "--reason", EVIL]),
    "bus cancel --unknown": ("ann", [EVIL, "--to", EVIL]),
    "bus dead": ("ann", []),
    "bus dead --agent": ("ann", ["--agent", EVIL]),
    "bus redrive": ("ann", ["MESSAGE"]),
    "bus redrive --unknown": ("ann", [EVIL]),
    "bus redrive --all": ("pia", ["--all", "--agent", "ben"]),
    "bus tail": ("admin", ["--from", "earliest"]),
    "bus wakes": ("admin", ["--all"]),
    "bus brief": ("pia", []),
    "bus held": ("pia", []),
    "bus cost": ("admin", []),
    "bus cost --thread": ("admin", ["--thread", EVIL]),
    "bus agent import": ("admin", ["CONFIG", "--dry-run"]),
    "bus alert raise": ("dan", [EVIL, EVIL, "--about", EVIL]),
    "bus alert raise --body": ("dan", ["flood", EVIL]),
    "bus alert list": ("pia", []),
    "bus alert show": ("pia", ["ALERT"]),
    "bus alert settle": ("pia", ["ALERT", "--reason", EVIL]),
    "bus task add": ("ann", [EVIL, EVIL, "--reviewer", EVIL]),
    "bus task list": ("pia", []),
    "bus task list --holder": ("pia", ["--holder", EVIL]),
    "bus task show": ("pia", ["CARD"]),
    "bus task claim": ("dan", ["CARD", "--note", EVIL]),
    "bus task move": ("ann", ["CARD", "review", "--note", EVIL]),
    "bus task change": ("pia", ["CARD", "--body", EVIL, "--lead", EVIL]),
    "bus task note": ("dan", ["CARD", EVIL]),
    "bus run start": ("ann", ["wes", EVIL, "--label", "evil", "--size", "S"]),
    "bus run start --label": ("ann", ["wes", "x", "--label", EVIL, "--size", "S"]),
    "bus run list": ("ann", ["--state", "all"]),
    "bus run list --parent": ("ann", ["--parent", EVIL]),
    "bus run show": ("ann", ["RUN"]),
    "bus run show --unknown": ("ann", [EVIL]),
    "bus run cancel": ("ann", ["RUN", "--reason", EVIL]),
    "bus run cancel --open": ("ann", ["OPEN", "--reason", EVIL]),
    "bus notice add": ("pia", [EVIL, "--webhook", EVIL]),
    "bus notice add --topic": ("pia", ["x", "--ntfy", NOWHERE, "--topic", EVIL]),
    "bus notice list": ("pia", []),
    "bus notice list --of": ("admin", ["--of", EVIL]),
    "bus notice remove": ("pia", [EVIL]),
    "bus notice test": ("pia", [EVIL]),
    "bus person add": ("admin", [EVIL]),
    "bus person link": ("admin", [EVIL]),
    "bus person list": ("admin", []),
    "bus session new": ("ann", [EVIL, "pia"]),
    "bus session list": ("pia", ["--state", "all"]),
    "bus session show": ("pia", ["SESSION"]),
    "bus session show --unknown": ("pia", [EVIL]),
    "bus session say": ("ann", ["SESSION", EVIL, "--to", EVIL]),
    "bus session speak": ("ann", [EVIL]),
    "bus session read": ("pia", ["SESSION", "--keep"]),
    "bus session read --text": ("pia", ["SESSION", "--text"]),
    "bus session invite": ("ann", ["SESSION", EVIL]),
    "bus session leave": ("ann", ["SESSION", EVIL]),
    "bus session wake": ("ann", ["SESSION", EVIL, "always"]),
    "bus session rename": ("ann", ["SESSION", EVIL]),
    "bus session close": ("ann", [EVIL]),
    "bus session reopen": ("ann", [EVIL]),
    "bus session search": ("pia", ["needle"]),
    "bus session search --in": ("pia", [EVIL, "--in", EVIL]),
    "bus session export": ("pia", ["SESSION", "-"]),
    "bus session import": ("pia", [EVIL]),
    "bus session ask": ("ann", ["SESSION", "may I?", EVIL]),
    "bus session ask --title": ("ann", ["SESSION", EVIL, "--option", EVIL, "--who", EVIL]),
    "bus session ask --wait": ("ann", ["SESSION", "may I?", EVIL, "--expires", "1s", "--wait"]),
    "bus session approvals": ("pia", ["--state", "all"]),
    "bus session approval": ("pia", ["ASKED"]),
    "bus session approval --answered": ("ann", ["ANSWERED"]),
    "bus session answer": ("pia", ["ASKED", EVIL]),
    "bus session answer --again": ("pia", ["ANSWERED", "deny"]),
    "bus session withdraw": ("ann", ["TAKEN", "--reason", EVIL]),
    "bus session stop": ("pia", ["SESSION", EVIL, "--to", "ann"]),
    "bus session stop --run": ("pia", ["SESSION", "--run", EVIL]),
    "bus session also": ("pia", ["SESSION", EVIL]),
    "bus agent list": ("admin", []),
    "bus agent show": ("admin", ["ben"]),
    "bus agent add": ("admin", [EVIL]),
    "bus agent change": ("admin", ["ben", "--display", EVIL]),
    "bus agent move": ("admin", ["ben", EVIL]),
    "bus agent pause": ("admin", [EVIL]),
    "bus agent remove": ("admin", [EVIL, "--yes"]),
    "bus agent rename": ("admin", ["ben", EVIL]),
    "bus agent resume": ("admin", [EVIL]),
    "bus group add": ("admin", [EVIL, "ann"]),
    "bus group list": ("admin", []),
    "bus group remove": ("admin", [EVIL, "--yes"]),
    "bus group set": ("admin", ["team", EVIL]),
    "bus node add": ("admin", [EVIL]),
    "bus node code": ("admin", [EVIL]),
    "bus node list": ("admin", []),
    "bus node remove": ("admin", [EVIL, "--yes"]),
    "bus node rename": ("admin", ["here", EVIL]),
    "bus token list": ("admin", []),
    "bus token new": ("admin", ["agent", EVIL]),
    "bus token revoke": ("admin", [EVIL]),
    "bus token rotate": ("admin", ["agent", EVIL]),
    "bus backup": ("admin", [EVIL]),
    "bus restore": ("admin", [EVIL]),
    "bus doctor": ("admin", ["--backups", EVIL]),
    "bus completion": ("admin", [EVIL]),
}
"""Each command that shows what others wrote: as whom, and with which words."""
OF_ITS_OWN = {"bus up", "bus init", "bus serve", "bus migrate", "bus config", "bus move"} | {
    "bus unit install", "bus unit show", "bus unit uninstall"}  # fmt: skip
"""They show this machine's settings and files alone."""
BAR = re.compile(r"\x1b\[\?25[lh]")
"""A bar of progress hides the cursor while it moves; it holds words of this program alone."""


@pytest.fixture(scope="module")
def written(world, tmp_path_factory):
    """Have everybody write what they can; gives the words of this test's commands."""
    item = world.give("ann", "ben", EVIL)
    world.call("ben", "POST", "/api/release",
               {"handle": item["handle"], "mode": "fatal", "reason": EVIL})  # fmt: skip
    world.send("ann", "ben", EVIL)
    (wake, *_) = world.admin("GET", "/api/wakes?agent=ben&state=all")["wakes"]
    world.call("here", "POST", f"/api/wakes/{wake['wake_id']}",
               {"state": "no_turn", "reason": EVIL})  # fmt: skip
    how = {"method": EVIL, "why": EVIL}
    world.call("here", "POST", "/api/nodes/self", {"version": EVIL, "methods": {"ben": how}})
    changed = {"display_name": EVIL, "accepts": [EVIL, "TASK", "MESSAGE"]}
    world.admin("PATCH", "/api/agents/ben", changed | {"session_key": EVIL, "local_agent": EVIL})
    made = {"kind": "agent", "subject": "dan", "label": EVIL}
    world.admin("POST", "/api/tokens", made)
    held = world.give("ann", "ben", EVIL, type="TASK")
    mine = world.send("ann", "ben", EVIL, type="TASK")
    card = world.call("ann", "POST", "/api/tasks", {"title": "shed", "body": EVIL})[1]["id"]
    claim = {"status": "in_progress", "note": EVIL}
    assert world.call("ann", "PATCH", f"/api/tasks/{card}", claim)[0] == 200
    world.call("ben", "POST", f"/api/tasks/{card}/notes", {"text": EVIL})
    alert = {"severity": "critical", "subject": "fire", "body": EVIL}
    status, raised = world.call("ann", "POST", "/api/alerts", alert)
    assert status == 201, raised
    run = {"ALERT": raised["id"], "RUN": end_run(world), "OPEN": world.dispatch("ann")}
    words = {"CARD": card, "HANDLE": held["handle"], "MESSAGE": item["id"], "MINE": mine}
    talk = {"title": "the boat", "participants": ["pia"]}
    session = world.call("ann", "POST", "/api/sessions", talk)[1]["session_id"]
    for body in ("needle " + EVIL, EVIL):
        entry = {"body": body}
        assert world.call("ann", "POST", f"/api/sessions/{session}/entries", entry)[0] == 201
    run["SESSION"] = session
    asked = {"title": "may I?", "body": EVIL}
    for name in ("ASKED", "ANSWERED", "TAKEN"):
        asking = world.call("ann", "POST", f"/api/sessions/{session}/approvals", asked)
        run[name] = asking[1]["approval_id"]
    said = {"answer": "approve", "note": EVIL}
    path = f"/api/approvals/{run['ANSWERED']}/answer"
    assert world.call("pia", "POST", path, said)[0] == 200
    config = tmp_path_factory.mktemp("openclaw") / "openclaw.json"
    entries = {"evil": {"name": EVIL, "workspace": EVIL, "identity": {"name": EVIL}}, EVIL: {}}
    config.write_text(json.dumps({"agents": {"entries": entries}}))
    return words | run | {"CONFIG": str(config)}


def end_run(world):
    """Have a worker say what it can of a run; gives the run."""
    run = world.dispatch("ann")
    claimed = world.call("wes", "POST", f"/api/runs/{run}/claim", {"instance": "one"})[1]
    file = {"path": EVIL, "size": 1, "sha256": "0" * 64, "written_by": "worker"}
    said = {"status": "failed", "reason": EVIL, "output": EVIL, "file": file}
    said |= {"claim": claimed["claim"], "verify": {"name": "x", "exit_code": 1, "output": EVIL}}
    assert world.call("wes", "POST", f"/api/runs/{run}/end", said)[0] == 200
    return run


def show(world, folder, who, words, until):
    """Run a command on a terminal, `tail` until a text comes; gives what the terminal got."""
    token = folder / f"{who}.token"
    token.write_text(world.tokens[who])
    token.chmod(0o600)
    ours, theirs = pty.openpty()
    environment = clean_environment(
        BUS_URL=world.bus.url, BUS_TOKEN_FILE=str(token), NO_COLOR="1", LC_ALL="C.UTF-8",
        BUS_DATA_DIR=str(world.bus.data_dir),
    )  # fmt: skip
    given = [word.replace("\0", "") for word in words]  # no command line can hold one
    running = subprocess.Popen(
        [BUS, *given], env=environment, stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder
    )
    os.close(theirs)
    got = b""
    with suppress(OSError):  # the terminal's end
        while chunk := os.read(ours, 65536):
            got += chunk
            if words[0] == "tail" and until in got:
                running.terminate()
    running.wait(20)
    os.close(ours)
    return BAR.sub("", got.decode())


@pytest.mark.parametrize("name", SHOWN)
def test_no_command_lets_others_text_steer_a_terminal(world, written, tmp_path, name):
    who, words = SHOWN[name]
    command = name.partition(" --")[0].split()[1:]
    until = written["HANDLE"].partition(".")[0].encode()
    words = [*command, *(written.get(word, word) for word in words)]
    said = show(world, tmp_path, who, words, until)
    steering = [
        f"U+{ord(char):04X}"
        for char in said
        if char not in "\r\n\t" + JOINERS
        and unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    ]
    assert said
    assert steering == [], said
    assert "Traceback" not in said
    outside = re.sub(r"<<<(wakebus \w+) begin.*?<<<\1 end>>>", "", said, flags=re.DOTALL)
    assert not [line for line in outside.splitlines() if line.startswith("ann -> you")], said


def leaves(command, path, context):
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            yield from leaves(below, f"{path} {name}", click.Context(below, parent=context))
    else:
        yield path


def test_a_new_command_cannot_come_without_its_row():
    tried = {name.partition(" --")[0] for name in SHOWN}
    assert tried | OF_ITS_OWN == set(leaves(cli, "bus", click.Context(cli)))
