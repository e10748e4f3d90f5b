"""Sessions over a real bus: several people and an agent, changed devices, kills and restarts."""

from __future__ import annotations

import json
import signal
import sys
import threading
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

AT_ONCE = 8
ECHO = "import sys; print('I heard: ' + sys.stdin.read().split('begin: data')[1].splitlines()[2])"


@pytest.fixture
def people(bus):
    return {name: bus.add(name, "person") for name in ("pia", "paul")} | {"ann": bus.add("ann")}


def create(bus, token, *others, title="paint the boat"):
    body = {"title": title, "participants": list(others)}
    status, answer = bus.call(token, "POST", "/api/sessions", body)
    assert status == 201, answer
    return f"/api/sessions/{answer['session_id']}"


def say(bus, token, session, text, **more):
    status, answer = bus.call(token, "POST", f"{session}/entries", {"body": text}, **more)
    assert status == 201, answer
    return answer


def entries(bus, token, session, query="limit=200"):
    status, answer = bus.call(token, "GET", f"{session}/entries?{query}")
    assert status == 200, answer
    return answer["entries"]


@contextmanager
def events(bus, token, cursor="now"):
    """Open a stream; gives what reads its next event of a kind: its id and its data."""
    request = urllib.request.Request(f"{bus.url}/api/stream?last_event_id={cursor}")
    request.add_header("Authorization", f"Bearer {token}")
    with urllib.request.urlopen(request, timeout=60) as stream:

        def read(kind):
            name = number = ""
            for line in stream:
                key, _, value = line.decode().rstrip("\n").partition(": ")
                name, number = (value, number) if key == "event" else (name, number)
                number = value if key == "id" else number
                if key == "data" and name == kind:
                    return number, json.loads(value)
            raise AssertionError(f"the stream ended without {kind}")

        read("hello")
        yield read


def test_all_who_speak_at_once_stand_in_one_order_that_everybody_sees(bus):
    tokens = {name: bus.add(name, "person") for name in (f"p{at}" for at in range(AT_ONCE))}
    session = create(bus, tokens["p0"], *[name for name in tokens if name != "p0"])
    line = threading.Barrier(AT_ONCE)

    def talk(name):
        line.wait(20)
        return [say(bus, tokens[name], session, f"{name} {at}")["place"] for at in range(5)]

    with ThreadPoolExecutor(AT_ONCE) as pool:
        said = list(pool.map(talk, tokens))
    assert sorted(place for places in said for place in places) == [*range(1, 5 * AT_ONCE + 1)]
    assert all(places == sorted(places) for places in said)
    seen = [entries(bus, token, session) for token in tokens.values()]
    assert all(one == seen[0] for one in seen)
    assert [entry["place"] for entry in seen[0]] == [*range(1, 5 * AT_ONCE + 1)]


def test_what_is_read_on_one_device_is_read_on_the_other(bus, people):
    session = create(bus, people["pia"], "paul")
    phone = bus.call(bus.admin, "POST", "/api/tokens", {"kind": "person", "subject": "pia"})[1]
    for at in range(3):
        say(bus, people["paul"], session, f"word {at}")
    with events(bus, phone["token"]) as read:
        assert bus.call(people["pia"], "POST", f"{session}/cursor", {"place": 2})[0] == 200
        while (told := read("session")[1])["what"] != "cursor":
            pass
        assert (told["place"], told["unread"]) == (2, 1)
    listed = bus.call(phone["token"], "GET", "/api/sessions")[1]["sessions"]
    assert [one["unread"] for one in listed] == [1]
    back = bus.call(phone["token"], "POST", f"{session}/cursor", {"place": 1})[1]
    assert back["cursor"] == 2


def test_who_was_away_hears_all_that_was_said_once_over_a_kill_of_the_bus(bus, people):
    session = create(bus, people["pia"], "paul")
    with events(bus, people["paul"]) as read:
        say(bus, people["pia"], session, "one")
        cursor, told = read("entry")
        assert told["preview"] == "one"
    say(bus, people["pia"], session, "two")
    bus.stop(signal.SIGKILL)
    bus.start()
    with events(bus, people["paul"], cursor) as read:
        assert read("entry")[1]["preview"] == "two"
        say(bus, people["pia"], session, "three")
        assert read("entry")[1]["preview"] == "three"
    assert [entry["place"] for entry in entries(bus, people["paul"], session)] == [1, 2, 3]


def test_what_is_said_again_under_one_key_after_a_kill_is_said_once_with_its_mail(bus, people):
    session = create(bus, people["pia"], "ann")
    first = say(bus, people["pia"], session, "@ann look", Idempotency_Key="k1")
    bus.stop(signal.SIGKILL)
    bus.start()
    again = say(bus, people["pia"], session, "@ann look", Idempotency_Key="k1")
    assert (again["entry_id"], again["deduplicated"]) == (first["entry_id"], True)
    assert len(entries(bus, people["pia"], session)) == 1
    items = bus.call(people["ann"], "GET", "/api/inbox")[1]["items"]
    assert [item["body"] for item in items] == ["@ann look"]


