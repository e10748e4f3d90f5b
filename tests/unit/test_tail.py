"""What streams share of the log must be what the database says."""

from __future__ import annotations

from keptlog import Kept

from bus.access.model import Principal
from bus.live.audience import sight_of
from bus.live.hub import Hub
from bus.live.tail import KEPT, Tail
from bus.store.transaction import RIGHTS


def seqs(text):
    return [int(line[6:]) for line in text.decode().splitlines() if line.startswith("id: e-")]


def everything(_row):
    return True


def test_it_gives_each_reader_what_came_after_its_place_and_is_its_own():
    store, hub = Kept(), Hub()
    tail = Tail(store, hub)
    store.append(1, 4)
    tail.look()
    assert seqs(tail.after(0, everything)) == [1, 2, 3, 4]
    assert seqs(tail.after(1, lambda row: row.participant_id == 0)) == [2, 4]
    assert (tail.since, tail.head) == (0, 4)


def test_it_reads_again_when_something_changed_and_not_before():
    store, hub = Kept(), Hub()
    tail = Tail(store, hub)
    tail.look()
    store.append(1, 1)
    tail.look()
    assert tail.head == 0
    hub.look_again({"participant 1"})
    tail.look()
    assert seqs(tail.after(0, everything)) == [1]
    store.append(2, 2)
    store.now_s += 2
    tail.look()
    assert tail.head == 2


def test_it_holds_the_newest_and_says_from_where_on():
    store, hub = Kept(), Hub()
    tail = Tail(store, hub)
    at = 0
    for many in (KEPT, KEPT, 3, 2 * KEPT, 1):
        store.append(at + 1, at + many)
        at += many
        hub.look_again({"everything"})
        tail.look()
        assert tail.head == at
        assert seqs(tail.after(tail.since, everything)) == list(range(tail.since + 1, at + 1))
        assert at - tail.since <= 2 * KEPT


def test_only_what_touches_rights_has_papers_shown_again():
    hub = Hub()
    hub.look_again({"everything", "participant 1"})
    assert (hub.changes, hub.rights) == (1, 0)
    hub.look_again({RIGHTS, "token k"})
    assert (hub.changes, hub.rights) == (2, 1)


def test_readers_that_see_the_same_share_bytes_and_nobody_is_given_another_s_or_old_ones():
    store, hub = Kept(), Hub()
    tail = Tail(store, hub)
    store.append(1, 4)
    tail.look()
    one, same, other = (
        sight_of(Principal("agent", "a", token, participant_id=who))
        for token, who in (("k_1", 1), ("k_2", 1), ("k_3", 0))
    )
    assert tail.after(0, one) is tail.after(0, same)
    assert (seqs(tail.after(0, one)), seqs(tail.after(0, other))) == ([1, 3], [2, 4])
    assert seqs(tail.after(1, one)) == [3]
    node = sight_of(Principal("node", "n", "k_4", node_id=1))
    assert tail.after(0, node) == b""
    store.append(5, 5)
    hub.look_again({"participant 1"})
    tail.look()
    assert seqs(tail.after(0, same)) == [1, 3, 5]
