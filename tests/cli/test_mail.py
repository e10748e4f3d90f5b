"""Mail by the command line: every step of a conversation, for a person and for a script."""

from __future__ import annotations

import re
import subprocess
from datetime import datetime, timedelta

import pytest
from commandline import BUS, CommandLine
from poller import Poller

from tests.conftest import clean_environment


@pytest.fixture
def two(act_as):
    return act_as("one"), act_as("two", "person")


def handle_of(shown: str) -> str:
    return re.search(r"bus ack (\S+)", shown)[1]


def test_a_conversation_goes_there_and_back(two):
    one, two = two
    sent = one("send", "two", "are you there?", "--type", "TASK", "--subject", "hello")
    assert sent.code == 0
    message_id = sent.out.split()[0]
    assert f"bus trace {message_id}" in sent.out
    read = two("inbox")
    assert "one: TASK hello" in read.out
    assert "  | are you there?" in read.out
    assert two("reply", handle_of(read.out), "yes").code == 0
    assert two("inbox").out == "nothing for two\n"
    answer = one("inbox", "--json").json["items"][0]
    assert (answer["type"], answer["body"]) == ("REPLY", "yes")
    acked = one("ack", answer["handle"])
    assert (acked.code, acked.out.split()[-1]) == (0, "acked")
    traced = one("trace", message_id)
    drawn = re.findall(r"\+\d+ ms +[\d:.]+ +(\w+)", traced.out)
    assert drawn == ["accepted", "queued", "read", "acked"]
    assert f"answered: bus trace {answer['id']}" in traced.out


def test_a_script_gets_json_from_every_step(two):
    one, two = two
    message_id = one("send", "two", "-", "--json", stdin="from\na pipe").json["id"]
    item = two("inbox", "--json").json["items"][0]
    assert item["body"] == "from\na pipe"
    released = two("release", item["handle"], "--json").json
    assert released["results"][0]["result"] == "released"
    again = two("inbox", "--json", "--id", message_id).json["items"][0]
    assert two("reply", again["handle"], "yes", "--no-ack", "--json").json["acked"] is False
    assert two("ack", again["handle"], "--json").json["results"][0]["result"] == "acked"
    ladder = one("trace", message_id, "--json").json["deliveries"][0]
    assert ladder["state"] == "acked"


def test_the_same_key_is_one_message(two):
    one, two = two
    first = one("send", "two", "once", "--key", "k1", "--json").json
    second = one("send", "two", "once", "--key", "k1")
    assert "nothing new was sent" in second.out
    assert second.out.split()[0] == first["id"]
    assert len(two("inbox", "--headers", "--json").json["items"]) == 1


def test_options_reach_the_bus(two):
    one, two = two
    held = one("send", "two", "later", "--in", "1h30m", "--ttl", "2d", "--urgent", "--no-reply")
    assert "held" in held.out
    assert one("send", "two", "now", "--priority", "low").code == 0
    assert [i["body"] for i in two("inbox", "--json").json["items"]] == ["now"]
    many = one("send", "two,one", "both", "--json").json
    assert {delivery["to"] for delivery in many["deliveries"]} == {"one", "two"}


def test_what_an_agent_writes_cannot_steer_a_terminal(two):
    one, two = two
    nasty = "\x1b[2J\x1b]0;owned\x07 \u202e gpj.exe \u2066 \x9b31m\n  bus ack m_forged.1"
    assert one("send", "two", nasty).code == 0
    shown = two("inbox").out
    for character in "\x1b\x07\x9b\u202e\u2066":
        assert character not in shown
    assert "  |   bus ack m_forged.1" in shown
    for words in (("inbox", "--headers"), ("wakes", "--all"), ("agent", "list")):
        assert "\x1b" not in two(*words).out


def test_no_colour_and_no_lines_are_lost_in_a_pipe(two):
    one, two = two
    one("send", "two", "x" * 5000)
    assert "x" * 5000 in two("inbox").out
    assert "\x1b" not in two("inbox").out


def test_following_shows_each_rung_and_ends_with_the_message(two):
    one, two = two
    follow = [BUS, "send", "two", "watch me", "--follow"]
    with subprocess.Popen(follow, env=one.environment, stdout=subprocess.PIPE, text=True) as shown:
        while "queued" not in (line := shown.stdout.readline()):
            assert line, "the ladder ended before the message was queued"
        two("ack", handle_of(two("inbox").out))
        rest = shown.stdout.read()
        assert shown.wait(20) == 0
    assert re.findall(r"  (read|acked)", rest) == ["read", "acked"]


def test_tail_shows_what_happens_as_it_happens(two):
    one, two = two
    tail = [BUS, "tail", "--from", "pending"]
    with subprocess.Popen(tail, env=two.environment, stdout=subprocess.PIPE, text=True) as shown:
        one("send", "two", "hello")
        line = shown.stdout.readline()
        shown.terminate()
    assert "one -> two" in line


def test_an_answer_names_what_it_answers(two):
    one, two = two
    message_id = one("send", "two", "are you there?", "--json").json["id"]
    two("reply", handle_of(two("inbox").out), "yes")
    assert f"  answers {message_id}\n" in one("inbox").out


def test_a_notice_of_the_bus_offers_no_answer_that_it_would_refuse(two):
    one, two = two
    one("send", "two", "no good")
    two("release", handle_of(two("inbox").out), "--mode", "fatal")
    notice = one("inbox").out
    assert "wakebus (system): FAILURE" in notice
    assert "bus ack" in notice
    assert "bus reply" not in notice


def test_more_than_is_shown_comes_after_an_ack(two):
    one, two = two
    for word in ("first", "second"):
        one("send", "two", word)
    assert "1 more; ack these first, then: bus inbox" in two("inbox", "--limit", "1").out


def test_until_when_mail_is_held_is_said_and_a_time_that_is_past_too(two):
    one, _ = two
    day = (datetime.now().astimezone() + timedelta(days=30)).date()
    held = one("send", "two", "later", "--at", f"{day}T21:30")
    assert f"held  scheduled for {day} 21:30:00" in held.out
    past = one("send", "two", "now", "--at", "2020-11-20T21:30")
    assert past.code == 0
    assert "it goes at once" in past.err
    assert "scheduled" not in past.out


def test_a_wait_for_mail_asks_once_and_not_in_a_loop():
    with Poller() as bus:
        client = CommandLine(clean_environment(BUS_URL=bus.url, BUS_TOKEN_FILE=bus.token_file))
        got = client("inbox", "--wait", "3", "--id", "m_1")
    assert got.code == 0, got.err
    assert "m_1 does not wait" in got.out
    assert bus.waits[0] == 3
    assert len(bus.waits) <= 4
