"""A copy of a PostgreSQL's tables as a SQLite file, so that one judge reads the fates of both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from bus.store.schema import metadata

if TYPE_CHECKING:
    from pathlib import Path

BLOCK = 5000


def take_tables(url: str, to: Path) -> Path:
    """Copy every table, of one moment; gives the file."""
    to.mkdir(parents=True, exist_ok=True)
    file = to / "bus.db"
    file.unlink(missing_ok=True)
    source, target = sa.create_engine(url), sa.create_engine(f"sqlite:///{file}")
    metadata.create_all(target)
    moment = source.execution_options(isolation_level="REPEATABLE READ")
    with moment.connect() as reading, target.begin() as writing:
        for table in metadata.sorted_tables:
            rows = reading.execution_options(yield_per=BLOCK).execute(sa.select(table))
            for some in rows.mappings().partitions():
                writing.execute(table.insert(), [dict(row) for row in some])
    source.dispose()
    target.dispose()
    return file
