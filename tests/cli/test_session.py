"""Sessions by the command line, for people and for scripts."""

from __future__ import annotations

import json
import re
import subprocess

import pytest
from commandline import BUS


@pytest.fixture
def two(act_as):
    return act_as("ann"), act_as("pia", "person")


@pytest.fixture
def boat(two):
    ann, _ = two
    return ann("session", "new", "Paint the boat", "pia", "--json").json["session_id"]


def test_an_agent_begins_a_session_and_each_step_says_what_comes_next(two):
    ann, pia = two
    made = ann("session", "new", "Paint the boat", "pia")
    session = made.out.split()[0]
    assert f"bus session say {session} TEXT" in made.out
    said = ann("session", "say", session, stdin="the sails\nare torn\n")
    assert re.fullmatch(r"e_\w{26}  entry 1\n", said.out)
    listed = pia("session", "list").out
    assert listed.splitlines()[1].split()[:4] == [session, "1", "1", "open"]
    assert "Paint the boat" in listed
    read = pia("session", "read", session).out
    assert re.search(r"^1  ann  20\d\d-", read, re.MULTILINE)
    assert "  | the sails\n  | are torn\n" in read
    assert pia("session", "read", session).out == "nothing unread\n"
    assert "  ann queued\n" in pia("session", "say", session, "buy new ones").out
    assert "buy new ones" in ann("inbox").out
    shown = pia("session", "show", session).out
    assert "open, 2 entries" in shown
    for line in (r"ann +named +away +turn +1", r"pia +person +away +- +-"):
        assert re.search(f"^{line}", shown, re.MULTILINE), shown


def test_reading_for_a_model_or_with_keep_takes_nothing_as_read(two, boat):
    ann, pia = two
    pia("session", "say", boat, "hello")
    for options in (("--text",), ("--keep",)):
        for _ in range(2):
            assert "hello" in ann("session", "read", boat, *options).out
    assert "<<<wakebus " in ann("session", "read", boat, "--text").out


def test_who_is_in_it_and_what_it_is_called_changes_by_a_word(two, boat, act_as):
    ann, pia = two
    act_as("ben")
    assert ann("session", "invite", boat, "ben", "pia").out == (
        "ben: in it now\npia: in it already\n"
    )
    assert pia("session", "wake", boat, "ben", "always").out == "ben is woken by always\n"
    assert pia("session", "leave", boat, "ben").out == "ben is in it no more\n"
    assert pia("session", "rename", boat, "the sails").out == f"{boat}: open, the sails\n"
    assert pia("session", "close", boat).out == f"{boat}: closed, the sails\n"
    refused = ann("session", "say", boat, "one more")
    assert refused.code != 0
    assert f"bus session reopen {boat}" in refused.err
    assert ann("session", "list").out.startswith("no sessions")
    assert boat in ann("session", "list", "--state", "closed").out
    assert ann("session", "reopen", boat).code == 0
    assert ann("session", "leave", boat).out == "ann is in it no more\n"
    assert "no session" in ann("session", "show", boat).err


def test_what_was_said_is_found_and_what_cannot_be_says_why(two, boat):
    ann, pia = two
    ann("session", "say", boat, "the sails are torn")
    ann("session", "say", boat, "the mast is whole")
    found = pia("session", "search", "sails").out
    assert f"{boat}  1  ann" in found
    assert "  | the sails are torn" in found
    assert "mast" not in found
    assert pia("session", "search", "nothing", "--in", boat).out == "nothing found\n"
    assert "mast" in pia("session", "search", "--", "the", "-sails").out
    assert "quotation mark" in pia("session", "search", '"sails').err
    assert "there is no word to look for" in pia("session", "search", "--", "-sails").err


def test_a_session_goes_into_a_file_and_comes_out_of_it(two, boat, tmp_path, monkeypatch):
    ann, pia = two
    monkeypatch.chdir(tmp_path)
    ann("session", "say", boat, "the sails\x1b[2J are torn")
    assert pia("session", "export", boat).out.startswith(f"{boat}.jsonl  (")
    file = tmp_path / f"{boat}.jsonl"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_bytes().isascii()
    assert "is there already" in pia("session", "export", boat).err
    assert pia("session", "export", boat, "-").out.count("\n") == 4
    taken = pia("session", "import", str(file))
    new, count = re.match(r"(s_\w{26})  (\d) entries\n", taken.out).groups()
    assert (new != boat, count) == (True, "1")
    assert "1  ann (imported)" in pia("session", "show", new).out
    file.write_text("{}\n")
    wrong = pia("session", "import", str(file))
    assert wrong.code != 0
    assert "line 1 is not right" in wrong.err


def test_who_follows_a_session_sees_each_word_once_over_a_restart_of_the_bus(two, boat, bus):
    ann, pia = two
    ann("session", "say", boat, "one")
    following = subprocess.Popen(
        [BUS, "session", "show", boat, "--follow", "--json"],
        env=pia.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert next_body(following) == "one"
        ann("session", "say", boat, "two")
        assert next_body(following) == "two"
        bus.stop()
        bus.start()
        ann("session", "say", boat, "three")
        assert next_body(following) == "three"
    finally:
        following.terminate()
        following.communicate()


def next_body(following):
    return json.loads(following.stdout.readline())["body"]


def test_a_session_is_completed_by_its_id(two, boat):
    _, pia = two
    words = {
        "COMP_WORDS": "bus session show s_",
        "COMP_CWORD": "3",
        "_BUS_COMPLETE": "bash_complete",
    }
    assert boat in pia(**words).out
