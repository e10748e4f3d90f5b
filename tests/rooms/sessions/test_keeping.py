"""What time and comings do to sessions: briefs, who is there, and what nobody is in any more."""

from __future__ import annotations

from bus.sections import Span
from bus.sessions import briefing, keeping, seeing


def told(talk, who):
    config = talk.house.store.config
    span = Span(0, talk.house.clock.now_ms(), 50, config)
    with talk.house.store.read() as conn:
        (section,) = briefing.tell(conn, talk.house.principal(who), span)
    return [entry.text for entry in section.entries]


def test_a_brief_tells_of_what_is_unread_and_of_nothing_else(talk):
    session, other = talk.create("pia", "paul", title='a "boat"'), talk.create("pia", "paul")
    talk.say("paul", session, "the sails\nare torn")
    talk.say("pia", other, "mine")
    (text,) = told(talk, "pia")
    assert text == f"""1 unread in "a 'boat'" ({session}), the last: paul "the sails are torn\""""
    assert len(told(talk, "paul")) == 1
    assert told(talk, "ben") == []
    talk.cursor("pia", session, 1)
    assert told(talk, "pia") == []


def test_those_in_a_session_with_somebody_hear_once_that_they_came(talk):
    talk.create("pia", "paul", "ann")
    talk.create("pia", "paul")
    closed = talk.create("pia", "ben")
    talk.change("pia", closed, state="closed")
    me = talk.house.principal("pia").participant_id
    with talk.house.store.read() as conn:
        assert seeing.has_company(conn, me)
        assert not seeing.has_company(conn, talk.house.principal("ben").participant_id)
    talk.write(lambda tx: seeing.on_seen(tx, me, True))
    for name, times in (("paul", 1), ("ann", 1), ("ben", 0), ("pia", 0)):
        facts = [one for one in talk.facts("session", name) if one["what"] == "presence"]
        assert [(one["who"], one["online"]) for one in facts] == [("pia", True)] * times


def prune(talk):
    while talk.write(keeping.prune):
        pass


def test_a_session_goes_with_its_words_when_nobody_was_in_it_for_the_retention(talk, monkeypatch):
    monkeypatch.setattr(keeping, "AT_ONCE", 2)
    session, kept = talk.create("pia", "paul"), talk.create("paul")
    for at in range(5):
        talk.say("pia", session, f"word {at}")
    talk.leave("pia", session)
    talk.house.clock.advance(2 * talk.house.store.config.retention_s)
    prune(talk)
    assert len(talk.bodies("paul", session)) == 6  # somebody is in it
    talk.leave("paul", session)
    prune(talk)
    assert talk.count("SELECT count(*) FROM sessions") == 2
    talk.house.clock.advance(talk.house.store.config.retention_s + 1)
    prune(talk)
    assert talk.count("SELECT count(*) FROM sessions") == 1
    assert talk.count("SELECT count(*) FROM entries") == 0
    assert talk.count_word("word") == 0
    assert talk.names("paul", kept) == ["paul"]
