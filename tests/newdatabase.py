"""A new database for a test: migrated once a process, and from then on a copy of that.

The migrations themselves are tried in tests/migration.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

from bus.config import Config
from bus.store.migrate import migrate
from tests import engine


@cache
def migrated() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        config = Config(data_dir=Path(folder))
        migrate(config)
        return config.db_path.read_bytes()


@cache
def migrated_on_server() -> str:
    name = f"migrated_{os.getpid()}"
    with tempfile.TemporaryDirectory() as folder:
        migrate(Config(data_dir=Path(folder), database_url=engine.cluster().create(name)))
    return name


def make_database(config: Config) -> Config:
    """Put a database of this program's schema where a configuration wants it.

    Gives the configuration to go on with: on PostgreSQL it names the new database.
    """
    config.data_dir.mkdir(parents=True, exist_ok=True)
    if engine.IS_POSTGRESQL:
        return replace(config, database_url=engine.make(config.data_dir, migrated_on_server()))
    config.db_path.write_bytes(migrated())
    return config
