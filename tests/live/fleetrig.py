"""Several bus processes on one PostgreSQL: a `bus serve` each, as on machines of their own."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.conftest import until
from tests.serverbus import ServerBus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.postgres import Cluster

DATABASE = "fleet"
COMES = """INSERT INTO processes (id, host, pid, started_ms, heard_ms, state)
    SELECT 'later', 'attic', 1, now_ms + 3600000, now_ms + 3600000, '{}'
    FROM (SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms) AS now"""
"""Another process, that began after all others."""


@dataclass
class FleetOf:
    """The machines, and the database they are on."""

    cluster: Cluster
    folder: Path
    database: str
    machines: list[ServerBus] = field(default_factory=list)
    admin: str = ""

    def add_machine(self, **settings: str) -> ServerBus:
        """Start one more; it is ready, and the others know it."""
        folder = self.folder / f"machine-{len(self.machines)}"
        one = ServerBus(folder, database_url=self.cluster.url(self.database), settings=settings)
        one.admin = self.admin
        self.machines.append(one)
        one.start()
        return one

    def ask(self, statement: str) -> list[Any]:
        return self.cluster.execute(statement, self.database)

    def holder(self, lease: str = "keeper") -> ServerBus | None:
        """Give the machine whose process has a lease."""
        held = f"""SELECT p.pid FROM leases l JOIN processes p ON p.id = l.holder
            WHERE l.name = '{lease}'
            AND l.until_ms > extract(epoch FROM clock_timestamp()) * 1000"""
        pids = {pid for (pid,) in self.ask(held)}
        for one in self.machines:
            if one.is_running and pids & workers(one):
                return one
        return None

    def wait_holder(
        self, *, other_than: ServerBus | None = None, within_s: float = 30
    ) -> ServerBus:
        """Wait until some machine has the keeper's lease, other than one."""

        def find() -> ServerBus | None:
            found = self.holder()
            return None if found is other_than else found

        return until(find, within_s, "another process keeps house")

    def agent(self, name: str, kind: str = "named") -> str:
        """Make an agent or a person; gives its token."""
        return self.machines[0].add(name, kind)

    def node(self, name: str) -> str:
        """Make a node with an agent of its own; gives its token."""
        first = self.machines[0]
        made = {"name": name, "agents": [f"{name}-agent"]}
        code = first.call(self.admin, "POST", "/api/nodes", made)[1]["code"]
        asked = {"code": code, "nonce": "n" * 20, "url": first.url}
        return str(first.call("", "POST", "/api/enrol", asked)[1]["token"])


def workers(one: ServerBus) -> set[int]:
    """List the processes that the arbiter of a machine has started."""
    assert one.process is not None
    pid = one.process.pid
    with suppress(OSError):
        return set(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
    return set()


@contextmanager
def fleet_on(
    cluster: Cluster, folder: Path, machines: int, name: str = DATABASE, **settings: str
) -> Iterator[FleetOf]:
    """Have so many machines on a new database of a cluster."""
    cluster.create(name)
    fleet = FleetOf(cluster, folder, name)
    first = ServerBus(folder / "first", database_url=cluster.url(name))
    first.init()
    fleet.admin = first.admin
    try:
        for _ in range(machines):
            fleet.add_machine(**settings)
        yield fleet
    finally:
        for one in fleet.machines:
            one.end()
        cluster.drop(name)
