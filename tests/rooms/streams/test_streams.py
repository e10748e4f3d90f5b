"""Durable streams on a real database: what is appended is there once and to the byte."""

from __future__ import annotations

import json
import random

import pytest

from bus.directory import service as directory
from bus.errors import (
    BodyTooLargeError,
    ConflictError,
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    SequenceGapError,
    StaleEpochError,
    StreamClosedError,
    StreamFullError,
    StreamGoneError,
    TooManyDurableError,
)
from bus.live.hub import Hub
from bus.streams import queries, restoring, rules, service
from bus.streams import reading as pages
from bus.streams.following import BYE, Follower
from bus.streams.model import Append, Fork, Offset, Producer, Wanted
from bus.streams.spool import Spool

SETTINGS = {
    "durable_each": 4,
    "durable_append_bytes": 200_000,
    "durable_stream_bytes": 3_000_000,
    "durable_bytes_each": 4_000_000,
}
TEXT = "text/plain"
LONG_CHAIN = 1100
"""More than calls can stand within one another."""


class Shelf:
    """The streams of a house, as its participants use them."""

    def __init__(self, house):
        self.house, self.store = house, house.store
        self.closed = []
        house.store.hooks.on("stream_closed", self.note)

    def note(self, _tx, stream, how):
        self.closed.append((stream.id, how))

    def put(self, who, name, data=b"", **wanted):
        principal = self.house.principal(who)
        wanted = Wanted(**({"content_type": TEXT} | wanted))
        return self.store.write(lambda tx: service.put(tx, principal, name, wanted, data))

    def append(self, who, name, data=b"", **wanted):
        principal, wanted = (
            self.house.principal(who),
            Append(data, **({"content_type": TEXT} | wanted)),
        )
        return self.store.write(lambda tx: service.append_by(tx, principal, name, wanted))

    def delete(self, who, name):
        principal = self.house.principal(who)
        self.store.write(lambda tx: service.delete_by(tx, principal, name))

    def find(self, who, name):
        with self.store.read() as conn:
            now_ms = self.house.clock.now_ms()
            return service.find_readable(
                conn, self.store.hooks, self.house.principal(who), name, now_ms
            )

    def read(self, who, name, at=0):
        """Read page by page; gives them."""
        row, found = self.find(who, name), []
        while at < row.size:
            with self.store.read() as conn:
                page = service.read_page(conn, row, at)
            found.append(page.data)
            at = page.end
        return found

    def whole(self, who, name, at=0):
        return b"".join(self.read(who, name, at))

    def count(self, table):
        with self.store.read() as conn:
            return conn.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar()


@pytest.fixture
def shelf(house):
    return Shelf(house)


@pytest.mark.parametrize("seed", range(6))
def test_each_byte_is_there_once_and_in_order_however_it_was_appended(shelf, seed, monkeypatch):
    dice, written = random.Random(seed), b""
    monkeypatch.setattr(pages, "PAGE_BYTES", dice.choice([1500, 4096, 50_000]))
    shelf.put("alice", "out")
    for _ in range(40):
        data = dice.randbytes(dice.choice([1, 9, 100, 4090, 4096, 5000, 70_000]))
        shelf.append("alice", "out", data)
        written += data
    assert shelf.whole("bob", "out") == written
    for at in [dice.randrange(len(written)) for _ in range(5)]:
        assert shelf.whole("bob", "out", at) == written[at:]


def test_many_small_appends_are_few_rows(shelf):
    shelf.put("alice", "out")
    for number in range(400):
        shelf.append("alice", "out", b"%03d " % number)
    assert shelf.count("stream_chunks") == 1
    shelf.append("alice", "out", b"x" * 150_000)
    assert shelf.count("stream_chunks") == 4


def test_a_repeated_append_is_there_once_and_one_left_out_is_told(shelf):
    shelf.put("alice", "out")
    for seq, data in enumerate([b"a", b"b", b"c"]):
        assert shelf.append("alice", "out", data, producer=Producer("p", 0, seq)).is_new
    again = shelf.append("alice", "out", b"b", producer=Producer("p", 0, 1))
    assert (again.is_new, again.seq) == (False, 2)
    with pytest.raises(SequenceGapError) as gap:
        shelf.append("alice", "out", b"e", producer=Producer("p", 0, 4))
    assert gap.value.more == {"expected_seq": 3, "received_seq": 4}
    assert shelf.append("alice", "out", b"!", producer=Producer("q", 0, 0)).is_new
    assert shelf.whole("alice", "out") == b"abc!"


