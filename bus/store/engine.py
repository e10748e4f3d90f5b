"""The database that a bus's settings name: a SQLite file, or a PostgreSQL.

What differs between the two is in their modules and nowhere above `store/`: how a connection is
opened, how a transaction of the one writer begins, what waits how, and what to believe after an
error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    import sqlalchemy as sa

    from bus.clock import Clock
    from bus.config import Config


READERS = 16
"""Snapshots at a time; on SQLite one is over before another begins, as a rule."""


class Health(Protocol):
    """Whether the database can be believed. Its verbs wait for it."""

    in_doubt: bool
    why: str

    def doubt(self) -> None: ...
    def settle(self) -> None: ...


class Engine(Protocol):
    """One kind of database."""

    is_shared: bool
    """Whether other processes write to it too."""
    group_s: float
    """After this no further operation joins a group: so long at most a sender's neighbours wait."""

    def open_writer(self) -> sa.Engine:
        """Open the engine of the one connection that writes."""

    def open_reader(self) -> sa.Engine:
        """Open the engine of the connections that only read."""

    def watch(self, engine: sa.Engine, clock: Clock) -> Health:
        """Say what is to be believed of it."""

    def begin(self, conn: sa.Connection, *, is_new: bool) -> None:
        """Begin a transaction of the one writer, when it is its turn."""

    def begin_read(self, conn: sa.Connection) -> None:
        """Begin to read one snapshot, where that is not left to the first statement."""

    def wait(self, do: Callable[[], Any]) -> None:
        """Do what waits for the database: the hub goes on. What it raises is raised here."""

    def do(self, do: Callable[[], Any]) -> None:
        """Do one operation's statements."""

    def do_long(self, do: Callable[[], Any]) -> None:
        """Do those of an operation over many rows."""

    def close(self) -> None:
        """Give back what only this holds."""


def engine_of(config: Config) -> Engine:
    """Give the kind of database that the settings name."""
    if config.is_postgresql:
        from bus.store.postgresql import Postgresql  # noqa: PLC0415 - its driver is an extra

        return Postgresql(config)
    from bus.store.sqlite import Sqlite  # noqa: PLC0415 - the other needs none of it

    return Sqlite(config)
