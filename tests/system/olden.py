"""Run inside: put what a database holds into one of the first schema, as an old program left it."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa
from alembic import command

from bus.store.migrate import alembic_config

now, old = f"{sys.argv[1]}/bus.db", f"{sys.argv[1]}/old.db"
with sa.create_engine(f"sqlite:///{old}").begin() as connection:
    command.upgrade(alembic_config(connection), "0001")
with closing(sqlite3.connect(old)) as made:
    made.execute("ATTACH ? AS now", [now])
    tables = made.execute("SELECT name FROM main.sqlite_schema WHERE type = 'table'").fetchall()
    for (table,) in tables:
        if table == "alembic_version" or table.startswith("sqlite_"):
            continue
        there = {row[1] for row in made.execute(f"PRAGMA now.table_info({table})")}
        both = [row[1] for row in made.execute(f"PRAGMA main.table_info({table})")]
        names = ", ".join(f'"{name}"' for name in both if name in there)
        made.execute(f"DELETE FROM main.{table}")
        made.execute(f"INSERT INTO main.{table} ({names}) SELECT {names} FROM now.{table}")
    made.commit()
Path(old).replace(now)
for rest in ("-wal", "-shm"):
    Path(f"{now}{rest}").unlink(missing_ok=True)