def test_an_older_start_of_a_producer_writes_no_more(shelf):
    shelf.put("alice", "out")
    shelf.append("alice", "out", b"a", producer=Producer("p", 0, 0))
    shelf.append("alice", "out", b"b", producer=Producer("p", 1, 0))
    with pytest.raises(StaleEpochError) as stale:
        shelf.append("alice", "out", b"c", producer=Producer("p", 0, 1))
    assert stale.value.more == {"epoch": 1}
    with pytest.raises(InvalidRequestError):
        shelf.append("alice", "out", b"c", producer=Producer("p", 2, 1))
    assert shelf.whole("alice", "out") == b"ab"


def test_the_last_append_closes_or_nothing_of_it_is_there(shelf):
    shelf.put("alice", "out")
    last = {"closes": True, "producer": Producer("p", 0, 0)}
    with pytest.raises(BodyTooLargeError):
        shelf.append("alice", "out", b"x" * 200_001, **last)
    assert shelf.find("alice", "out").closed_ms is None
    shelf.append("alice", "out", b"end", **last)
    assert not shelf.append("alice", "out", b"end", **last).is_new
    with pytest.raises(StreamClosedError) as closed:
        shelf.append("alice", "out", b"more")
    assert closed.value.more["next_offset"].endswith(f"_{3:016d}")
    assert shelf.append("alice", "out", closes=True).row.how == "closed"
    assert shelf.closed == [("out", "closed")]
    assert shelf.whole("bob", "out") == b"end"


def test_json_is_cut_between_messages_and_no_offset_is_within_one(shelf, monkeypatch):
    monkeypatch.setattr(pages, "PAGE_BYTES", 40)
    kind = {"content_type": "application/json"}
    shelf.put("alice", "out", **kind)
    sent = [{"n": n, "text": "a,]\n[" * (9 if n == 3 else 1)} for n in range(9)]
    shelf.append("alice", "out", json.dumps(sent[:5], indent=2).encode(), **kind)
    for one in sent[5:]:
        shelf.append("alice", "out", json.dumps(one).encode(), **kind)
    found = shelf.read("bob", "out")
    assert len(found) > 3
    assert [json.loads(line) for page in found for line in page.splitlines()] == sent
    with pytest.raises(InvalidRequestError):
        shelf.read("bob", "out", at=3)
    for wrong in (b"{", b"[]", b'"\xff"', b"[" * 100_000):
        with pytest.raises(InvalidRequestError):
            shelf.append("alice", "out", wrong, **kind)


def test_a_ttl_slides_with_appends_and_reads_and_a_time_of_expiry_does_not(house, shelf):
    end_ms = house.clock.now_ms() + 100_000
    shelf.put("alice", "slides", ttl_s=60)
    shelf.put("alice", "ends", expires_ms=end_ms)
    house.pass_time(50)
    shelf.append("alice", "slides", b"x")
    house.pass_time(49)
    place = shelf.find("bob", "slides").place
    house.store.write(lambda tx: service.renew(tx, place))
    shelf.append("alice", "ends", b"x")
    house.pass_time(50)
    assert shelf.whole("bob", "slides") == b"x"
    with pytest.raises(NotFoundError):
        shelf.find("bob", "ends")
    house.pass_time(11)
    with pytest.raises(NotFoundError):
        shelf.find("bob", "slides")
    assert shelf.count("streams") == shelf.count("stream_chunks") == 0
    assert shelf.closed == [("ends", "expired"), ("slides", "expired")]


def test_one_that_has_expired_is_not_there_though_the_keeper_has_not_come_yet(house, shelf):
    shelf.put("alice", "out", b"old", ttl_s=5)
    house.clock.advance(6)
    with pytest.raises(NotFoundError):
        shelf.append("alice", "out", b"x")
    _, is_new = shelf.put("alice", "out", b"new")
    assert is_new
    assert shelf.whole("alice", "out") == b"new"


def test_a_silent_producer_is_told_as_dead_and_one_that_says_it_lives_is_not(house, shelf):
    shelf.put("alice", "out", lease_s=30)
    shelf.put("alice", "alive", lease_s=30)
    shelf.append("alice", "out", b"half a sen")
    for _ in range(3):
        house.pass_time(20)
        shelf.append("alice", "alive", is_alive=True)
    row = shelf.find("bob", "out")
    assert (row.how, row.size) == ("died", 10)
    assert shelf.closed == [("out", "died")]
    assert shelf.find("bob", "alive").closed_ms is None
    with pytest.raises(StreamClosedError, match="silent"):
        shelf.append("alice", "out", b"tence")


