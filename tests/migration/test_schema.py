"""The migrations arrive at exactly the schema that the program works with."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from bus.config import Config
from bus.errors import SchemaError
from bus.store.migrate import alembic_config, migrate
from bus.store.schema import ENTRIES_FTS, metadata
from bus.store.version import HEAD


@pytest.fixture
def config(tmp_path):
    return Config(data_dir=tmp_path)


def is_ours(name, kind, _parents):
    """Leave out what SQLite keeps for an index of words; it is no table of ours."""
    return kind != "table" or not name.startswith(ENTRIES_FTS)


def test_all_migrations_give_the_schema(config):
    migrate(config)
    engine = sa.create_engine(f"sqlite:///{config.db_path}")
    with engine.connect() as conn:
        context = MigrationContext.configure(conn, opts={"include_name": is_ours})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_the_program_names_the_newest_migration():
    assert ScriptDirectory.from_config(alembic_config()).get_heads() == [HEAD]


def test_a_second_migration_has_nothing_to_do(config):
    assert migrate(config)[-1] == HEAD
    assert migrate(config) == []


def test_a_database_of_a_newer_program_is_left_alone(config):
    migrate(config)
    engine = sa.create_engine(f"sqlite:///{config.db_path}")
    with engine.begin() as conn:
        conn.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    engine.dispose()
    with pytest.raises(SchemaError, match="9999"):
        migrate(config)


def test_a_database_of_before_quiet_hours_keeps_its_agents_and_is_quiet_for_none(config):
    engine = sa.create_engine(f"sqlite:///{config.db_path}")
    with engine.begin() as conn:
        command.upgrade(alembic_config(conn), "0005")
        conn.exec_driver_sql(
            "INSERT INTO participants (name, kind, created_ms) VALUES ('old', 'person', 1)"
        )
    assert migrate(config)[-1] == HEAD
    with engine.connect() as conn:
        row = conn.execute(sa.text("SELECT name, quiet, brief_ms FROM participants")).one()
        assert tuple(row) == ("old", None, None)
    engine.dispose()


def test_a_database_of_before_alerts_keeps_its_agents_whose_alerts_go_as_usual(config):
    engine = sa.create_engine(f"sqlite:///{config.db_path}")
    with engine.begin() as conn:
        command.upgrade(alembic_config(conn), "0010")
        conn.exec_driver_sql(
            "INSERT INTO participants (name, kind, created_ms) VALUES ('old', 'named', 1)"
        )
    assert migrate(config)[-1] == HEAD
    with engine.connect() as conn:
        row = conn.execute(sa.text("SELECT name, escalate_to FROM participants")).one()
        assert tuple(row) == ("old", None)
        assert conn.execute(sa.text("SELECT count(*) FROM alerts")).scalar() == 0
    engine.dispose()
