"""Whether a bus may serve from its PostgreSQL: asked in a process of its own, before the fork.

What serves must not have loaded psycopg before gevent has patched: it would wait with the whole
process. So `ask` starts this module as a program, hands it the addresses by its standard input,
and raises here what it was told there.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from bus.errors import BusError, ConfigError, LockedError, SchemaError, StorageFailedError

if TYPE_CHECKING:
    from bus.config import Config

REFUSALS = {
    error.code: error for error in (ConfigError, SchemaError, LockedError, StorageFailedError)
}


def ask(config: Config) -> str | None:
    """Give the revision of the database, or None where it is empty.

    Raises:
        BusError: it cannot be reached or used, it is not whole, or a command has it for itself.
    """
    done = subprocess.run(
        [sys.executable, "-m", "bus.store.asked"],
        input=json.dumps([config.database_url, config.notify_url]),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise StorageFailedError("the database could not be asked: see above")
    told = json.loads(done.stdout)
    if "refused" in told:
        raise REFUSALS.get(told["refused"], StorageFailedError)(told["detail"])
    at: str | None = told["at"]
    return at


def look(database_url: str, notify_url: str) -> str | None:
    """Look at it by both ways, which must lead to the same."""
    from bus.store import connecting, servermigrate, whole  # noqa: PLC0415 - here they may be loaded

    place, is_pooled = connecting.find_place(database_url), bool(notify_url)
    with connecting.connected(place, writes=True, pooled=is_pooled) as conn:
        whole.check_whole(conn)
        at = servermigrate.read_schema(conn)
        if at is None:
            return None
        epoch = servermigrate.read_epoch(conn)
    direct = connecting.find_place(notify_url or database_url)
    with connecting.connected(direct, writes=True) as conn:
        if servermigrate.read_epoch(conn) != epoch:
            raise ConfigError("BUS_NOTIFY_URL leads to another database than BUS_DATABASE_URL")
        servermigrate.check_free(conn)
    return at


def main() -> None:
    """Read the addresses, and write what was found."""
    try:
        told: dict[str, str | None] = {"at": look(*json.load(sys.stdin))}
    except BusError as error:
        told = {"refused": error.code, "detail": error.detail}
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()
