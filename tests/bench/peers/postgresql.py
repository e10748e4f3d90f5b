"""The bus on PostgreSQL: one cluster of its own that syncs, and as many bus processes as named."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa
from conftest import BIN
from measure import OURS
from processes import family
from rig import BenchBus

from bus.ids import RandomIds, hash_secret
from bus.store import schema
from tests.bench.peers import wakebus
from tests.bench.peers.peer import Server, Variant
from tests.postgres import PACKAGES, Cluster, release_memory

if TYPE_CHECKING:
    import signal
    from collections.abc import Mapping, Sequence
    from pathlib import Path


@dataclass
class PostgresBus(BenchBus):
    """A bus with its database elsewhere."""

    database_url: str = ""
    workers: str = "1"

    @property
    def environment(self) -> dict[str, str]:
        where = {"BUS_DATABASE_URL": self.database_url, "BUS_WORKERS": self.workers}
        return super().environment | where


@dataclass
class WakebusPostgres(wakebus.Wakebus):
    cluster: Cluster = None  # type: ignore[assignment]

    def start(self) -> None:
        if self.cluster.process is None or self.cluster.process.poll() is not None:
            self.cluster.run()
        super().start()

    def stop(self, how: signal.Signals) -> None:
        """End both: the bus and its database are one here, as if the machine were gone."""
        super().stop(how)
        if self.cluster.process is not None and self.cluster.process.poll() is None:
            self.cluster.kill()

    def close(self) -> None:
        release_memory(self.cluster.folder / "data" / "postmaster.pid")

    def pids(self) -> list[int]:
        database = family(self.cluster.process.pid) if self.cluster.process else []
        return [*Server.pids(self), *database]


def add_agents(url: str, names: Sequence[str]) -> dict[str, str]:
    """Make agents with a token each; gives the tokens."""
    now_ms, ids = int(time.time() * 1000), RandomIds()
    tokens = {name: f"wb_agent_{ids.secret(32)}" for name in names}
    made = [
        {
            "name": name,
            "kind": "named",
            "local_agent": name,
            "session_key": f"agent:{name}:main",
            "created_ms": now_ms,
        }
        for name in names
    ]
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.insert(schema.participants), made)
        found = connection.execute(sa.select(schema.participants.c.id, schema.participants.c.name))
        numbers = {name: number for number, name in found}
        held = [
            {
                "id": ids.new("k", now_ms),
                "kind": "agent",
                "participant_id": numbers[name],
                "hash": hash_secret(token),
                "created_ms": now_ms,
            }
            for name, token in tokens.items()
        ]
        connection.execute(sa.insert(schema.tokens), held)
    engine.dispose()
    return tokens


class OnPostgres(wakebus.Bus):
    name = f"{OURS} on PostgreSQL"
    install = "pip install wakebus[postgresql]; apt install postgresql"
    variants = tuple(
        Variant(words, "after COMMIT, synced once for all that waited", {"workers": count})
        for count, words in (("1", "1 process"), ("2", "2 processes"), ("4", "4 processes"))
    )
    lacks: Mapping[str, str] = {}

    def version(self) -> str | None:
        found = sorted(path.name for path in PACKAGES.glob("*"))
        return f"{super().version()} on {found[-1]}" if found else None

    def make(self, folder: Path, variant: Variant, mailboxes: Sequence[str]) -> WakebusPostgres:
        cluster = Cluster.start(folder / "pg", fsync=True)
        bus = PostgresBus(
            folder / "data", database_url=cluster.create("bus"), workers=variant.settings["workers"]
        )
        init = [str(BIN / "bus"), "init"]
        subprocess.run(init, env=bus.environment, check=True, stdout=subprocess.DEVNULL)
        tokens = add_agents(bus.database_url, wakebus.names_of(mailboxes))
        return WakebusPostgres(folder, variant, mailboxes, bus=bus, tokens=tokens, cluster=cluster)


PEER = OnPostgres()
