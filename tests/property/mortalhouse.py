"""The rooms on a real database that can be killed at any moment and opened again.

A killed process leaves its files as they are at that moment. So a copy of them is taken, even in
the middle of a transaction, and life goes on from the copy; what the old one did then is lost. On
PostgreSQL it is the connections that end with the process.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bus.access.model import Principal
from bus.app import ROOMS
from bus.clock import ManualClock
from bus.config import Config
from bus.directory import nodes
from bus.directory import service as directory
from bus.errors import StorageFailedError
from bus.ids import CountingIds
from bus.live.hub import Hub
from bus.store.store import Store
from bus.wakes import keeper
from tests import engine
from tests.newdatabase import make_database

if TYPE_CHECKING:
    from collections.abc import Callable

    from bus.store.transaction import Transaction

LIMITS = {
    "max_inbox": 6,
    "guard_hops": 3,
    "guard_burst": 4,
    "log_retention_s": 3600,
    "retention_s": 7200,
}


class MortalHouse:
    """Alice and bob are agents on node one, boss is a person; the three are the group team."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._lives = 0
        self.clock, self.ids = ManualClock(), CountingIds()
        self.config = self._next_config()
        self._home = self.config.data_dir
        self.config = make_database(self.config)
        self._open()
        self.write(lambda tx: nodes.add_node(tx, "one", ["alice", "bob"], ""))
        self.write(lambda tx: directory.add(tx, {"name": "boss", "kind": "person"}))
        self.write(lambda tx: directory.set_group(tx, "team", ["alice", "bob", "boss"], new=True))
        self.node = Principal("node", "one", "", None, 1)
        self.who = {name: self._principal(name) for name in ("alice", "bob", "boss")}
        self.keep()

    def _next_config(self) -> Config:
        self._lives += 1
        folder = Path(self._folder.name) / str(self._lives)
        folder.mkdir()
        return Config(data_dir=folder, **LIMITS)

    def _open(self) -> None:
        self.store = Store(self.config, self.clock, self.ids, lambda _topics: None)
        for room in ROOMS:
            room.register(self.store.hooks)

    def _principal(self, name: str) -> Principal:
        with self.store.read() as conn:
            one = directory.find(conn, name)
            assert one is not None
            kind = "person" if one.kind == "person" else "agent"
            return Principal(kind, name, "", one.id, None, one.compartments, "peer")

    def write(self, operation: Callable[[Transaction], Any]) -> Any:
        return self.store.write(operation)

    def keep(self) -> None:
        """Do what the keeper does when it wakes up."""
        keeper.Keeper(self.store, Hub()).do_all_due()

    def clean(self) -> None:
        """Do what the keeper does once a minute."""
        while self.write(keeper.keep_house):
            pass

    def restart(self) -> None:
        """Stop as one should and start again."""
        self.store.close()
        self._open()

    def kill(self) -> None:
        """Die between two writes."""
        if engine.IS_POSTGRESQL:
            self._lose_connections()
            self._live_on(self.config)
            return
        after = self._next_config()
        self._copy(after)
        self._live_on(after)

    def kill_during(self, operation: Callable[[Transaction], Any], torn: float) -> None:
        """Die just before an operation's COMMIT, with a part of its pages in the WAL already.

        `torn` is how much of what it had written by then reached the disk.
        """
        if engine.IS_POSTGRESQL:
            self._lose_connections_during(operation)
            return
        after = self._next_config()
        wal = self._wal(self.config)
        before = wal.stat().st_size if wal.exists() else 0

        def die(tx: Transaction) -> None:
            # A cache of a few pages has SQLite write to the WAL long before the COMMIT.
            tx.conn.exec_driver_sql("PRAGMA cache_size=1")
            try:
                operation(tx)
            finally:
                self._copy(after)

        try:
            self.write(die)
        finally:
            copied = self._wal(after)
            if copied.exists() and copied.stat().st_size > before:
                grown = copied.stat().st_size - before
                with copied.open("r+b") as file:
                    file.truncate(before + round(grown * torn))
            self._live_on(after)

    def _lose_connections(self) -> None:
        engine.cut(self._home)

    def _lose_connections_during(self, operation: Callable[[Transaction], Any]) -> None:
        def die(tx: Transaction) -> None:
            try:
                operation(tx)
            finally:
                self._lose_connections()

        try:
            with suppress(StorageFailedError):
                self.write(die)
        finally:
            self._live_on(self.config)

    def _live_on(self, config: Config) -> None:
        self.store.close()
        self.config = config
        self._open()

    def _copy(self, target: Config) -> None:
        shutil.copyfile(self.config.db_path, target.db_path)
        if self._wal(self.config).exists():
            shutil.copyfile(self._wal(self.config), self._wal(target))

    @staticmethod
    def _wal(config: Config) -> Path:
        return config.db_path.with_name("bus.db-wal")

    def close(self) -> None:
        self.store.close()
        engine.drop(self._home)
        self._folder.cleanup()
