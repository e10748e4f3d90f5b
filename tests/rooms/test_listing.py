"""Finding a message without its id: the newest ones, those of somebody, those of a thread."""

from __future__ import annotations

import pytest

from bus.errors import NotFoundError
from bus.mail import listing_queries
from bus.mail import service as mail


def find(house, reader, **wanted):
    with house.store.read() as conn:
        return mail.list_messages(conn, house.principal(reader), mail.Wanted(**wanted))


def ids(page):
    return [one["id"] for one in page["messages"]]


@pytest.fixture
def said(house):
    """Send five messages: three between alice and bob, two that charlie writes to charlie."""
    sent = []
    for sender, to in (
        *(("alice", "bob"), ("bob", "alice")),
        *(("charlie", "charlie"), ("charlie", "charlie"), ("alice", "bob")),
    ):
        sent.append(house.send(sender, to, subject=f"{sender} {len(sent)}")["id"])
        house.clock.advance(1)
    return sent


def test_the_newest_come_first_and_nothing_of_others_is_among_them(house, said):
    assert ids(find(house, "alice")) == [said[4], said[1], said[0]]
    assert ids(find(house, "charlie")) == [said[3], said[2]]


def test_pages_follow_on_each_other_without_a_gap(house, said):
    first = find(house, "alice", limit=2)
    assert ids(first) == [said[4], said[1]]
    rest = find(house, "alice", limit=2, below=first["next"])
    assert ids(rest) == [said[0]]
    assert rest["next"] is None


def test_one_finds_what_somebody_sent_or_got(house, said):
    assert ids(find(house, "alice", who="bob")) == [said[4], said[1], said[0]]
    with pytest.raises(NotFoundError):
        find(house, "alice", who="charlie")


def test_a_message_to_several_is_one_line_with_each_of_its_deliveries(house):
    house.send("alice", "alice", "bob")
    (one,) = find(house, "alice")["messages"]
    assert [(each["to"], each["state"]) for each in one["deliveries"]] == [
        ("alice", "queued"),
        ("bob", "queued"),
    ]
    assert "body" not in one


def test_a_thread_is_listed_by_itself(house, said):
    thread = find(house, "alice")["messages"][-1]["thread"]
    assert ids(find(house, "alice", thread=thread)) == [said[0]]
    assert ids(find(house, "charlie", thread=thread)) == []


def test_a_thread_is_known_by_its_newest_message_to_those_who_may_see_it(house, said):
    thread = find(house, "alice")["messages"][0]["thread"]
    with house.store.read() as conn:
        mine, others = (
            mail.name_threads(conn, house.principal(who), [thread, "t_none"])
            for who in ("alice", "charlie")
        )
    assert mine[thread]["id"] == said[4]
    assert (list(mine), others) == ([thread], {})
    house.send("bob", "alice", in_reply_to=said[4])
    with house.store.read() as conn:
        after = mail.name_threads(conn, house.principal("alice"), [thread])
    assert after[thread]["subject"] == "alice 4"  # the answer has none


@pytest.mark.sqlite_only("the words of its plans")
@pytest.mark.parametrize(
    ("statement", "values"),
    [
        (listing_queries.BELOW, {"below": "n", "most": 9}),
        (listing_queries.OF_THREAD, {"thread": "t", "most": 9}),
    ],
    ids=("newest", "thread"),
)
def test_a_list_is_read_by_an_index_and_not_sorted(house, statement, values):
    with house.store.read() as conn:
        text, given = statement.written(conn, values)
        rows = conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", tuple(given)).all()
    plan = [row.detail for row in rows]
    assert not any(one.startswith("SCAN") and "INDEX" not in one for one in plan), plan
    # Those of one millisecond may be: `RIGHT PART`.
    assert not any("TEMP B-TREE FOR ORDER" in one for one in plan), plan
