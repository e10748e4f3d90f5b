"""What is said word by word: an entry from the first word on, whole at its end, and told then."""

from __future__ import annotations

import json

import pytest

from bus.errors import (
    InvalidRequestError,
    NotFoundError,
    SessionClosedError,
    StaleEpochError,
    StreamClosedError,
)
from bus.mail import render
from bus.mail import service as mail
from bus.sessions import outputs
from bus.sessions.model import OutputAsk
from bus.streams import service as streams
from bus.streams.model import Append, Fork, Producer

TEXT = "text/plain"


@pytest.fixture
def speak(talk):
    return Speaking(talk)


class Speaking:
    """Says things word by word."""

    def __init__(self, talk):
        self.talk = talk

    def begin(self, who, session, key="", **more):
        me, wanted = self.talk.house.principal(who), OutputAsk(key, **more)
        return self.talk.write(lambda tx: outputs.open_output(tx, me, session, wanted)).shown

    def add(self, who, shown, text, *, seq=None, epoch=None, closes=False):
        me = self.talk.house.principal(who)
        producer = None if seq is None else Producer("watcher", epoch or 0, seq)
        wanted = Append(text.encode(), TEXT if text else None, closes=closes, producer=producer)
        return self.talk.write(lambda tx: streams.append_by(tx, me, shown["stream"], wanted))

    def end(self, who, session, shown, failure=None, epoch=None):
        me, entry = self.talk.house.principal(who), shown["entry_id"]
        return self.talk.write(
            lambda tx: outputs.end_output(tx, me, session, entry, failure, epoch)
        )

    def entry(self, session, who="pia"):
        (found,) = [one for one in self.talk.entries(who, session) if one["kind"] == "output"]
        return found


def test_an_output_is_an_entry_from_the_first_word_and_has_its_text_at_the_end(talk, speak):
    session = talk.create("pia", "paul", "ann")
    shown = speak.begin("ann", session)
    before = speak.entry(session)
    assert (before["body"], before["data"]["state"]) == ("", "open")
    speak.add("ann", shown, "The boat ")
    speak.add("ann", shown, "is painted.", closes=True)
    after = speak.entry(session)
    assert after["body"] == "The boat is painted."
    assert after["data"] == {"stream": shown["stream"], "state": "closed", "bytes": 20}
    assert after["place"] == before["place"] == 1
    told = [fact["state"] for fact in talk.facts("entry", "paul")]
    assert told == ["open", "closed"]


def test_what_was_said_word_by_word_is_found_by_its_words(talk, speak):
    session = talk.create("pia", "ann")
    shown = speak.begin("ann", session)
    speak.add("ann", shown, "The mizzen is torn.", closes=True)
    assert talk.count_word("mizzen") == 1


def test_agents_are_told_when_it_is_whole_and_not_before(talk, speak):
    session = talk.create("pia", "ann", ("ben", "always"))
    shown = speak.begin("ann", session)
    speak.add("ann", shown, "First, ")
    assert talk.mail_of("ben") == []
    speak.add("ann", shown, "the sails.", closes=True)
    assert talk.mail_of("ben") == ["First, the sails."]


def test_people_who_are_away_hear_of_it_when_there_is_something_to_read(talk, speak):
    heard = []
    hooks = talk.house.store.hooks
    hooks.on(
        "session_entry",
        lambda _tx, entry, person_ids, **_: heard.append((entry.body, len(person_ids))),
    )
    session = talk.create("pia", "paul", "ann")
    shown = speak.begin("ann", session)
    assert heard == []
    speak.add("ann", shown, "Done.", closes=True)
    assert heard == [("Done.", 2)]


def test_an_agent_that_is_named_in_it_is_told_and_no_other(talk, speak):
    session = talk.create("pia", "ann", ("ben", "mention"))
    for text in ("@ben, your turn.", "nobody is meant"):
        shown = speak.begin("ann", session)
        speak.add("ann", shown, text, closes=True)
    assert talk.mail_of("ben") == ["@ben, your turn."]


def test_one_that_broke_off_keeps_what_was_said_and_why(talk, speak):
    session = talk.create("pia", "ann", ("ben", "always"))
    shown = speak.begin("ann", session)
    speak.add("ann", shown, "I beg")
    speak.end("ann", session, shown, failure="the gateway is away")
    entry = speak.entry(session)
    assert entry["body"] == "I beg"
    assert (entry["data"]["state"], entry["data"]["reason"]) == ("failed", "the gateway is away")
    assert talk.mail_of("ben") == []
    assert speak.end("ann", session, shown)["state"] == "failed", "its end is its end"


