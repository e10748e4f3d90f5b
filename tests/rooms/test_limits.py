"""Each limit refuses by its own name, drops nothing, and says when to try again."""

from __future__ import annotations

from dataclasses import replace

import gevent
import pytest

from bus.clock import ManualClock
from bus.directory import service as directory
from bus.errors import InboxFullError, RateLimitedError, StorageBusyError, WriterShareError
from bus.mail import service as mail
from bus.mail.model import Draft
from bus.web.limits import Limits
from tests import engine


def add_group(house, *members):
    house.store.write(lambda tx: directory.set_group(tx, "team", list(members), new=True))


def fill(house, *, leaving=0):
    for _ in range(5 - leaving):
        house.send("alice", "bob")


def open_mail(house, name):
    return house.read(name, limit=100)


def test_a_list_with_one_full_inbox_is_for_nobody(house):
    house.store.write(lambda tx: directory.add(tx, {"name": "dora"}))
    fill(house)
    with pytest.raises(InboxFullError, match="bob has 5") as refused:
        house.send("alice", "dora", "bob")
    assert refused.value.retry_after_s == 60
    assert open_mail(house, "dora") == []


def test_a_group_with_one_full_inbox_is_for_the_others_and_says_so(house):
    house.store.write(lambda tx: directory.add(tx, {"name": "dora"}))
    add_group(house, "bob", "dora")
    fill(house)
    sent = house.send("alice", "team")
    assert [one["to"] for one in sent["deliveries"]] == ["dora"]
    assert [(one["to"], one["code"]) for one in sent["unreachable"]] == [("bob", "inbox_full")]


def test_a_batch_that_does_not_fit_whole_takes_no_room(house):
    fill(house, leaving=2)
    who, three = house.principal("alice"), [Draft(to=("bob",), body="x")] * 3
    with pytest.raises(InboxFullError):
        house.store.write(lambda tx: mail.send(tx, who, three, batch=True, key=None))
    assert len(open_mail(house, "bob")) == 3
    assert len(house.log("message")) == 3, "a refused message has a place in the log"


def test_senders_at_the_same_time_cannot_fill_an_inbox_over_its_edge(house):
    fill(house, leaving=3)
    sends = [gevent.spawn(house.send, "alice", "bob", body=str(n)) for n in range(10)]
    gevent.joinall(sends)
    refused = [one.exception for one in sends if not one.successful()]
    assert [type(error) for error in refused] == [InboxFullError] * 7
    assert len(open_mail(house, "bob")) == 5


def test_what_is_held_fills_its_senders_share_and_not_the_readers_inbox(house):
    later = house.clock.now_ms() + 60_000
    for _ in range(5):
        house.send("alice", "bob", deliver_ms=later)
    with pytest.raises(InboxFullError, match="5 messages of alice are held"):
        house.send("alice", "bob", deliver_ms=later)
    assert house.send("alice", "bob")["deliveries"][0]["state"] == "queued"
    assert house.send("bob", "alice", deliver_ms=later)["deliveries"][0]["state"] == "held"


def test_scheduled_mail_that_has_come_takes_its_room(house):
    house.send("alice", "bob", deliver_ms=house.clock.now_ms() + 60_000)
    fill(house, leaving=1)
    house.pass_time(60)
    with pytest.raises(InboxFullError):
        house.send("alice", "bob")


def test_room_that_was_made_and_taken_back_is_not_there(house):
    fill(house)
    bob, alice = house.principal("bob"), house.principal("alice")
    handles = [item.handle for item in open_mail(house, "bob")]

    def make_room_and_fail(tx):
        mail.ack(tx, bob, handles)
        mail.send(tx, alice, [Draft(to=("bob",), body="x")], batch=False, key=None)
        raise StorageBusyError

    with pytest.raises(StorageBusyError):
        house.store.write(make_room_and_fail)
    with pytest.raises(InboxFullError):
        house.send("alice", "bob")


def test_an_ack_makes_room(house):
    fill(house)
    house.ack("bob", open_mail(house, "bob")[0].handle)
    assert house.send("alice", "bob")["status"] == "accepted"


