"""Who is in a session, what is said there, and how far each has read."""

from __future__ import annotations

import pytest
from sessionhouse import places

from bus.errors import ApartError, InvalidRequestError, TakesRunsError, UnknownRecipientError
from bus.sessions import service
from bus.sessions.model import OUTPUT, Word


def test_what_is_said_is_there_for_all_in_its_order_without_gaps(talk):
    session = talk.create("pia", "paul", "ann")
    for at, who in enumerate(("pia", "ann", "paul", "pia")):
        assert talk.say(who, session, f"word {at}")["place"] == at + 1
    for who in ("pia", "paul", "ann"):
        assert talk.bodies(who, session) == ["word 0", "word 1", "word 2", "word 3"]
    assert places(talk.entries("ann", session)) == [1, 2, 3, 4]


def test_an_agent_begins_a_session_with_a_person_who_finds_it_unread(talk):
    session = talk.create("ann", "pia", title="three changes to look at")
    talk.say("ann", session, "they wait for you")
    (listed,) = talk.listed("pia")
    assert (listed["session_id"], listed["title"]) == (session, "three changes to look at")
    assert (listed["unread"], listed["last"]["preview"]) == (1, "they wait for you")
    assert (listed["last"]["from"], listed["by"]) == ("ann", "ann")
    assert [fact["what"] for fact in talk.facts("session", "pia")] == ["created"]
    assert [fact["preview"] for fact in talk.facts("entry", "pia")] == ["they wait for you"]


def test_a_cursor_follows_its_person_and_never_goes_back(talk):
    session = talk.create("pia", "paul")
    for at in range(5):
        talk.say("paul", session, f"word {at}")
    assert talk.unread("pia", session) == 5
    assert talk.cursor("pia", session, 3) == {"session_id": session, "cursor": 3, "unread": 2}
    assert talk.cursor("pia", session, 1)["cursor"] == 3
    assert talk.unread("paul", session) == 0  # what one says oneself is read, where all before was
    moved = [fact for fact in talk.facts("session", "pia") if fact["what"] == "cursor"]
    assert [(fact["place"], fact["unread"]) for fact in moved] == [(3, 2)]
    assert not [fact for fact in talk.facts("session", "paul") if fact["what"] == "cursor"]
    with pytest.raises(InvalidRequestError, match="0 to 5"):
        talk.cursor("pia", session, 6)


def test_a_word_said_before_all_was_read_leaves_the_rest_unread(talk):
    session = talk.create("pia", "paul")
    talk.say("paul", session, "one")
    talk.say("pia", session, "two")
    assert (talk.unread("pia", session), talk.unread("paul", session)) == (2, 1)


def test_pages_go_back_and_forth_over_a_long_session(talk):
    session = talk.create("pia", "paul")
    for at in range(25):
        talk.say("paul", session, f"word {at}")
    assert places(talk.entries("pia", session, limit=10)) == [*range(16, 26)]
    assert places(talk.entries("pia", session, limit=10, before=16)) == [*range(6, 16)]
    assert places(talk.entries("pia", session, limit=10, after=20)) == [*range(21, 26)]
    assert places(talk.entries("pia", session, limit=10, after=0)) == [*range(1, 11)]
    assert talk.entries("pia", session, limit=10, before=1) == []


def test_who_is_invited_is_in_and_what_was_said_before_is_read_but_not_unread(talk):
    session = talk.create("pia", "ann")
    talk.say("pia", session, "long ago")
    assert talk.invite("pia", session, "paul", "ann")["invited"] == ["paul"]
    assert talk.bodies("paul", session) == ["long ago", "pia invited paul"]
    assert talk.unread("paul", session) == 1
    note = talk.entries("paul", session)[-1]
    assert (note["kind"], note["from"], note["trust"]) == ("note", "wakebus", "system")
    assert note["data"] == {"what": "invited", "by": "pia", "who": ["paul"]}
    assert talk.invite("pia", session, "paul") == {
        "session_id": session,
        "invited": [],
        "already": ["paul"],
    }
    assert len(talk.bodies("pia", session)) == 2