def test_no_producer_is_dead_because_the_bus_was_away(house, shelf):
    shelf.put("alice", "out", lease_s=30)
    house.clock.advance(3600)
    house.store.write(lambda tx: tx.announce("spared"))
    house.pass_time(29)
    assert shelf.find("bob", "out").closed_ms is None
    house.pass_time(2)
    assert shelf.find("bob", "out").how == "died"


def test_a_clock_that_was_ahead_when_the_bus_stopped_keeps_no_stream_for_a_year(house, shelf):
    shelf.put("alice", "out", b"x", ttl_s=60)
    shelf.put("alice", "dying", lease_s=60)
    house.clock.advance(-365 * 86_400)
    house.store.write(lambda tx: tx.announce("spared"))
    house.pass_time(59)
    assert shelf.whole("bob", "out") == b"x"
    house.pass_time(2)
    assert shelf.find("bob", "dying").how == "died"
    with pytest.raises(NotFoundError):
        shelf.find("bob", "out")


def test_charlie_sees_nothing_and_nobody_but_its_maker_writes(house, shelf):
    shelf.put("alice", "out", b"secret")
    for attempt in (
        lambda: shelf.find("charlie", "out"),
        lambda: shelf.append("charlie", "out", b"x"),
        lambda: shelf.delete("charlie", "out"),
        lambda: shelf.put("charlie", "mine", fork=Fork("out")),
    ):
        with pytest.raises(NotFoundError):
            attempt()
    with pytest.raises(ConflictError):
        shelf.put("charlie", "out")
    for attempt in (lambda: shelf.append("bob", "out", b"x"), lambda: shelf.delete("bob", "out")):
        with pytest.raises(ForbiddenError):
            attempt()
    with pytest.raises(ConflictError):
        shelf.put("bob", "out")
    assert shelf.whole("alice", "out") == b"secret"


def test_a_session_s_stream_and_its_forks_are_for_whom_the_session_says(house, shelf):
    asked = []

    def may(_conn, stream, principal):
        asked.append((stream.session_id, principal.name))
        return principal.name != "bob"

    house.store.hooks.on("may_read_stream", may)
    shelf.put("alice", "out", b"ours", session_id="s_1")
    with pytest.raises(NotFoundError):
        shelf.find("bob", "out")
    assert shelf.whole("charlie", "out") == b"ours"
    for who in ("charlie", "alice"):
        shelf.put(who, f"copy-{who}", fork=Fork("out"))
        with pytest.raises(NotFoundError):
            shelf.find("bob", f"copy-{who}")
    assert {session for session, _ in asked} == {"s_1"}


def test_a_fork_is_a_copy_up_to_its_place_and_no_more(shelf):
    shelf.put("alice", "out", b"one ")
    middle = Offset(shelf.find("alice", "out").era, 4)
    shelf.append("alice", "out", b"two " + b"x" * 70_000, producer=Producer("p", 0, 0))
    shelf.put("bob", "fork", b"!", fork=Fork("out", middle, 3))
    shelf.append("alice", "out", b"three")
    assert shelf.whole("alice", "fork") == b"one two!"
    assert shelf.append("bob", "fork", b"?", producer=Producer("p", 0, 0)).is_new
    with pytest.raises(InvalidRequestError):
        shelf.put("bob", "other", fork=Fork("out", middle, 80_000))
    assert shelf.count("streams") == 2


def test_a_chain_of_forks_of_any_length_goes_with_its_last(shelf):
    shelf.put("alice", "0", b"mine")
    for number in range(1, LONG_CHAIN):
        shelf.put("alice", str(number), fork=Fork(str(number - 1)))
        shelf.delete("alice", str(number - 1))
    shelf.delete("alice", str(LONG_CHAIN - 1))
    assert shelf.count("streams") == 0


@pytest.mark.parametrize(("kind", "at"), [(TEXT, 0), (TEXT, 2), ("application/json", 2)])
def test_who_reads_a_stream_that_is_deleted_meanwhile_hears_so_and_does_not_look_for_ever(
    shelf, kind, at
):
    shelf.put("alice", "out", b"1\n22\n" if kind == TEXT else b"[1, 22]", content_type=kind)
    row = shelf.find("alice", "out")
    shelf.delete("alice", "out")
    with shelf.store.read() as conn, pytest.raises(NotFoundError, match="it was deleted"):
        pages.read_page(conn, row, at)


