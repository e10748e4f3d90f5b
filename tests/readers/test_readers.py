"""The bus's stream as others read it: browsers, Node, two libraries, fifteen lines of Python."""

from __future__ import annotations

import re
import signal

import pytest

EVENT_SOURCES = ["node", pytest.param("chromium", marks=pytest.mark.browser)]
RESUMING = ["with_urllib.py", "with_httpx_sse.py", *EVENT_SOURCES]
READERS = ["with_article_loop.py", "with_sseclient.py", *RESUMING]
REASON = (
    'řádek\nid: 7-7\n\nevent: bye\ndata: {}\n\n: "\\n"\tfim\u2028\u0085'
    "\U0001f469\u200d\U0001f467 \r\n再試行\nretry: 1\n"
)


def is_last(heard):
    return heard.data.get("type") == "LAST"


def messages(heard):
    return [one.data["id"] for one in heard if "priority" in one.data]


@pytest.mark.parametrize("kind", READERS)
def test_it_hears_every_message_of_a_burst_once_and_in_order(room, listen, kind):
    reader = listen(kind, "bob")
    sent = room.send(100) + room.send(100) + room.send(50) + room.send(1, "LAST")
    heard = reader.hear_until(is_last)
    assert [one.data["id"] for one in heard] == sent
    assert {one.event for one in heard} <= {"message", "own"}
    assert {one.data["to_agent"] for one in heard} == {"bob"}


@pytest.mark.parametrize("kind", READERS)
def test_it_takes_no_comment_for_an_event(impatient_bus, room, listen, kind):
    reader = listen(kind, "bob")
    first = room.send(1)
    room.be_silent(comments=5)
    sent = first + room.send(1, "LAST")
    assert [one.data["id"] for one in reader.hear_until(is_last)] == sent


@pytest.mark.parametrize("kind", READERS)
def test_it_hears_a_reason_to_the_letter_and_nothing_that_the_reason_forges(room, listen, kind):
    reader = listen(kind, "alice")
    (message,) = room.send(1)
    _, inbox = room.bus.call(room.tokens["bob"], "GET", "/api/inbox")
    release = {"handle": inbox["items"][0]["handle"], "mode": "fail", "reason": REASON}
    status, answer = room.bus.call(room.tokens["bob"], "POST", "/api/release", release)
    assert status == 200, answer
    _, kept = room.bus.call(room.tokens["alice"], "GET", f"/api/messages/{message}")
    reasons = [rung["reason"] for rung in kept["deliveries"][0]["ladder"]]
    (reason,) = [reason for reason in reasons if "event: bye data: {}" in reason]
    heard = reader.hear_until(lambda one: one.data.get("reason") == reason)
    assert {one.event for one in heard} <= {"state", "own"}
    assert [one.data["id"] for one in heard] == [message] * len(heard)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=lambda how: how.name)
@pytest.mark.parametrize("kind", RESUMING)
def test_it_misses_nothing_and_hears_nothing_twice_when_the_bus_restarts(room, listen, kind, how):
    reader = listen(kind, "bob")
    sent = room.send(100)
    with reader.away():
        sent += room.send(100)
        room.bus.stop(how)
        room.bus.start()
        sent += room.send(50) + room.send(1, "LAST")
    heard = reader.hear_until(is_last)
    assert messages(heard) == sent
    assert reopened_at(room.bus)


def reopened_at(bus):
    """Give the cursors with which Bob's stream was opened since the last start."""
    log = (bus.data_dir / "bus.log").read_text()
    return re.findall(r"action=stream_opened principal=bob .*cursor=\w+-[0-9]+", log)