def test_nobody_heard_any_more_is_said_so_once_the_lease_is_over(talk, speak):
    session = talk.create("pia", "ann")
    shown = speak.begin("ann", session, lease_s=30)
    speak.add("ann", shown, "Let me th")
    talk.house.pass_time(29)
    assert speak.entry(session)["data"]["state"] == "open"
    talk.house.pass_time(2)
    entry = speak.entry(session)
    assert (entry["body"], entry["data"]["state"]) == ("Let me th", "died")
    with pytest.raises(StreamClosedError):
        speak.add("ann", shown, "ink.")


def test_the_same_turn_goes_on_with_its_output_under_the_next_epoch(talk, speak):
    session = talk.create("pia", "ann")
    first = speak.begin("ann", session, key="w_1")
    assert (first["epoch"], first["bytes"]) == (0, 0)
    speak.add("ann", first, "One", seq=0, epoch=first["epoch"])
    again = speak.begin("ann", session, key="w_1")
    assert again["entry_id"] == first["entry_id"]
    assert (again["epoch"], again["bytes"]) == (1, 3)
    speak.add("ann", again, ", two", seq=0, epoch=1)
    with pytest.raises(StaleEpochError):
        speak.add("ann", first, " and a half", seq=1, epoch=0)
    with pytest.raises(StaleEpochError):
        speak.end("ann", session, first, failure="an old life", epoch=0)
    speak.add("ann", again, ".", seq=1, epoch=1, closes=True)
    assert speak.entry(session)["body"] == "One, two."


def test_a_turn_that_was_said_whole_is_not_said_again(talk, speak):
    session = talk.create("pia", "ann")
    shown = speak.begin("ann", session, key="w_1")
    speak.add("ann", shown, "All of it.", closes=True)
    again = speak.begin("ann", session, key="w_1")
    assert (again["entry_id"], again["state"]) == (shown["entry_id"], "closed")


def test_a_turn_whose_output_died_is_said_on_in_another(talk, speak):
    session = talk.create("pia", "ann")
    first = speak.begin("ann", session, key="w_1", lease_s=10)
    talk.house.pass_time(11)
    assert speak.begin("ann", session, key="w_1")["entry_id"] != first["entry_id"]


def test_going_on_makes_nothing_where_nothing_was_begun(talk, speak):
    session = talk.create("pia", "ann")
    with pytest.raises(NotFoundError):
        speak.begin("ann", session, key="w_1", resumes=True)
    assert talk.entries("pia", session) == []


def test_only_who_is_in_a_session_reads_along(talk, speak):
    session = talk.create("pia", "ann")
    shown = speak.begin("ann", session)
    with talk.house.store.read() as conn:
        hooks, now = talk.house.store.hooks, talk.house.clock.now_ms()
        for who in ("pia", "ann"):
            assert streams.find_readable(
                conn, hooks, talk.house.principal(who), shown["stream"], now
            )
        for who in ("paul", "ben", "cat"):
            with pytest.raises(NotFoundError):
                streams.find_readable(conn, hooks, talk.house.principal(who), shown["stream"], now)


def test_others_and_closed_sessions_take_no_output(talk, speak):
    session = talk.create("pia", "ann")
    with pytest.raises(NotFoundError):
        speak.begin("ben", session)
    talk.change("pia", session, state="closed")
    with pytest.raises(SessionClosedError):
        speak.begin("ann", session)


def test_a_session_that_is_closed_meanwhile_still_hears_the_end(talk, speak):
    session = talk.create("pia", "ann")
    shown = speak.begin("ann", session)
    talk.change("pia", session, state="closed")
    speak.add("ann", shown, "Just this.", closes=True)
    assert speak.entry(session)["body"] == "Just this."


def test_who_goes_out_of_a_session_says_no_more_there(talk, speak):
    session = talk.create("pia", "ann")
    shown = speak.begin("ann", session)
    speak.add("ann", shown, "As I said")
    talk.leave("pia", session, "ann")
    with pytest.raises(NotFoundError):
        speak.add("ann", shown, ", more.")
    entry = speak.entry(session)
    assert (entry["body"], entry["data"]["state"]) == ("As I said", "failed")
    assert entry["data"]["reason"] == "ann is no longer in the session"


