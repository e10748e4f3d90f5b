"""Readers of streams, and a shadow of the log that says what each of them must have seen."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from bus.live import reader as reading
from bus.live.hub import Hub
from bus.live.tail import Tail
from bus.store.log import read_bounds

if TYPE_CHECKING:
    from groundtruth import Truth

    from bus.access.model import Principal
    from bus.store.store import Store


@dataclass
class Shadow:
    """Every row that the log ever had, kept beside it."""

    rows: list[Any] = field(default_factory=list)

    def follow(self, truth: Truth) -> list[Any]:
        """Take the new rows in; gives them."""
        head = self.rows[-1].seq if self.rows else 0
        new = [row for row in truth.log if row.seq > head]
        assert [row.seq for row in new] == list(range(head + 1, head + 1 + len(new)))
        kept = [row.seq for row in truth.log]
        assert kept == list(range(truth.trimmed + 1, truth.head + 1)), "a hole, or no beginning"
        self.rows += new
        assert truth.head == (self.rows[-1].seq if self.rows else 0), "the head went back"
        return new


def read_frame(text: str) -> tuple[int, str, Any]:
    """Read one event of a stream: its place, its kind, its data."""
    fields = dict(line.split(": ", 1) for line in text.split("\n"))
    return int(fields["id"].rpartition("-")[2]), fields["event"], json.loads(fields["data"])


@dataclass
class Follower:
    """One reader with a cursor, which reconnects each time it reads."""

    who: Principal
    cursor: str
    since: int = 0
    seen: list[tuple[int, str, Any]] = field(default_factory=list)
    gaps: int = 0

    def read(self, store: Store) -> None:
        """Read to the end, or hear of a gap and begin after it."""
        with store.read() as conn:
            bounds = read_bounds(conn)
        at, lost = reading.place(self.cursor, bounds)
        if at is None:
            assert lost
            assert bounds.oldest > self.place, "a gap where the log is whole"
            at, self.seen, self.gaps = bounds.head, [], self.gaps + 1
            self.since = at
        elif self.cursor in {"earliest", "now"}:
            self.since = at
        hub = Hub()
        run: Any = SimpleNamespace(store=store, hub=hub, tail=Tail(store, hub))
        papers: Any = SimpleNamespace(changed=lambda _conn, _principal: "")
        reader = reading.Reader(run, self.who, papers, at, bounds.epoch, 0.0)
        assert not reader.why_out()
        while frames := self.read_on(reader):
            self.seen += [read_frame(frame) for frame in frames.split("\n\n")[:-1]]
        self.cursor = f"{bounds.epoch}-{reader.cursor}"

    @staticmethod
    def read_on(reader: reading.Reader) -> str:
        """Read on until something is the reader's, or to the end."""
        while not (frames := reader.look()) and reader.is_behind():
            pass
        return frames.decode()

    @property
    def place(self) -> int:
        """Give how far it has come."""
        return int(self.cursor.rpartition("-")[2]) if "-" in self.cursor else 0

    def concerns(self, row: Any) -> bool:
        """Say whether a row is for this reader, by the words of the promise."""
        if self.who.kind == "node":
            return bool(row.node_id == self.who.node_id)
        me = self.who.participant_id
        mine = me == row.participant_id or (me == row.sender_id and row.kind == "state")
        # All three share one compartment: a person sees what any of them gets.
        return mine or (self.who.kind == "person" and row.participant_id is not None)

    def check(self, shadow: Shadow) -> None:
        """Hold what it saw against what there was: all of it, once, in order, nothing else."""
        due = [row for row in shadow.rows if self.since < row.seq <= self.place]
        expected = [(row.seq, row.kind, json.loads(row.data)) for row in due if self.concerns(row)]
        assert self.seen == expected
