"""What must hold after every step, whatever came before: one function a promise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailmodel import ENDS, MOST_ATTEMPTS, Copy

from bus.wakes import service as wakes

if TYPE_CHECKING:
    from groundtruth import Truth
    from mailmodel import MailModel
    from mortalhouse import MortalHouse

WAITING = ("queued", "notified", "woken")
STATES = ("held", *WAITING, "read", *ENDS)


def take_in_notes(model: MailModel, truth: Truth) -> None:
    """Only the bus itself may have written what no sender knows of."""
    for key, row in truth.deliveries.items():
        if key in model.copies:
            continue
        assert row.from_name is None, f"nobody was told that this was accepted: {row}"
        assert not (row.type == "DELAYED" and row.wakes), "a note of delay wakes"
        note = Copy(
            *key, None, row.type, row.body, row.priority, row.thread, answers=row.in_reply_to
        )
        model.add(note)


def nothing_is_lost(model: MailModel, truth: Truth, before_ms: int) -> None:
    """What was accepted is there, unless all of its message ended before a time."""
    for key in set(model.copies) - set(truth.deliveries):
        siblings = [one for one in model.copies.values() if one.message == key[0]]
        assert all(one.ended and one.ended_ms < before_ms for one in siblings), key
        del model.copies[key]
    assert set(truth.deliveries) == set(model.copies)


def each_is_in_one_state(model: MailModel, truth: Truth, now_ms: int) -> None:
    """A state is a true one, ends stay, and nothing was handed over before its time."""
    for key, row in truth.deliveries.items():
        copy = model.copies[key]
        assert row.state in STATES, row
        assert row.last_rung == row.state, row
        assert (row.ended_ms is not None) == (row.state in ENDS), row
        assert (row.state == "read") == (row.lease_until_ms is not None), row
        assert (row.seq is None) == (row.queued_ms is None), row
        assert copy.ended in {"", row.state}, f"an end did not last: {copy} {row}"
        assert row.failed_attempts >= copy.failed, row
        if row.queued_ms is not None:
            assert row.queued_ms >= (copy.deliver_ms or 0), "delivered before its time"
        if not copy.ended and row.ended_ms is not None:
            copy.ended, copy.ended_ms, copy.lease = row.state, now_ms, None
        copy.failed = row.failed_attempts
        assert row.attempt == copy.attempt, "leased, and nobody was given the handle"
        assert (row.state == "held") == bool(copy.held and not copy.ended), (copy, row)
        assert (row.state == "read") == (copy.lease is not None), (copy, row)


def each_failure_is_told_once(model: MailModel) -> None:
    """A delivery that ended without an ack is a message to its sender; nothing else is."""
    for key, copy in model.copies.items():
        failed = copy.sender is not None and copy.ended not in {"", "acked"}
        assert model.told.get(key, 0) == int(failed), copy
        assert model.noted.get(key, 0) <= 1, copy


def a_place_in_the_log_is_given_once(truth: Truth) -> None:
    """Each delivery that is or was deliverable has its own row of the log."""
    places = [row.seq for row in truth.deliveries.values() if row.seq is not None]
    assert len(set(places)) == len(places)
    for row in truth.deliveries.values():
        if row.seq is not None and row.seq > truth.trimmed:
            fact = truth.log[row.seq - truth.trimmed - 1]
            assert (fact.kind, fact.participant_id) == ("message", row.recipient_id)
            assert row.message_id in fact.data


def mail_that_waits_has_a_wake(truth: Truth) -> None:
    """No mail that wants a wake is forgotten, and an open wake is looked at again."""
    for name in ("alice", "bob"):
        wake = truth.open_wake(name)
        assert wake is not None or not truth.waiting(name), f"nobody will wake {name}"
        assert wake is None or wake.due_ms is not None, wake


def counts_are_true(house: MortalHouse, truth: Truth) -> None:
    """What a wake says of pending mail is what a query finds."""
    with house.store.read() as conn:
        shown = [data for _, data in wakes.pending_events(conn, house.node, 0)]
    for wake in shown:
        rows = truth.waiting(wake["to_agent"])
        urgent = sum(row.priority == 0 for row in rows)
        assert wake["pending"] == {"total": len(rows), "urgent": urgent}
    asked = [one for one in truth.wakes.values() if not one.closed_ms and one.state != "paused"]
    assert {one["wake_id"] for one in shown} == {one.id for one in asked}


def all_that_was_due_is_done(truth: Truth, now_ms: int) -> None:
    """After the keeper's round nothing is over its time."""
    for row in truth.deliveries.values():
        if row.ended_ms is None:
            assert row.state != "read" or row.lease_until_ms > now_ms, row
            assert row.state == "read" or (row.expires_ms or now_ms + 1) > now_ms, row
            if row.state == "held":
                early = (row.deliver_ms or 0) > now_ms
                assert early or row.thread in truth.holds, f"held for nothing: {row}"
            assert row.failed_attempts < MOST_ATTEMPTS, row
    for wake in truth.wakes.values():
        assert wake.closed_ms or wake.due_ms > now_ms, wake