def test_a_copy_of_what_is_said_keeps_nobody_in_a_session_and_goes_with_who_made_it(talk, speak):
    session = talk.create("pia", "ann", "ben")
    shown = speak.begin("ann", session)
    ben, copy = talk.house.principal("ben"), streams.Wanted(TEXT, fork=Fork(shown["stream"]))
    talk.write(lambda tx: streams.put(tx, ben, "copy", copy, b"of ben"))
    talk.leave("pia", session, "ben")
    assert talk.names("pia", session) == ["ann", "pia"]
    with talk.house.store.read() as conn:
        assert streams.find_stream(conn, "copy") is None
    speak.add("ann", shown, "Still mine.", closes=True)
    assert speak.entry(session)["body"] == "Still mine."


def test_nobody_takes_the_place_of_a_stream_that_is_over_and_so_speaks_as_its_author(talk, speak):
    session = talk.create("pia", "ann", "ben")
    first, second = speak.begin("ann", session), speak.begin("ben", session)
    speak.add("ann", first, "No.", closes=True)
    ann, ben = talk.house.principal("ann"), talk.house.principal("ben")
    talk.write(lambda tx: streams.delete_by(tx, ann, first["stream"]))
    for wanted in (streams.Wanted(TEXT), streams.Wanted(TEXT, fork=Fork(second["stream"]))):
        with pytest.raises(InvalidRequestError, match="the id of an entry"):
            talk.write(lambda tx, w=wanted: streams.put(tx, ben, first["stream"], w, b"Yes."))
    assert talk.bodies("pia", session)[0] == "No."


def test_who_went_out_of_a_session_reads_no_more_what_they_said_there(talk, speak):
    session = talk.create("pia", "ann")
    shown = speak.begin("ann", session)
    speak.add("ann", shown, "As I said")
    talk.leave("ann", session)
    with talk.house.store.read() as conn:
        hooks, now = talk.house.store.hooks, talk.house.clock.now_ms()
        with pytest.raises(NotFoundError):
            streams.find_readable(conn, hooks, talk.house.principal("ann"), shown["stream"], now)


