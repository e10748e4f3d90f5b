"""What is said word by word on a real bus: all read along, and nothing is lost or doubled."""

from __future__ import annotations

import signal
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor

from tests.conftest import until
from tests.live.speaking import Reader, make_talk

TALKS = """
import os, sys, time
open(ASKED, "w").write(sys.stdin.read())
for number in range(1, 41):
    print(f"word {number}", flush=True)
    while number == 20 and not os.path.exists(GATE):
        time.sleep(0.01)
"""
SAID = "".join(f"word {number}\n" for number in range(1, 41))


def start_talking(bus, tmp_path):
    """Have an agent be asked who says twenty words, waits, and says twenty more."""
    gate = tmp_path / "gate"
    code = TALKS.replace("GATE", repr(str(gate))).replace("ASKED", repr(str(tmp_path / "asked")))
    program = [sys.executable, "-c", code]
    tokens = bus.add_node("here", tmp_path / "node", {"ann": program})
    talk = make_talk(bus, tokens, "pia", "paul")
    talk.say("pia", "tell us")
    return talk, gate


def test_a_program_is_seen_to_speak_by_everybody_and_is_one_entry_at_the_end(bus, tmp_path):
    talk, gate = start_talking(bus, tmp_path)
    stream = talk.await_output("pia", "open")["data"]["stream"]
    readers = [Reader(talk, who, stream) for who in ("pia", "paul")]
    for one in readers:
        one.await_bytes(len(SAID) // 2 - 20)
    assert talk.await_output("paul", "open")["body"] == ""
    gate.touch()
    assert [one.join().decode() for one in readers] == [SAID, SAID]
    entry = talk.await_output("pia", "closed")
    assert (entry["body"], entry["from"]) == (SAID, "ann")
    assert [one["kind"] for one in talk.entries("paul")] == ["message", "output"]
    assert "answer: say it in this turn" in (tmp_path / "asked").read_text()
    _, inbox = bus.call(talk.tokens["ann"], "GET", "/api/inbox")
    assert inbox["items"] == []


def test_a_bus_that_is_killed_in_mid_sentence_costs_no_word_and_doubles_none(bus, tmp_path):
    talk, gate = start_talking(bus, tmp_path)
    stream = talk.await_output("pia", "open")["data"]["stream"]
    reader = Reader(talk, "paul", stream)
    reader.await_bytes(len("word 1\n"))
    bus.stop(signal.SIGKILL)
    gate.touch()
    bus.start()
    assert reader.join().decode() == SAID
    assert talk.await_output("pia", "closed")["body"] == SAID


def test_two_readers_from_different_places_read_the_same_bytes(bus):
    talk = make_talk(bus, {}, "pia", "paul")
    stream = talk.begin("pia")["stream"]
    first = Reader(talk, "pia", stream)
    assert talk.append("pia", stream, "Grüß dich, ".encode()) == 204
    first.await_bytes(10)
    second = Reader(talk, "paul", stream, offset=first.offsets[-1])
    for word in ("schöner ", "Tag", "."):
        assert talk.append("pia", stream, word.encode()) == 204
    assert talk.append("pia", stream, b"", Stream_Closed="true") == 204
    whole, rest = first.join(), second.join()
    assert whole.decode() == "Grüß dich, schöner Tag."
    assert whole.endswith(rest)
    assert rest.decode() == "schöner Tag."


def test_a_producer_that_is_gone_leaves_an_entry_that_says_so(bus):
    talk = make_talk(bus, {}, "pia", "paul")
    stream = talk.begin("pia", lease_s=10)["stream"]
    assert talk.append("pia", stream, b"I was about to") == 204
    reader = Reader(talk, "paul", stream)
    entry = talk.await_output("paul", "died")
    assert entry["body"] == "I was about to"
    assert reader.join() == b"I was about to"
    assert talk.append("pia", stream, b"say") == 409


def test_nobody_beside_the_session_sees_what_is_said_there(bus):
    talk = make_talk(bus, {}, "pia", "paul")
    stranger = make_talk(bus, {}, "sue", "sam")
    stream = talk.begin("pia")["stream"]
    talk.append("pia", stream, b"a secret")
    assert bus.call(stranger.tokens["sue"], "GET", f"/streams/{stream}")[0] == 404
    assert stranger.append("sue", stream, b"x") == 404
    assert talk.append("paul", stream, b"x") == 403
    assert bus.call(bus.admin, "GET", f"/streams/{stream}")[0] == 403


def test_who_is_taken_out_of_a_session_reads_along_no_further(bus):
    talk = make_talk(bus, {}, "pia", "paul")
    stream = talk.begin("pia")["stream"]
    talk.append("pia", stream, b"for both ")
    path = f"{bus.url}/streams/{stream}?offset=-1&live=sse"
    request = urllib.request.Request(
        path, headers={"Authorization": f"Bearer {talk.tokens['paul']}"}
    )
    with urllib.request.urlopen(request, timeout=40) as followed:
        assert b"for both" in b"".join(followed.readline() for _ in range(2))
        talk.call("pia", "DELETE", "/participants/paul", None, 200)
        assert talk.append("pia", stream, b"for pia alone") == 204
        assert b"for pia" not in followed.read()


def test_who_is_taken_out_of_a_session_waits_there_for_nothing(bus):
    talk = make_talk(bus, {}, "pia", "paul")
    stream = talk.begin("pia")["stream"]
    path = f"/streams/{stream}?offset=now&live=long-poll"
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(bus.call, talk.tokens["paul"], "GET", path)
        until(lambda: is_waiting(bus), 60, "the read waits")
        talk.call("pia", "DELETE", "/participants/paul", None, 200)
        assert waiting.result(30)[0] == 404


def is_waiting(bus):
    return "\nwakebus_streams 1.0\n" in bus.metrics()
