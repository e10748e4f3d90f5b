"""Migrations, run by `bus migrate` alone: never silently, all or nothing.

Alembic's own SQLite transactions do not cover DDL, so the whole upgrade runs in one
`BEGIN IMMEDIATE` of ours, with foreign keys off (a batch rebuild would delete child rows) and
checked before COMMIT.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.script import ScriptDirectory

from bus.errors import SchemaError
from bus.store.copying import copy_checked, silent
from bus.store.lock import held
from bus.store.version import HEAD, newer, read_version

if TYPE_CHECKING:
    import sqlite3

    from bus.config import Config
    from bus.store.copying import Progress


def scripts() -> Path:
    """Find the migrations: in the wheel beside the package, in a checkout at its top."""
    package = Path(__file__).resolve().parents[1]
    shipped = package / "_migrations"
    return shipped if shipped.is_dir() else package.parent / "migrations"


def alembic_config(connection: sa.Connection | None = None) -> AlembicConfig:
    """Build Alembic's configuration in code; there is no ini file to lose."""
    config = AlembicConfig()
    config.set_main_option("script_location", str(scripts()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def migrate(config: Config, *, backup: bool = False, progress: Progress = silent) -> list[str]:
    """Bring the database to this program's schema; gives the revisions applied, oldest first.

    Raises:
        SchemaError: the database is newer than this program.
        LockedError: a bus is running on it.
    """
    config.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    if config.is_postgresql:
        from bus.store.servermigrate import migrate_server  # noqa: PLC0415 - it imports this

        return migrate_server(config, backup=backup, progress=progress)
    with held(config.db_path):
        return upgrade(config, backup=backup, progress=progress)


def upgrade(config: Config, *, backup: bool, progress: Progress = silent) -> list[str]:
    """Upgrade with the lock held."""
    at = read_version(config.db_path)
    steps = pending(at)
    if not steps:
        return []
    if backup and at is not None:
        kept = config.db_path.with_name(f"{config.db_path.name}.before-{HEAD}")
        copy_checked(config.db_path, kept, progress)
    engine = sa.create_engine(f"sqlite:///{config.db_path}")
    try:
        run_upgrade(engine)
    finally:
        engine.dispose()
    config.db_path.chmod(0o600)
    return steps


def pending(at: str | None) -> list[str]:
    """List the revisions after one, oldest first."""
    directory = ScriptDirectory.from_config(alembic_config())
    known = [script.revision for script in directory.walk_revisions()]
    if at is not None and at not in known:
        raise newer(at)
    return list(reversed(known[: known.index(at)] if at is not None else known))


def run_upgrade(engine: sa.Engine) -> None:
    """Run every pending revision in one transaction."""

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=OFF")

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    with engine.connect() as connection, connection.begin():
        command.upgrade(alembic_config(connection), "head")
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        if broken:
            raise SchemaError(f"the migration would leave rows without their parents: {broken[:3]}")