def test_who_left_sees_nothing_more_and_goes_on_where_it_was_when_it_comes_back(talk):
    session = talk.create("pia", "paul", "ann")
    talk.say("pia", session, "one")
    talk.cursor("paul", session, 1)
    talk.leave("paul", session)
    talk.say("pia", session, "two")
    assert talk.code_of(lambda: talk.entries("paul", session)) == "not_found"
    assert talk.listed("paul") == []
    assert talk.names("pia", session) == ["ann", "pia"]
    left = [fact for fact in talk.facts("session", "paul") if fact["what"] == "left"]
    assert [(fact["by"], fact["who"]) for fact in left] == [("paul", "paul")]
    assert "two" not in str(talk.facts("entry", "paul"))
    talk.invite("pia", session, "paul")
    assert talk.show("paul", session)["cursor"] == 1
    assert talk.bodies("paul", session, after=1) == ["paul left", "two", "pia invited paul"]


def test_only_a_person_or_who_made_it_removes_another(talk):
    session = talk.create("ann", "ben", "pia", "paul")
    assert talk.code_of(lambda: talk.leave("ben", session, "paul")) == "forbidden"
    talk.leave("pia", session, "paul")
    talk.leave("ann", session, "ben")
    assert talk.names("pia", session) == ["ann", "pia"]
    assert talk.bodies("pia", session) == ["pia removed paul", "ann removed ben"]


def test_a_closed_session_takes_nothing_until_it_is_opened_again(talk):
    session = talk.create("pia", "paul")
    talk.say("pia", session, "one")
    assert talk.change("paul", session, state="closed")["state"] == "closed"
    for refused in (
        lambda: talk.say("pia", session, "two"),
        lambda: talk.invite("pia", session, "ann"),
        lambda: talk.change("pia", session, title="another"),
    ):
        assert talk.code_of(refused) == "session_closed"
    assert talk.bodies("pia", session) == ["one", "paul closed the session"]
    talk.change("pia", session, state="open")
    assert talk.say("pia", session, "two")["place"] == 4
    whats = [fact["what"] for fact in talk.facts("session", "pia")]
    assert whats == ["created", "closed", "reopened"]
    assert [one["session_id"] for one in talk.listed("pia", state="open")] == [session]
    assert talk.listed("pia", state="closed") == []


def test_one_can_leave_what_is_closed(talk):
    session = talk.create("pia", "paul")
    talk.change("pia", session, state="closed")
    talk.leave("paul", session)
    assert talk.names("pia", session) == ["pia"]
    assert talk.bodies("pia", session) == ["pia closed the session"]


def test_another_title_is_noted_in_quotes(talk):
    session = talk.create("pia", "paul")
    talk.change("paul", session, title='the "shed"')
    assert talk.show("pia", session)["title"] == 'the "shed"'
    assert talk.bodies("pia", session) == ["""paul renamed it to "the 'shed'\""""]


def test_only_who_may_know_of_each_other_come_together(talk):
    talk.add("both", kind="person", compartments=["open", "apart"])
    session = talk.create("both", "cora")
    with pytest.raises(ApartError, match="cora and ann share no compartment"):
        talk.invite("both", session, "ann")
    with pytest.raises(ApartError, match="share no compartment"):
        talk.create("both", "cora", "ann")
    with pytest.raises(UnknownRecipientError, match="'cora'"):
        talk.create("pia", "cora")
    with pytest.raises(TakesRunsError, match="wim is a worker"):
        talk.create("pia", "wim")
    assert talk.names("both", session) == ["both", "cora"]
    assert talk.code_of(lambda: talk.create("wim", "pia")) == "forbidden"


def test_who_comes_into_other_compartments_is_out_of_where_not_all_see_it(talk):
    session, other = talk.create("pia", "paul", "ann"), talk.create("pia", "paul")
    talk.say("paul", session, "still here")
    talk.put_in("ann", "apart")
    assert talk.names("pia", session) == ["paul", "pia"]
    assert talk.code_of(lambda: talk.entries("ann", session)) == "not_found"
    assert "taken out" in talk.bodies("pia", session)[-1]
    assert talk.bodies("pia", other) == []