def test_a_text_that_is_too_long_for_an_entry_is_whole_in_its_stream(talk, speak):
    session = talk.create("pia", "ann")
    most = talk.house.store.config.max_body_bytes
    shown = speak.begin("ann", session)
    for _ in range(3):
        speak.add("ann", shown, "x" * (most // 2))
    speak.end("ann", session, shown)
    entry = speak.entry(session)
    assert (len(entry["body"]), entry["data"]["cut"]) == (most, True)
    assert entry["data"]["bytes"] == 3 * (most // 2)
    talk.house.pass_time(2 * outputs.KEPT_S)
    assert stream_of(talk, shown) is not None


def copy(talk, who, shown, name, **wanted):
    """Fork a stream of a session."""
    fork = streams.Wanted(TEXT, fork=Fork(shown["stream"]), **wanted)
    talk.write(lambda tx: streams.put(tx, talk.house.principal(who), name, fork, b""))


def test_who_has_copied_what_is_said_goes_out_of_the_session_like_anybody(talk, speak):
    session = talk.create("pia", "paul", "ann")
    copy(talk, "paul", speak.begin("ann", session), "copy")
    talk.leave("pia", session, "paul")
    assert talk.names("pia", session) == ["ann", "pia"]


def test_what_a_session_kept_of_its_streams_goes_with_it_and_with_what_was_forked(talk, speak):
    session, kept = talk.create("pia", "ann"), talk.create("pia", "ann")
    shown, other = (speak.begin("ann", one, lease_s=3600) for one in (session, kept))
    too_long = "x" * (talk.house.store.config.max_body_bytes + 1)
    for one in (shown, other):
        speak.add("ann", one, too_long, closes=True)  # the stream alone has all of it: it stays
    copy(talk, "pia", shown, "copy")
    for name in ("ann", "pia"):
        talk.leave(name, session)
    talk.house.clock.advance(talk.house.store.config.retention_s + 1)
    for call in talk.house.store.hooks.called("prune") * 4:
        talk.write(call)
    assert talk.count("SELECT count(*) FROM sessions") == 1
    assert talk.count("SELECT count(*) FROM streams") == 1
    assert stream_of(talk, other) is not None


def test_the_stream_of_a_whole_text_goes_after_a_while(talk, speak):
    session = talk.create("pia", "ann")
    shown = speak.begin("ann", session, lease_s=30)
    speak.add("ann", shown, "Short.", closes=True)
    died = speak.begin("ann", session, lease_s=30)
    talk.house.pass_time(60)
    assert stream_of(talk, shown) is not None
    talk.house.pass_time(outputs.KEPT_S + 60)
    assert (stream_of(talk, shown), stream_of(talk, died)) == (None, None)
    assert talk.bodies("pia", session) == ["Short.", ""]


def stream_of(talk, shown):
    with talk.house.store.read() as conn:
        return streams.find_stream(conn, shown["stream"])


# -------------------------------------------------------------------- the turn that says it


@pytest.fixture
def awake(talk):
    """Alice, who is on a node, in a session with pia; gives the session."""
    return talk.create("pia", "alice")


def wake_of(talk):
    (wake,) = talk.house.open_wakes()
    return wake


def test_a_wake_names_the_session_that_all_of_it_is_of(talk, awake):
    talk.say("pia", awake, "one")
    talk.say("pia", awake, "two")
    wake = wake_of(talk)
    assert wake["session"] == awake
    answer = talk.house.report(wake["wake_id"], "received")
    assert answer["session"] == awake
    assert "by no command" in answer["shown_text"]
    assert "answer where a reply is wanted" in " ".join(answer["text"].split())


def test_a_wake_that_is_for_anything_else_too_names_none(talk, awake):
    talk.say("pia", awake, "one")
    talk.house.send("bob", "alice")
    wake = wake_of(talk)
    answer = talk.house.report(wake["wake_id"], "received")
    assert (answer["session"], answer["shown_text"]) == (None, None)


def test_a_wake_for_two_sessions_names_none(talk, awake):
    other = talk.create("pia", "alice", title="another")
    talk.say("pia", awake, "one")
    talk.say("pia", other, "two")
    wake = wake_of(talk)
    assert talk.house.report(wake["wake_id"], "received")["session"] is None


def test_a_wake_for_a_session_that_was_closed_or_left_names_none(talk, awake):
    talk.say("pia", awake, "one")
    wake = wake_of(talk)
    talk.change("pia", awake, state="closed")
    assert talk.house.report(wake["wake_id"], "received")["session"] is None
    talk.change("pia", awake, state="open")
    assert talk.house.report(wake["wake_id"], "received")["session"] == awake
    talk.leave("alice", awake)
    assert talk.house.report(wake["wake_id"], "received")["session"] is None


def begin_shown(talk, session):
    """Have a turn begin that is heard in a session; gives its wake."""
    wake = wake_of(talk)["wake_id"]
    talk.house.report(wake, "received")
    talk.house.report(wake, "admitted", turn_id="t", shown=True)
    return wake


def test_a_turn_that_is_heard_reads_nothing_that_others_must_not_hear(talk, awake):
    talk.say("pia", awake, "how is it going?")
    wake = begin_shown(talk, awake)
    talk.house.send("bob", "alice", body="a secret")
    (item,) = talk.house.read("alice")
    assert (item.body, item.is_shown) == ("how is it going?", True)
    talk.house.ack("alice", item.handle)
    assert talk.house.read("alice") == []
    talk.house.report(wake, "ended")
    next_wake = wake_of(talk)["wake_id"]
    assert next_wake != wake
    talk.house.report(next_wake, "received")
    talk.house.report(next_wake, "admitted", turn_id="t2")
    (item,) = talk.house.read("alice")
    assert (item.body, item.is_shown) == ("a secret", False)


def test_the_next_life_of_a_watcher_is_told_the_session_its_turn_began_with(talk, awake):
    talk.say("pia", awake, "how is it going?")
    wake = begin_shown(talk, awake)
    talk.house.send("bob", "alice")
    answer = talk.house.report(wake, "received")
    assert (answer["session"], answer["turn_id"]) == (awake, "t")


def test_an_item_of_a_turn_that_is_heard_says_how_to_answer(talk, awake):
    talk.say("pia", awake, "how is it going?")
    begin_shown(talk, awake)
    text = " ".join(text_of(talk, "alice").split())
    assert "answer: say it in this turn" in text
    assert "ack only: " in text
    assert "echo 'YOUR" not in text


def test_an_item_of_any_other_turn_says_how_to_answer_by_a_command(talk, awake):
    talk.say("pia", awake, "how is it going?")
    wake = wake_of(talk)["wake_id"]
    talk.house.report(wake, "received")
    talk.house.report(wake, "admitted", turn_id="t")
    assert "answer in the session and ack: echo" in text_of(talk, "alice")


def text_of(talk, name):
    house = talk.house
    items = house.read(name)
    with house.store.read() as conn:
        found = mail.find_talks(conn, house.store.hooks, house.principal(name), items)
    reader = render.Reader(name, "http://bus", "/h")
    return render.to_text_page(found, 0, reader, "mark")


def test_what_waits_is_shown_to_its_reader_with_its_session(talk, awake):
    talk.say("pia", awake, "one")
    wake = wake_of(talk)
    assert json.dumps(wake).count(awake) == 1
