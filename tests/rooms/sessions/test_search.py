"""What was said is found by its words, by those who may read it, whatever they look for."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bus.errors import BusError, InvalidRequestError
from bus.sessions import queries, rules, service
from bus.sessions.model import OUTPUT, Word
from bus.store import words


def found(talk, who, text, session=None, **more):
    given = {"after": None, "limit": 20} | more
    with talk.house.store.read() as conn:
        return service.search(conn, talk.house.principal(who), session, text, **given)


def places_of(answer):
    return [entry["place"] for entry in answer["entries"]]


@pytest.fixture
def boat(talk):
    session = talk.create("pia", "paul", "ann", title="paint the boat")
    for text in (
        "The sails are torn.",
        "Caf\u00e9 at nine? The boat waits.",
        "sailing is not rowing",
        'he said "the sails are dry" to me',
    ):
        talk.say("pia", session, text)
    return session


QUERIES = [
    ("sails", [4, 1]),
    ("SAILS torn", [1]),
    ("sail*", [4, 3, 1]),
    ("cafe", [2]),
    ('"the sails are"', [4, 1]),
    ('"sails the"', []),
    ("sails -dry", [1]),
    ("the -sails -boat", []),
    ("boat OR sails", []),
    ("sails AND torn", []),
    ("NOT sails", []),
    ("body:sails", []),
    ("session_number:1", []),
    ("near(sails torn)", []),
    ("sails*torn", []),
    ("^sails", [4, 1]),
    ("{body} sails", []),
]


@pytest.mark.parametrize(("text", "expected"), QUERIES)
def test_a_search_means_its_words_and_nothing_else(talk, boat, text, expected):
    assert places_of(found(talk, "ann", text)) == expected
    assert places_of(found(talk, "ann", text, boat)) == expected


WRONG = [
    ("", "no word"),
    ("   ", "no word"),
    ("-sails", "no word"),
    ('"sails', "quotation mark"),
    ('sails"torn"', "quotation mark"),
    ("---", "no letter"),
    ('""', "no letter"),
    ("s*", "2 letters"),
    ("a\nb", "one line"),
    ("a\x00b", "one line"),
    ("\ud800", "one line"),
    ("x" * 201, "200 characters"),
    ("ab " * 21, "20 words"),
]


@pytest.mark.parametrize(("text", "why"), WRONG, ids=range(len(WRONG)))
def test_what_cannot_be_looked_for_says_what_is_wrong(talk, boat, text, why):
    with pytest.raises(InvalidRequestError, match=why):
        found(talk, "ann", text, boat)


@given(text=st.text(alphabet=st.sampled_from("ab \"*-:^(){}+'\\,;.%_~\u00e9|[]"), max_size=30))
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_is_an_operator_or_a_fault(talk, boat, text):
    with suppress(InvalidRequestError):
        found(talk, "ann", text, boat)


def test_nobody_finds_what_was_said_where_they_are_not(talk, boat):
    assert found(talk, "ben", "sails") == {"entries": [], "next": None, "sessions": []}
    other = talk.create("ben", "pia")
    talk.say("ben", other, "my sails")
    assert places_of(found(talk, "ben", "sails")) == [1]
    assert len(found(talk, "pia", "sails")["entries"]) == 3
    with pytest.raises(BusError, match="no session"):
        found(talk, "ben", "sails", boat)
    entry = talk.entries("pia", boat)[0]["entry_id"]
    with pytest.raises(InvalidRequestError, match="'after'"):
        found(talk, "ben", "sails", after=entry)
    talk.leave("ann", boat)
    assert found(talk, "ann", "sails")["entries"] == []


def test_a_session_is_found_by_its_title_by_those_in_it(talk, boat):
    assert [one["title"] for one in found(talk, "ann", "BOAT paint")["sessions"]] == [
        "paint the boat"
    ]
    assert found(talk, "ben", "boat")["sessions"] == []


def test_pages_of_a_search_go_on_where_the_last_ended(talk, boat):
    for at in range(25):
        talk.say("paul", boat, f"wave {at}")
    first = found(talk, "ann", "wave", limit=10)
    second = found(talk, "ann", "wave", limit=10, after=first["next"])
    third = found(talk, "ann", "wave", limit=10, after=second["next"])
    all_places = [*places_of(first), *places_of(second), *places_of(third)]
    assert all_places == [*range(29, 4, -1)]
    assert third["next"] is None


def test_a_text_that_is_whole_later_is_found_by_what_it_says_then(talk):
    session = talk.create("pia", "ann")
    me = talk.house.principal("ann").participant_id

    def begin(tx):
        row = service.get(tx.conn, session)
        return service.write_entry(tx, row, me, Word(OUTPUT, "first half", {})).entry.id

    entry = talk.write(begin)
    assert places_of(found(talk, "pia", "half")) == [1]
    talk.write(
        lambda tx: service.change_entry(
            tx, service.get(tx.conn, session), entry, body="the whole of it"
        )
    )
    assert places_of(found(talk, "pia", "half")) == []
    assert places_of(found(talk, "pia", "whole")) == [1]


def test_notes_of_the_bus_are_not_found(talk, boat):
    talk.change("pia", boat, state="closed")
    assert found(talk, "pia", "closed")["entries"] == []


def test_what_is_shown_of_a_find_is_one_harmless_line(talk, boat):
    talk.say("pia", boat, "before\nneedle\x1b[2J\u202e " + "after " * 100)
    (entry,) = found(talk, "paul", "needle")["entries"]
    assert "needle" in entry["snippet"]
    assert len(entry["snippet"]) <= 200
    assert entry["snippet"].isprintable()


@pytest.mark.sqlite_only("the words of its plans")
def test_a_search_reads_the_index_of_words_in_its_order(talk, boat):
    query = words.write_match([1], rules.read_search("sails"))
    with talk.house.store.read() as conn:
        values = {"query": query, "below": 9, "most": 5}
        text, given = words.FOUND.written(conn, values)
        plan = conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", tuple(given)).all()
    details = " / ".join(row.detail for row in plan)
    assert "entries_fts VIRTUAL TABLE INDEX" in details, details
    assert "TEMP B-TREE" not in details, details


PLANS = {
    "NEWEST": "uq_entries_place (session_number=? AND place<?)",
    "OLDEST": "uq_entries_place (session_number=? AND place>?)",
    "ENTRY": "uq_entries_id (id=?)",
    "FIND": "uq_sessions_id (id=?)",
    "OF_SESSION": "(session_number=?)",
    "MEMBER": "(session_number=? AND participant_id=?)",
    "NUMBERS": "ix_session_members_participant (participant_id=?)",
    "BY_REPLY_KEY": "uq_entries_reply_key (reply_key=?)",
}
VALUES = {
    "number": 1, "before": 1, "after": 1, "most": 1, "entry_id": "e", "session_id": "s",
    "participant_id": 1, "key": "k", "preview": 9, "state": "open", "changed_ms": 1, "below": 1,
}  # fmt: skip


@pytest.mark.sqlite_only("the words of its plans")
@pytest.mark.parametrize("name", PLANS)
def test_what_is_read_of_a_session_is_a_place_in_an_index(talk, name):
    assert PLANS[name] in plan_of(talk, getattr(queries, name))


@pytest.mark.sqlite_only("the words of its plans")
@pytest.mark.parametrize("which", queries.LISTS)
def test_a_list_reads_the_readers_own_sessions_and_of_each_the_last_entry(talk, which):
    plan = plan_of(talk, queries.LISTS[which])
    assert "ix_session_members_participant (participant_id=?)" in plan
    assert "uq_entries_place (session_number=? AND place=?)" in plan


def plan_of(talk, statement):
    with talk.house.store.read() as conn:
        text, given = statement.written(conn, VALUES)
        plan = conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", tuple(given)).all()
    return " / ".join(row.detail for row in plan)
