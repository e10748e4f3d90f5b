"""Who is there, and what an administrator does to it, by the command line."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

from commandline import BUS

WATCHER = str(Path(sys.executable).with_name("bus-watcher"))


def test_a_machine_becomes_a_node_by_the_printed_command(as_admin, tmp_path):
    made = as_admin("node", "add", "laptop", "--agents", "anna,ben")
    assert made.code == 0, made.err
    assert "python3 -m watcher" in made.out, "a machine with only a clone"
    enrol = next(line.split() for line in made.out.splitlines() if "enrol" in line)
    assert enrol[0] == "bus-watcher"
    done = subprocess.run(
        [WATCHER, *enrol[1:]],
        env=as_admin.environment | {"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / ".wakebus" / "anna.header").exists()
    listed = as_admin("node", "list").out
    assert "laptop" in listed
    assert "anna, ben" in listed


def test_an_agent_can_be_added_shown_changed_moved_renamed_paused_and_removed(as_admin):
    for node in ("here", "there"):
        assert as_admin("node", "add", node).code == 0
    assert "node code here" in as_admin("agent", "add", "anna", "--node", "here").out
    changed = as_admin("agent", "change", "anna", "--accepts", "TASK,STATUS", "--json")
    assert changed.json["accepts"] == ["STATUS", "TASK"] or changed.json["accepts"] == [
        "TASK",
        "STATUS",
    ]
    assert as_admin("agent", "move", "anna", "there").code == 0
    assert "bus agent resume anna" in as_admin("agent", "pause", "anna").out
    assert "bus-watcher install" in as_admin("agent", "rename", "anna", "hanna").out
    assert as_admin("agent", "add", "pia", "--kind", "person").code == 0
    assert as_admin("agent", "rename", "pia", "maria").out == "pia is maria now\n"
    shown = as_admin("agent", "show", "hanna").out
    assert "there" in shown
    assert "paused" in shown
    assert as_admin("agent", "resume", "hanna").code == 0
    assert as_admin("agent", "remove", "hanna", "--yes").code == 0
    assert as_admin("agent", "show", "hanna").code == 1


def test_a_new_code_of_the_demonstrations_node_goes_into_its_own_folder(as_admin):
    assert as_admin("node", "add", "demo").code == 0
    own = Path(as_admin.environment["BUS_DATA_DIR"]) / "demo"
    assert "--dir" not in as_admin("node", "code", "demo").out
    own.mkdir()
    (own / "watcher.json").write_text("{}")
    said = as_admin("node", "code", "demo").out
    assert re.search(rf"bus-watcher enrol http\S+ \S+ --dir {own}\n", said)
    assert "to be demo" not in said, "that would make ~/.wakebus the node and end the demonstration"


def test_a_removal_asks_first_and_without_a_terminal_names_the_option(as_admin):
    as_admin("node", "add", "here", "--agents", "anna")
    for words in (("agent", "remove", "anna"), ("node", "remove", "here", "--force")):
        got = as_admin(*words, stdin="y\n")
        assert got.code == 2
        assert "--yes" in got.err
    assert as_admin("agent", "show", "anna").code == 0


def on_a_terminal(as_admin, words, answer):
    """Run a command on a terminal of its own and give what it showed, and its exit code."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [BUS, *words], env=as_admin.environment, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        os.write(ours, answer)
        code, shown = process.wait(30), os.read(ours, 4096).decode()
        os.close(ours)
    return code, shown


def test_a_removal_on_a_terminal_waits_for_a_yes(as_admin):
    as_admin("agent", "add", "anna")
    code, shown = on_a_terminal(as_admin, ("agent", "remove", "anna"), b"n\n")
    assert code == 1
    assert "Remove it? [y/N]" in shown
    assert as_admin("agent", "show", "anna").code == 0
    assert on_a_terminal(as_admin, ("agent", "remove", "anna"), b"y\n")[0] == 0
    assert as_admin("agent", "show", "anna").code == 1


def test_a_node_with_agents_is_kept_and_the_option_is_named(as_admin):
    as_admin("node", "add", "here", "--agents", "anna")
    got = as_admin("node", "remove", "here", "--yes")
    assert got.code == 1
    assert "anna is on here" in got.err
    assert "--force" in got.err
    assert as_admin("node", "remove", "here", "--yes", "--force").code == 0


