"""Put a copy of a PostgreSQL into an empty database, marked until the new epoch has begun.

Unlike a file, a database cannot be exchanged in one step by who only owns it; so a copy goes into
one that is empty, and the present one is left to whoever can compare the two. Once the copy is in
it is made ready in a transaction of its own: what was cut off in between is marked, is not served,
and is thrown away by the next attempt.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from bus.errors import ConflictError, InvalidRequestError, SchemaError
from bus.store import connecting, dumping, servermigrate, whole
from bus.store.migrate import pending

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bus.config import Config
    from bus.store.connecting import Place
    from bus.store.copying import Progress


@contextmanager
def prepare_server(
    config: Config, place: Place, file: Path, progress: Progress
) -> Iterator[Config]:
    """Have a copy in a database, at this program's schema; it is whole once the block has ended.

    Raises:
        BusError: it is no copy, is broken or of a newer program, or the database is not empty.
    """
    check_file(file)
    with connecting.connected(place, writes=True) as conn:
        servermigrate.take(conn)
        begun = whole.read_mark(conn)
        if begun is not None and begun[0] != "restore":
            raise ConflictError(
                f"{place.shown} has half of a move; empty it, or restore into another database: "
                "bus restore FILE --into NAME"
            )
        if begun is None:
            check_empty(place, whole.filled(conn))
        with conn.transaction():
            whole.clear(conn)
            whole.begin(conn, "restore", {"file": str(file)})
        progress("restoring", 0, 1)
        dumping.restore_dump(place, file)
        progress("restoring", 1, 1)
        servermigrate.bring_up(place, is_held=True)
        yield replace(config, database_url=place.url, notify_url="")
        whole.end(conn)


def check_file(file: Path) -> None:
    """Refuse what is no copy of a PostgreSQL, or of a newer program's."""
    with file.open("rb") as begun:
        first = begun.read(16)
    if first.startswith(b"SQLite format 3"):
        raise InvalidRequestError(
            f"{file} is a backup of SQLite: restore it without BUS_DATABASE_URL, and carry the bus "
            "over: bus move"
        )
    if not first.startswith(dumping.MAGIC):
        raise SchemaError(f"{file} is no backup of a bus")
    try:
        pending(dumping.check_dump(file))
    except SchemaError as error:
        raise SchemaError(f"{file}: {error.detail}") from error


def check_empty(place: Place, filled: list[str]) -> None:
    """Refuse a database with anything in it: what is there is never written over."""
    if not filled:
        return
    fresh = place.but(f"{place.name}_restored")
    raise ConflictError(
        f"{place.shown} is not empty ({', '.join(filled[:3])}), and nothing is written over. Make "
        f"another, as the server's administrator: {fresh.createdb}; then: "
        f"bus restore FILE --into {fresh.name}"
    )
