"""What is removed with time, and what a reader of the log is told of it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import sqlalchemy as sa

from bus.live import reader as reading
from bus.live.audience import audience_of
from bus.mail import service as mail
from bus.mail.keeping import BATCH
from bus.mail.model import Draft
from bus.store.log import read_between, read_bounds
from bus.store.schema import deliveries, idempotency, ladder, messages
from bus.wakes import keeper

WEEK_S, DAY_S = 604_800, 86_400


def clean(house):
    while house.store.write(keeper.keep_house):
        pass


def count(house, table):
    with house.store.read() as conn:
        return conn.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def bounds(house):
    with house.store.read() as conn:
        return read_bounds(conn)


def events_after(house, name, seq):
    with house.store.read() as conn:
        return [
            row.seq for row in read_between(conn, seq, 10_000, audience_of(house.principal(name)))
        ]


def ack_all(house, name):
    for item in house.read(name):
        house.ack(name, item.handle)


def test_mail_that_ended_is_kept_a_week_and_then_removed_with_its_ladder(house):
    sent = house.send("alice", "bob")
    ack_all(house, "bob")
    house.pass_time(WEEK_S)
    clean(house)
    assert house.trace("alice", sent["id"])["state"] == "acked"
    house.pass_time(1)
    clean(house)
    assert [count(house, table) for table in (messages, deliveries, ladder)] == [0, 0, 0]


def test_a_message_is_kept_as_long_as_one_copy_is_open(house):
    sent = house.send("alice", "bob", "alice")
    ack_all(house, "bob")
    house.pass_time(2 * WEEK_S)
    clean(house)
    assert house.trace("alice", sent["id"])["state"] == "acked"
    assert "MESSAGE" in [item.row.type for item in house.read("alice")]


def test_mail_that_nobody_reads_is_never_removed(house):
    house.send("alice", "bob", body="still here")
    house.pass_time(10 * WEEK_S)
    clean(house)
    assert [item.body for item in house.read("bob")] == ["still here"]


def test_an_answer_outlives_what_it_answers(house):
    first = house.send("alice", "bob")
    (item,) = house.read("bob")
    house.send("bob", "alice", in_reply_to=first["id"], body="the answer")
    house.ack("bob", item.handle)
    house.pass_time(WEEK_S + 1)
    clean(house)
    answer = next(one for one in house.read("alice") if one.body == "the answer")
    assert answer.row.in_reply_to == first["id"]
    assert house.trace("alice", answer.row.message_id)["state"] == "read"


def test_a_key_is_kept_a_day_and_is_then_another_message(house):
    key = mail.Key("agent:1", "send", "k", "hash")
    first = house.send("alice", "bob", key=key)
    house.pass_time(DAY_S)
    clean(house)
    assert house.send("alice", "bob", key=key)["id"] == first["id"]
    house.pass_time(1)
    clean(house)
    assert count(house, idempotency) == 0
    assert house.send("alice", "bob", key=key)["id"] != first["id"]


def test_the_log_is_trimmed_from_its_beginning_and_keeps_its_head(house):
    house.send("alice", "bob")
    house.pass_time(WEEK_S // 2)
    house.send("alice", "bob")
    kept = house.log("message")[-1].seq
    house.pass_time(WEEK_S // 2 + 60)
    before = bounds(house)
    clean(house)
    after = bounds(house)
    assert 0 < after.oldest < kept
    assert (after.head, after.epoch) == (before.head, before.epoch)
    assert events_after(house, "bob", after.oldest) == [kept]


def test_a_log_of_which_everything_is_old_goes_on_at_its_number(house):
    house.send("alice", "bob")
    ack_all(house, "bob")
    house.pass_time(2 * WEEK_S)
    clean(house)
    head = bounds(house).head
    house.send("alice", "bob")
    assert events_after(house, "bob", head) == [head + 1]


def place(house, seq, epoch=None):
    now = bounds(house)
    return reading.place(f"{epoch or now.epoch}-{seq}", now)


def test_a_cursor_at_the_trimmed_edge_loses_nothing_and_one_below_it_is_a_gap(house):
    house.send("alice", "bob")
    house.pass_time(2 * WEEK_S)
    house.send("alice", "bob")
    kept = house.log("message")[-1].seq
    clean(house)
    edge = bounds(house).oldest
    assert edge > 0
    assert place(house, edge) == (edge, "")
    assert events_after(house, "bob", edge) == [kept]
    assert place(house, edge - 1) == (None, "the log before this was trimmed")


def test_a_cursor_of_another_epoch_or_of_the_future_is_a_gap(house):
    house.send("alice", "bob")
    head = bounds(house).head
    assert place(house, head) == (head, "")
    assert place(house, head + 1)[1] == "the cursor is ahead of the log"
    assert "another epoch" in place(house, head, epoch="another")[1]


def frames(house, name, cursor):
    """Read how a stream begins: what it says before the first new event."""
    run = SimpleNamespace(store=house.store, clock=house.clock, config=house.store.config)
    start = reading.Start(cursor, *reading.place(cursor, bounds(house)), bounds(house))
    at = start.bounds.head if start.at is None else start.at
    who = house.principal(name)
    reader = reading.Reader(run, who, None, at, start.bounds.epoch, 0.0)
    return b"".join(reading.begin(reader, start)).decode()


def test_a_reader_over_a_gap_is_told_and_gets_what_is_pending(house):
    old = f"{bounds(house).epoch}-1"
    sent = house.send("alice", "bob")
    house.pass_time(2 * WEEK_S)
    clean(house)
    said = frames(house, "bob", old)
    assert [line for line in said.splitlines() if line.startswith("event:")] == [
        "event: hello",
        "event: gap",
        "event: message",
        "event: ready",
    ]
    assert sent["id"] in said
    assert f"id: {bounds(house).epoch}-{bounds(house).head}" in said


def test_wakes_of_long_ago_are_removed_and_their_numbers_not_given_again(house):
    house.send("alice", "bob")
    first = house.open_wakes()[0]["generation"]
    ack_all(house, "bob")
    house.pass_time(2 * WEEK_S)
    clean(house)
    house.send("alice", "bob")
    assert house.open_wakes()[0]["generation"] > first


def test_more_than_a_batch_is_removed_in_one_round(house):
    tools = house.store.writer._tools
    tools.config = replace(tools.config, max_inbox=1000, guard_burst=1000)
    many = [Draft(to=("bob",), body="x")] * (BATCH + 5)
    who = house.principal("alice")
    house.store.write(lambda tx: mail.send(tx, who, many, batch=True, key=None))
    for item in house.read("bob", limit=1000):
        house.ack("bob", item.handle)
    house.pass_time(WEEK_S + 1)
    clean(house)
    assert count(house, messages) == 0
