"""A bus whose database is a PostgreSQL: what is made there, and what is refused with its reason."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from serverside import Elsewhere, ask, begin, command_on, ended

from bus.store.processes import buckets
from bus.store.schema import metadata
from bus.store.version import HEAD
from bus.store.words import lexemes

LATIN = "CREATE DATABASE {} ENCODING 'LATIN1' TEMPLATE template0 LOCALE_PROVIDER libc LOCALE 'C'"


def name_of(url: str) -> str:
    return url.rpartition("/")[2]


def password_of(url: str) -> str:
    return url.split(":")[2].partition("@")[0]


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "data"


def is_ours(name, kind, _parents):
    return kind != "table" or name not in {buckets.name, lexemes.name, "alembic_version"}


def test_an_empty_database_gets_the_schema_and_a_bus_serves_from_it(folder, database):
    made = command_on(folder, database)("init", "--json")
    assert (made.code, made.json["applied"]) == (0, [HEAD]), made.err
    engine = sa.create_engine(database, poolclass=sa.NullPool)
    with engine.connect() as conn:
        context = MigrationContext.configure(conn, opts={"include_name": is_ours})
        assert compare_metadata(context, metadata) == []
    bus = Elsewhere(folder)
    bus.database_url = database
    bus.start()
    admin = (folder / "admin.token").read_text().strip()
    assert bus.call(admin, "GET", "/api/agents")[0] == 200
    bus.stop()
    assert not (folder / "bus.db").exists()


def test_a_second_machine_finds_it_made_and_leaves_the_token_where_it_is(folder, database):
    assert command_on(folder, database)("init").code == 0
    second = command_on(folder.with_name("second"), database)("init", "--json")
    assert (second.code, second.json["applied"], second.json["is_new_token"]) == (0, [], False)
    assert not (folder.with_name("second") / "admin.token").exists()


def test_of_two_migrations_at_once_one_finds_it_done(folder, database):
    running = [begin(folder.with_name(name), database, "migrate") for name in ("one", "two")]
    said = sorted(ended(one).out for one in running)
    assert said == [f"applied {HEAD}\n", "nothing to do\n"]


def test_a_schema_does_not_change_under_a_running_bus(folder, database):
    assert command_on(folder, database)("init").code == 0
    ask(database, "UPDATE alembic_version SET version_num = '0018'")
    later_ms = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint + 3600000"
    ask(database, f"INSERT INTO processes VALUES ('p', 'attic', 77, 1, {later_ms}, '{{}}')")
    refused = command_on(folder, database)("migrate")
    assert (refused.code, "process 77 on attic" in refused.err) == (1, True), refused.err
    assert ask(database, "SELECT version_num FROM alembic_version") == [("0018",)]
    ask(database, "UPDATE alembic_version SET version_num = %s", HEAD)
    token = command_on(folder, database)("init", "--replace-admin-token")
    assert (token.code, "process 77 on attic" in token.err) == (1, True)


@pytest.mark.parametrize(("at", "says"), [("0018", "bus migrate"), ("9999", "newer program")])
def test_another_programs_schema_is_not_served(folder, database, at, says):
    assert command_on(folder, database)("init").code == 0
    ask(database, "UPDATE alembic_version SET version_num = %s", at)
    refused = command_on(folder, database)("serve")
    assert (refused.code, says in refused.err) == (4, True), refused.err


def test_an_empty_database_is_never_filled_with_a_new_bus_where_one_waits_to_move(folder, database):
    bus = command_on(folder, database)
    looked, refused = bus("doctor", "--json"), bus("serve")
    assert schema_of(looked) == ("bad", "the database is empty", "bus init")
    assert (refused.code, "is empty; fill it: bus init" in refused.err) == (4, True), refused.err
    assert command_on(folder)("init").code == 0
    looked, refused = bus("doctor", "--json"), bus("serve")
    mend = f"bus move carries over the bus of {folder / 'bus.db'}; a new one: bus init"
    assert schema_of(looked) == ("bad", "the database is empty", mend)
    assert (refused.code, mend in refused.err) == (4, True), refused.err


def test_doctor_names_no_step_that_the_schema_of_a_newer_program_would_refuse(folder, database):
    assert command_on(folder, database)("init").code == 0
    ask(database, "UPDATE alembic_version SET version_num = '9999'")
    looked = command_on(folder, database)("doctor", "--json")
    mend = "A newer program made it: install that one"
    assert schema_of(looked) == ("bad", f"9999; this program needs {HEAD}", mend)


def schema_of(answer) -> tuple[str, str, str]:
    (check,) = (check for check in answer.json["checks"] if check["name"] == "schema")
    return check["state"], check["found"], check["mend"]


def test_what_is_not_a_bus_is_left_alone(folder, database):
    ask(database, "CREATE TABLE others (n int)")
    refused = command_on(folder, database)("init")
    assert (refused.code, "none of a bus (others)" in refused.err) == (1, True), refused.err
    assert ask(database, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == [
        ("others",)
    ]


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        (lambda url: url.replace(name_of(url), "nowhere"), 4, "createdb"),
        (lambda url: url.replace("wakebus:", "wakebus:x"), 4, "refuses this user or password"),
        (lambda url: url.replace("wakebus:", "nobody:"), 4, "refuses this user or password"),
        (lambda url: f"postgresql+psycopg://wakebus@{url.rpartition('@')[2]}", 4, "a password"),
        (lambda url: url.replace("+psycopg", ""), 4, "begins with postgresql+psycopg://"),
        (lambda url: url.replace("postgresql+psycopg", "postgres"), 4, "postgresql+psycopg://"),
        (lambda url: url.replace("127.0.0.1:", "127.0.0.1:p"), 4, "its form is postgresql+psycopg"),
        (lambda url: url.replace("127.0.0.1", "[::1"), 4, "its form is postgresql+psycopg"),
        (lambda url: url.replace("wakebus:", "wakebus:x@"), 4, "%40"),
        (lambda url: f"{url}nowhere?password={password_of(url)}", 4, "there is no database"),
        (lambda _: "postgresql+psycopg://wakebus:x@127.0.0.1:1/bus", 1, "cannot be reached"),
        (lambda _: "postgresql+psycopg://wakebus@nowhere.invalid/bus", 1, "cannot be reached"),
    ],
)
def test_a_database_that_cannot_be_had_is_said_to_be_so(folder, database, change, code, says):
    for words in (("migrate",), ("serve",)):
        refused = command_on(folder, change(database))(*words)
        assert (refused.code, says in refused.err) == (code, True), (words, refused.err)
        assert "Traceback" not in refused.err
        assert password_of(database) not in refused.err, "the password"


def test_a_database_that_cannot_hold_every_text_is_refused(folder, server):
    server.execute(f"{LATIN.format('latin')} OWNER wakebus")
    refused = command_on(folder, server.url("latin"))("init")
    assert (refused.code, "encoding LATIN1" in refused.err) == (4, True), refused.err
    server.drop("latin")


def test_without_the_library_it_says_which_to_install(folder, database, tmp_path):
    hidden = tmp_path / "hidden" / "psycopg"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").write_text("raise ImportError('there is no psycopg')")
    for words in (("init",), ("serve",), ("doctor",), ("move",), ("backup",), ("migrate",)):
        refused = command_on(folder, database)(*words, PYTHONPATH=str(hidden.parent))
        assert "pip install 'wakebus[postgresql]'" in refused.err + refused.out, words
        assert refused.code in {1, 4}


def test_a_new_token_of_the_administration_ends_the_one_before(folder, database):
    assert command_on(folder, database)("init").code == 0
    before = (folder / "admin.token").read_text()
    made = command_on(folder, database)("init", "--replace-admin-token", "--json")
    assert (made.code, made.json["ended_tokens"]) == (0, 1), made.err
    assert (folder / "admin.token").read_text() != before


def checks_of(answer) -> dict[str, tuple[str, str]]:
    return {check["name"]: (check["state"], check["found"]) for check in answer.json["checks"]}


WRONG_CLOCK = """INSERT INTO processes (id, host, pid, started_ms, heard_ms, state)
    SELECT 'p', 'attic', 77, 1, (extract(epoch FROM clock_timestamp()) * 1000)::bigint + 3600000,
    '{"off_ms": -7000}'"""


def test_doctor_sees_what_would_lose_what_was_accepted(folder, database, server):
    """The cluster of the tests does not sync: that is what must be seen."""
    assert command_on(folder, database)("init").code == 0
    looked = command_on(folder, database)("doctor", "--json")
    found = checks_of(looked)
    assert (looked.code, found["promises"][0]) == (1, "bad")
    assert "fsync = off" in found["promises"][1]
    wrong = {name: seen for name, seen in found.items() if seen[0] == "bad"}
    assert set(wrong) == {"promises"}, wrong
    assert found["schema"] == ("ok", HEAD)
    assert found["bus"] == ("warn", "the bus is stopped")
    assert found["standbys"][1].startswith("none follows")
    bus = Elsewhere(folder)
    bus.database_url = database
    bus.start()
    ask(database, "ALTER ROLE wakebus SET synchronous_commit = off")
    ask(database, WRONG_CLOCK)
    try:
        found = checks_of(command_on(folder, database)("doctor", "--json"))
    finally:
        ask(database, "ALTER ROLE wakebus RESET synchronous_commit")
        bus.stop()
    assert "synchronous_commit = off" in found["promises"][1]
    assert found["their clocks"][0] == "warn"
    assert "-7000 ms (process 77 on attic)" in found["their clocks"][1]
    assert f" on {socket.gethostname()})" in found["their clocks"][1]
    away = command_on(folder, "postgresql+psycopg://wakebus:x@127.0.0.1:1/bus")("doctor", "--json")
    assert (away.code, checks_of(away)["database"][0]) == (1, "bad")


def test_doctor_sees_who_follows_and_what_a_standby_cannot(folder, server):
    url = server.create("followed")
    assert command_on(folder, url)("init").code == 0
    standby = server.standby()
    try:
        found = checks_of(command_on(folder, url)("doctor", "--json"))
        assert "GRANT pg_monitor TO wakebus" in found["standbys"][1]
        server.execute("GRANT pg_monitor TO wakebus")
        found = checks_of(command_on(folder, url)("doctor", "--json"))
        assert "streaming, async" in found["standbys"][1]
        there = url.replace(f":{server.port}/", f":{standby.port}/")
        assert "standby" in checks_of(command_on(folder, there)("doctor", "--json"))["server"][1]
        for words in (("migrate",), ("serve",)):
            refused = command_on(folder, there)(*words)
            assert (refused.code, "is a standby" in refused.err) == (4, True), refused.err
    finally:
        server.execute("REVOKE pg_monitor FROM wakebus")
        standby.end()
        server.drop("followed")


def test_hints_by_another_way_must_lead_to_the_same_database(folder, database, server):
    assert command_on(folder, database)("init").code == 0
    other = server.create("other_way")
    assert command_on(folder.with_name("other"), other)("init").code == 0
    refused = command_on(folder, database)("serve", BUS_NOTIFY_URL=other)
    assert (refused.code, "another database" in refused.err) == (4, True), refused.err
    server.drop("other_way")


def test_a_dump_never_has_the_password_on_a_command_line(folder, database, tmp_path):
    """The program that is found first is one that writes down how it was called."""
    assert command_on(folder, database)("init").code == 0
    seen, place = tmp_path / "seen", tmp_path / "bin"
    place.mkdir()
    script = f'#!/bin/sh\necho "$0 $*" >> {seen}\nexec /usr/bin/$(basename $0) "$@"\n'
    for name in ("pg_dump", "pg_restore"):
        (place / name).write_text(script)
        (place / name).chmod(0o755)
    path = f"{place}:{os.environ['PATH']}"
    made = command_on(folder, database)("backup", "--json", PATH=path)
    assert made.code == 0, made.err
    password = database.split(":")[2].partition("@")[0]
    assert "pg_dump" in seen.read_text()
    assert password not in seen.read_text()
    assert Path(made.json["file"]).stat().st_mode & 0o777 == 0o600