def test_who_is_removed_from_the_bus_is_in_no_session_and_its_words_stay(talk):
    session = talk.create("pia", "ann")
    talk.say("ann", session, "my last word")
    talk.remove("ann")
    assert talk.names("pia", session) == ["pia"]
    assert talk.bodies("pia", session) == ["my last word", "ann was removed from the bus"]
    assert talk.entries("pia", session)[0]["from"] == "ann"


def test_who_is_renamed_stays_in_its_sessions_under_the_new_name(talk):
    session = talk.create("pia", "ann")
    talk.say("ann", session, "one")
    talk.rename("ann", "anna")
    assert talk.names("pia", session) == ["anna", "pia"]
    assert talk.entries("pia", session)[0]["from"] == "anna"
    assert talk.say("pia", session, "@anna look")["deliveries"][0]["to"] == "anna"


def test_a_repeated_key_says_a_thing_once(talk):
    from bus.mail.service import Key  # noqa: PLC0415

    session = talk.create("pia", "paul")
    key = Key("person:1", "entries", "k", "h")
    first = talk.say("pia", session, "one", key=key)
    again = talk.say("pia", session, "one", key=key)
    assert (first["deduplicated"], again["deduplicated"]) == (False, True)
    assert first["entry_id"] == again["entry_id"]
    assert talk.bodies("pia", session) == ["one"]


def test_the_latest_session_is_listed_first_and_pages_go_on(talk):
    first, second, third = (talk.create("pia", "paul", title=f"t{at}") for at in range(3))
    talk.house.clock.advance(1)
    talk.say("paul", first, "anew")
    order = [one["session_id"] for one in talk.listed("pia")]
    assert order == [first, third, second]
    assert [one["session_id"] for one in talk.listed("pia", limit=1)] == [first]
    rest = talk.listed("pia", limit=5, after=first)
    assert [one["session_id"] for one in rest] == [third, second]
    assert talk.listed("pia")[0]["participants"] == ["paul", "pia"]


def test_an_answer_names_what_it_answers_only_where_that_was_said_here(talk):
    session, other = talk.create("pia", "paul"), talk.create("pia", "paul")
    one = talk.say("pia", session, "one")["entry_id"]
    talk.say("paul", session, "to that", in_reply_to=one)
    assert talk.entries("pia", session)[-1]["in_reply_to"] == one
    with pytest.raises(InvalidRequestError, match="of this session"):
        talk.say("paul", other, "to that", in_reply_to=one)


def test_an_entry_that_ends_later_keeps_its_place_and_tells_the_streams_again(talk):
    session = talk.create("pia", "ann")
    me = talk.house.principal("ann").participant_id

    def begin(tx):
        row = service.get(tx.conn, session)
        return service.write_entry(tx, row, me, Word(OUTPUT, "", {"state": "open"})).entry.id

    entry_id = talk.write(begin)
    talk.say("pia", session, "meanwhile")
    talk.write(
        lambda tx: service.change_entry(
            tx,
            service.get(tx.conn, session),
            entry_id,
            body="the whole text",
            data={"state": "closed"},
        )
    )
    entry = talk.entries("pia", session)[0]
    assert (entry["place"], entry["body"], entry["data"]) == (
        1,
        "the whole text",
        {"state": "closed"},
    )
    told = [(fact["place"], fact["state"]) for fact in talk.facts("entry", "pia")]
    assert told == [(1, "open"), (2, None), (1, "closed")]


def test_a_session_has_so_many_in_it_and_one_is_in_so_many_sessions(talk):
    from dataclasses import replace  # noqa: PLC0415

    tools = talk.house.store.writer._tools
    tools.config = replace(tools.config, max_participants=2, max_sessions=2)
    session = talk.create("pia", "paul")
    assert talk.code_of(lambda: talk.invite("pia", session, "ann")) == "too_many_participants"
    talk.create("pia", "ann")
    assert talk.code_of(lambda: talk.create("pia", "ben")) == "too_many_sessions"
    talk.leave("pia", session)
    talk.create("pia", "ben")
