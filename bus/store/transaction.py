"""What a use case works in: one open transaction, the time, identity, and the effects to come.

A verb gets a `Transaction`, writes, and names who must look again; that happens after COMMIT.
Rooms further down hear of things through hooks that run in the same transaction.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from bus.clock import to_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import sqlalchemy as sa

    from bus.config import Config
    from bus.ids import Ids
    from bus.store.statement import Statement

KEEPER = "keeper"
"""The topic of the keeper: a deadline may have come nearer."""
KEEPER_LOOKS_MS = 30_000
"""The keeper looks this often in any case; only a deadline before that must be told."""
RIGHTS = "rights"
"""What somebody is or may see has changed: whoever has something open shows its papers again."""
EVERYTHING = "everything"
"""The topic of readers who may see every row of the log."""


def participant_topic(participant_id: int) -> str:
    """Name the topic of a participant's streams and waiting inbox reads."""
    return f"participant {participant_id}"


def node_topic(node_id: int) -> str:
    """Name the topic of a node's streams."""
    return f"node {node_id}"


def token_topic(token_id: str) -> str:
    """Name the topic of all that a token has open: it must look whether it is still good."""
    return f"token {token_id}"


Fact = tuple[str, dict[str, Any]]
"""What a line of the log says: an action, and what is known of it."""


class Hooks:
    """Who is called when something happens, registered once in `bus.app`.

    Every hook, with what it is called with, is a row of `docs/explanation/architecture.md`.
    """

    def __init__(self) -> None:
        self._called: defaultdict[str, list[Callable[..., Any]]] = defaultdict(list)

    def on(self, event: str, call: Callable[..., Any]) -> None:
        """Have `call(tx, **facts)` run whenever the event is announced, or asked for."""
        self._called[event].append(call)

    def called(self, event: str) -> list[Callable[..., Any]]:
        """List who is called."""
        return self._called[event]


@dataclass
class Transaction:
    """One open write transaction (or one savepoint of it)."""

    conn: sa.Connection
    now_ms: int
    ids: Ids
    config: Config
    hooks: Hooks
    allowances: dict[int, int] = field(default_factory=dict)
    """How much more a participant surely may get before what it has must be counted again.

    It lasts over transactions, and is never too much: forgotten where anything is undone.
    """
    topics: set[str] = field(default_factory=set)
    facts: list[Fact] = field(default_factory=list)
    last_seq: int | None = None
    """The last place of the log that was given out here, once that is known."""
    _later: dict[Statement, list[Mapping[str, Any]]] = field(default_factory=dict)

    @cached_property
    def now_text(self) -> str:
        """Give the time of this transaction as answers and streams show it."""
        return to_text(self.now_ms)

    def record(self, action: str, **facts: Any) -> None:
        """Have a line of the log written after COMMIT; never a body or a token."""
        self.facts.append((action, facts))

    def look_again(self, *topics: str) -> None:
        """Have the listeners of these topics look again after COMMIT."""
        self.topics.update(topics)

    def remind(self, due_ms: int | None) -> None:
        """Have the keeper look in time for a deadline."""
        if due_ms is not None and due_ms - self.now_ms < KEEPER_LOOKS_MS:
            self.topics.add(KEEPER)

    def write_later(self, statement: Statement, values: Mapping[str, Any]) -> None:
        """Write a row together with others of its kind: one that nothing reads before the end."""
        self._later.setdefault(statement, []).append(values)

    def write_out(self) -> None:
        """Write what was put off; whoever began the transaction ends with this."""
        for statement, rows in self._later.items():
            statement.run_each(self.conn, rows)
        self._later.clear()

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Undo what happens inside where it fails; the rest of the transaction stands."""
        self.write_out()
        topics, facts = set(self.topics), list(self.facts)
        self.conn.exec_driver_sql("SAVEPOINT apart")
        try:
            yield
            self.write_out()
        except Exception:
            self._later.clear()
            self.last_seq = None
            self.conn.exec_driver_sql("ROLLBACK TO apart")
            self.conn.exec_driver_sql("RELEASE apart")
            self.topics, self.facts = topics, facts
            self.allowances.clear()
            raise
        self.conn.exec_driver_sql("RELEASE apart")

    def announce(self, event: str, **facts: Any) -> None:
        """Run the hooks of an event, in this transaction."""
        for call in self.hooks.called(event):
            call(self, **facts)

    def ask(self, question: str, **facts: Any) -> Any:
        """Ask a room further down; the answer of the one that knows, or None."""
        for call in self.hooks.called(question):
            return call(self, **facts)
        return None