def test_who_follows_a_stream_that_is_deleted_meanwhile_is_let_go(shelf):
    shelf.put("alice", "out", b"words")
    row = shelf.find("alice", "out")
    spool = Spool(shelf.store, Hub(), row.place)
    assert spool.look() is not None
    shelf.delete("alice", "out")  # of which nobody here has been told yet
    follower = Follower(None, None, None, spool, 0, 0, 0, 0)
    assert (follower.look(), follower.is_over()) == (BYE, True)


def test_what_is_deleted_is_gone_at_once_though_forks_keep_its_id(shelf):
    shelf.put("alice", "out", b"mine")
    shelf.put("bob", "fork", fork=Fork("out"))
    shelf.put("bob", "fork2", fork=Fork("fork"))
    shelf.delete("alice", "out")
    shelf.delete("bob", "fork")
    for name in ("out", "fork"):
        with pytest.raises(StreamGoneError):
            shelf.find("alice", name)
    with pytest.raises(ConflictError):
        shelf.put("alice", "out")
    assert shelf.count("stream_chunks") == 1
    assert shelf.whole("alice", "fork2") == b"mine"
    shelf.delete("bob", "fork2")
    assert shelf.count("streams") == 0


def test_an_offset_of_another_life_is_refused_and_one_of_before_a_restore_where_it_is_lost(
    house, shelf
):
    shelf.put("alice", "out", b"before")
    read_all = Offset(shelf.find("bob", "out").era, 6)
    house.clock.advance(1)
    lost = Offset(read_all.era, 9)
    house.store.write(restoring.start_anew)
    shelf.append("alice", "out", b" after")
    row = shelf.find("bob", "out")
    assert rules.place_of(read_all, row) == 6
    with pytest.raises(StreamGoneError):
        rules.place_of(lost, row)
    shelf.delete("alice", "out")
    house.clock.advance(1)
    shelf.put("alice", "out", b"something else")
    with pytest.raises(StreamGoneError):
        rules.place_of(read_all, shelf.find("bob", "out"))


def test_one_participant_cannot_fill_the_disk(shelf):
    shelf.put("alice", "one")
    for _ in range(15):
        shelf.append("alice", "one", b"x" * 200_000)
    with pytest.raises(StreamFullError):
        shelf.append("alice", "one", b"x")
    shelf.put("alice", "two")
    for _ in range(5):
        shelf.append("alice", "two", b"x" * 190_000)
    with pytest.raises(TooManyDurableError):
        shelf.append("alice", "two", b"x" * 190_000)
    shelf.append("alice", "two", b"x" * 50_000)
    with pytest.raises(TooManyDurableError):
        shelf.put("alice", "three")
    for number in range(4):
        shelf.put("bob", f"b{number}")
    with pytest.raises(TooManyDurableError):
        shelf.put("bob", "b4")
    assert not shelf.put("bob", "b3")[1]


def test_the_streams_of_one_that_is_removed_go_with_it_and_a_session_keeps_its_own(house, shelf):
    shelf.put("alice", "mine", b"x")
    shelf.put("alice", "ours", b"y", session_id="s_1")
    house.store.write(lambda tx: directory.remove(tx, "alice"))
    assert shelf.count("streams") == 1
    with house.store.read() as conn:
        assert service.read_text(conn, "ours", 100).text == "y"


def test_a_room_below_writes_closes_and_reads_what_it_made(house, shelf):
    me = house.principal("alice")

    def write(tx):
        wanted = Wanted(content_type=TEXT, lease_s=60)
        service.create(tx, me.participant_id, "ours", wanted)
        service.append_by(tx, me, "ours", Append("Zürich".encode(), TEXT))
        service.close(tx, "ours")

    house.store.write(write)
    with house.store.read() as conn:
        assert service.read_text(conn, "ours", 2).text == "Z"
        whole = service.read_text(conn, "ours", 100)
        assert (whole.text, whole.is_whole) == ("Zürich", True)
        assert service.read_text(conn, "nothing", 100) is None
    house.store.write(lambda tx: service.delete_by(tx, me, "ours"))
    assert shelf.count("streams") == 0
    assert shelf.closed == [("ours", "closed")]


def test_a_refused_stream_leaves_nothing(house, shelf):
    with pytest.raises(InvalidRequestError):
        shelf.put("alice", "out", b"{", content_type="application/json")
    for name in ("..", "a/b", "", "x" * 201, "a b", "ä"):
        with pytest.raises(InvalidRequestError):
            shelf.put("alice", name)
    assert shelf.count("streams") == 0
    with house.store.read() as conn:
        assert queries.of_owner(conn, house.principal("alice").participant_id).count == 0