def test_what_the_bus_says_of_a_failure_reaches_a_full_inbox(house):
    house.send("alice", "bob", expires_ms=house.clock.now_ms() + 1000)
    for _ in range(5):
        house.send("bob", "alice")
    house.pass_time(2)
    assert "FAILURE" in [item.row.type for item in open_mail(house, "alice")]


@pytest.fixture
def rate():
    clock = ManualClock()
    return Limits(clock, 2, 3), clock


def use_up(limits, who):
    for _ in range(3):
        limits.take(who)


def test_too_many_requests_are_refused_with_the_time_until_the_next(rate):
    limits, clock = rate
    use_up(limits, "agent:1")
    with pytest.raises(RateLimitedError) as refused:
        limits.take("agent:1")
    clock.advance(refused.value.retry_after_s)
    limits.take("agent:1")
    with pytest.raises(RateLimitedError):
        limits.take("agent:1")


def test_one_that_asks_too_much_does_not_cost_the_others(rate):
    limits, _ = rate
    use_up(limits, "agent:1")
    use_up(limits, "agent:2")


def test_a_pause_saves_no_more_than_one_burst(rate):
    limits, clock = rate
    clock.advance(3600)
    use_up(limits, "agent:1")
    with pytest.raises(RateLimitedError):
        limits.take("agent:1")


@pytest.fixture
def stuck(house):
    """A writer whose disk hangs until it is let go, with room for four writes, two of each."""
    tools = house.store.writer._tools
    tools.config = replace(tools.config, writer_queue=4, writer_share=2)
    begun, go = engine.new_gate(), engine.new_gate()

    def hang(_tx):
        begun.set()
        assert go.wait(30)

    writes = [gevent.spawn(house.store.write, hang, is_long=True)]
    while not begun.is_set():
        gevent.sleep(0)
    yield lambda who: queue_up(house, writes, who)
    go.set()
    gevent.joinall(writes, timeout=30, raise_error=True)


def queue_up(house, writes, who):
    """Put a write into the queue, and see it there or refused."""
    one = gevent.spawn(house.store.write, lambda _tx: who, who)
    before = house.store.writer.depth
    while house.store.writer.depth == before and not one.ready():
        gevent.sleep(0)
    if not one.ready():
        writes.append(one)
        return
    one.get()


def test_one_principal_has_only_its_share_of_the_writer(stuck):
    stuck("agent:1")
    stuck("agent:1")
    with pytest.raises(WriterShareError) as refused:
        stuck("agent:1")
    assert refused.value.retry_after_s == 1
    stuck("agent:2")


def test_a_full_queue_is_said_to_everyone(stuck):
    for who in ("agent:1", "agent:2", "agent:3"):
        stuck(who)
    with pytest.raises(StorageBusyError) as refused:
        stuck("agent:4")
    assert refused.value.retry_after_s == 1


def test_several_processes_share_the_places_of_the_queue(stuck, house):
    house.store.writer.sharers = 2
    stuck("agent:1")
    with pytest.raises(StorageBusyError):
        stuck("agent:2")
    house.store.writer.sharers = 9  # each has at least one
    with pytest.raises(StorageBusyError):
        stuck("agent:2")
    house.store.writer.sharers = 1
    stuck("agent:2")


def test_several_processes_share_what_one_principal_may_have_waiting(stuck, house):
    tools = house.store.writer._tools
    tools.config = replace(tools.config, writer_queue=100)
    house.store.writer.sharers = 2
    stuck("agent:1")
    with pytest.raises(WriterShareError):
        stuck("agent:1")
    stuck("agent:2")


def test_a_refused_write_does_not_sink_its_neighbours(house):
    """They may share one COMMIT: what is refused goes, what is accepted stays."""
    fill(house, leaving=1)
    sends = [gevent.spawn(house.send, "alice", to) for to in ("bob", "bob", "alice", "bob")]
    gevent.joinall(sends)
    *to_bob, to_alice = (sends[at].successful() for at in (0, 1, 3, 2))
    assert to_alice
    assert to_bob.count(True) == 1  # whichever came first
    assert len(open_mail(house, "alice")) == 1