def test_a_group_is_one_name_for_several(as_admin, act_as):
    one = act_as("one")
    act_as("two")
    assert as_admin("group", "add", "crew", "one,two").code == 0
    assert "crew: 1 member\n" in as_admin("group", "set", "crew", "one").out
    assert as_admin("group", "set", "crew", "one,two").code == 0
    assert "one, two" in as_admin("group", "list").out
    sent = one("send", "crew", "all hands", "--json").json
    assert "two" in {delivery["to"] for delivery in sent["deliveries"]}
    assert as_admin("group", "remove", "crew").code == 0


def test_the_settings_are_shown_with_their_source(as_admin):
    rows = {row["key"]: row for row in as_admin("config", "--json").json["settings"]}
    assert rows["BUS_DATA_DIR"]["source"] == "environment"
    assert rows["BUS_LEASE_S"]["source"] == "default"
    assert "how long a read item is leased" in as_admin("config", "--explain").out


def test_one_more_agent_for_a_node_that_is_there_is_the_next_command(as_admin):
    assert as_admin("node", "add", "attic", "--agents", "ben").code == 0
    again = as_admin("node", "add", "attic", "--agents", "ben,cleo")
    assert again.code == 1
    assert "there is a node 'attic'" in again.err
    for command in ("agent add NAME --node attic", "node code attic"):
        assert f"bus {command}" in again.err
        done = as_admin(*command.replace("NAME", "cleo").split())
        assert done.code == 0, done.err
    assert "ben, cleo" in as_admin("node", "list").out


def test_quiet_hours_are_set_shown_and_ended(as_admin):
    as_admin("agent", "add", "pat", "--kind", "person")
    as_admin("agent", "add", "lead")
    change = ("agent", "change", "pat")
    refused = as_admin(*change, "--quiet", "on")
    assert refused.code != 0
    assert "Europe/Berlin" in refused.err
    usual = as_admin(*change, "--quiet", "on", "--zone", "Europe/Berlin")
    assert "03:00-08:00 in Europe/Berlin" in usual.out
    both = ("--quiet", "sun-thu 22:00-07:00", "--quiet", "fri,sat 23:30-10:00")
    kept = as_admin(*change, *both, "--urgent-from", "lead", "--json").json["quiet"]
    assert kept == {
        "zone": "Europe/Berlin",
        "windows": ["mon,tue,wed,thu,sun 22:00-07:00", "fri,sat 23:30-10:00"],
        "urgent_from": ["lead"],
    }
    assert as_admin(*change, "--urgent-from", "", "--json").json["quiet"]["urgent_from"] == []
    assert "nobody" in as_admin("agent", "show", "pat").out
    assert "every person" in as_admin(*change, "--urgent-from-people").out
    assert as_admin(*change, "--no-quiet", "--zone", "UTC").code == 2
    assert "quiet" not in as_admin(*change, "--no-quiet").out


def test_a_person_sets_its_own_quiet_hours_and_nothing_else_of_anybody(as_admin, act_as):
    pat, sam = act_as("pat", "person"), act_as("sam")
    as_admin("agent", "add", "otto", "--compartments", "apart")
    words = ("--quiet", "22:00-07:00", "--zone", "Europe/Berlin", "--urgent-from", "sam")
    changed = pat("agent", "change", "pat", *words)
    assert changed.code == 0, changed.err
    assert "22:00-07:00 in Europe/Berlin" in changed.out
    assert "sam" in changed.out
    for who, what in (
        (pat, ("pat", "--quiet", "on", "--display-name", "boss")),
        (pat, ("pat", "--compartments", "apart")),
        (pat, ("sam", "--quiet", "on", "--zone", "UTC")),
        (pat, ("nobody", "--no-quiet")),
        (sam, ("sam", "--quiet", "on", "--zone", "UTC")),
    ):
        refused = who("agent", "change", *what)
        assert refused.code == 4, what
    assert (
        "its own quiet hours, and nothing else" in pat("agent", "change", "sam", "--no-quiet").err
    )
    unseen = pat("agent", "change", "pat", "--urgent-from", "otto").err
    assert unseen == pat("agent", "change", "pat", "--urgent-from", "zzzz").err.replace(
        "zzzz", "otto"
    )
    shown = as_admin("agent", "show", "pat", "--json").json
    assert (shown["quiet"]["windows"], shown["compartments"]) == (["22:00-07:00"], ["open"])
    assert pat("agent", "change", "pat", "--no-quiet").code == 0
    assert as_admin("agent", "show", "pat", "--json").json["quiet"] is None