def test_an_agent_finds_in_its_inbox_where_it_was_said_and_answers_with_curl_alone(bus, people):
    session = create(bus, people["pia"], "ann", title="the boat")
    say(bus, people["pia"], session, "what is left to do?")
    (item,) = bus.call(people["ann"], "GET", "/api/inbox")[1]["items"]
    session_id = session.rpartition("/")[2]
    assert item["type"] == "SESSION"
    assert item["session"] == {"id": session_id, "place": 1, "title": "the boat", "unread": 1}
    assert f"{session}/entries" in item["commands"]["missed"]
    status, text = bus.call(people["ann"], "GET", "/api/inbox", Accept="text/plain")
    for words in (
        f"; session {session_id}, entry 1",
        "title of the session: the boat",
        "answer in the session and ack: echo",
        "read what you missed (1 unread): curl",
        "say something else to all in it: echo",
    ):
        assert words in text, text
    missed = bus.call(people["ann"], "GET", f"{session}/entries", Accept="text/plain")[1]
    assert "what is left to do?" in missed
    assert f"{session}/entries?ack=1'" in missed
    request = urllib.request.Request(
        f"{bus.url}{session}/entries?ack=1", "the sails, \u00e4nd".encode(), method="POST"
    )
    request.add_header("Authorization", f"Bearer {people['ann']}")
    request.add_header("Content-Type", "application/x-www-form-urlencoded")  # as curl does
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert json.loads(answer.read())["place"] == 2
    assert entries(bus, people["pia"], session)[-1]["body"] == "the sails, \u00e4nd"
    status, shown = bus.call(people["ann"], "GET", session)
    assert (status, shown["unread"]) == (200, 0)


def test_a_program_that_is_woken_by_a_session_answers_there_once(bus, people, tmp_path):
    tokens = bus.add_node("one", tmp_path / "node", {"bot": [sys.executable, "-c", ECHO]})
    session = create(bus, people["pia"], "bot")
    with events(bus, people["pia"]) as read:
        say(bus, people["pia"], session, "are you there?")
        while not ((told := read("entry")[1])["from"] == "bot" and told["preview"]):
            pass  # what it says is seen from its first word, and told whole at its end
    assert told["preview"] == "I heard: are you there?"
    said = [(one["from"], one["place"]) for one in entries(bus, tokens["bot"], session)]
    assert said == [("pia", 1), ("bot", 2)]
    assert bus.call(people["pia"], "GET", "/api/inbox")[1]["items"] == []


def test_those_in_a_session_hear_who_comes(bus, people):
    session = create(bus, people["pia"], "paul")

    def online():
        there = bus.call(people["paul"], "GET", session)[1]["participants"]
        return {one["name"]: one["online"] for one in there}

    with events(bus, people["paul"]) as read:
        assert online() == {"paul": True, "pia": False}
        with events(bus, people["pia"]):
            while (told := read("session")[1])["what"] != "presence":
                pass
            assert (told["who"], told["online"], told["session"]) == ("pia", True, None)
            assert online() == {"paul": True, "pia": True}


def test_a_long_session_comes_out_as_one_file_and_goes_in_again(bus, people):
    session = create(bus, people["pia"], "paul", title="the boat")
    lines = [{"wakebus": "session", "version": 1, "title": "long"}]
    entry = {"at": "2026-01-01T10:00:00Z", "kind": "message", "from": "zoe", "body": "hello"}
    lines += [{"entry": entry | {"body": f"word {at}"}} for at in range(3000)]
    file = "\n".join(map(json.dumps, lines)).encode()
    request = urllib.request.Request(f"{bus.url}/api/sessions/import", file, method="POST")
    request.add_header("Authorization", f"Bearer {people['pia']}")
    with urllib.request.urlopen(request, timeout=60) as answer:
        taken = json.loads(answer.read())
    assert taken["imported"] == 3000
    status, text = bus.call(people["pia"], "GET", f"/api/sessions/{taken['session_id']}/export")
    assert status == 200
    assert [json.loads(line)["entry"]["body"] for line in text.splitlines()[2:-1]] == [
        f"word {at}" for at in range(3000)
    ]
    assert bus.call(people["paul"], "GET", f"{session}/export")[0] == 200


REFUSED = [
    (b"\xff\xfe", {"Content-Type": "text/plain"}),
    (b"  \n", {"Content-Type": "text/plain"}),
    (b'{"body": "x", "kind": "note"}', {"Content-Type": "application/json"}),
    (b'{"body": "x", "author": "pia"}', {"Content-Type": "application/json"}),
    (b'{"body": "x", "ack": -1}', {"Content-Type": "application/json"}),
    (b'{"body": "x", "ack": 7}', {"Content-Type": "application/json"}),
    (b'{"body": "x", "in_reply_to": "e_1"}', {"Content-Type": "application/json"}),
]


def test_what_cannot_be_said_is_refused_and_leaves_nothing(bus, people):
    session = create(bus, people["pia"], "paul")
    for body, headers in REFUSED:
        url = f"{bus.url}{session}/entries"
        request = urllib.request.Request(url, body, headers, method="POST")
        request.add_header("Authorization", f"Bearer {people['pia']}")
        with pytest.raises(urllib.error.HTTPError) as refused, refused_closes(refused):
            urllib.request.urlopen(request, timeout=60)
        assert entries(bus, people["pia"], session) == [], body


@contextmanager
def refused_closes(refused):
    """Close the answer of a refusal, once it is known."""
    try:
        yield
    finally:
        error = sys.exc_info()[1]
        assert error is not None
        assert error.code == 400
        error.close()
        del refused
