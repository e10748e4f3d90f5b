"""A bus goes from its SQLite file to a PostgreSQL with all it has, whatever comes in between."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from contextlib import closing

import pytest
from serverside import Elsewhere, ask, command_on, move_and_die

from tests.bench import filler
from tests.postgres import program

pytestmark = pytest.mark.sqlite_only("a bus on SQLite is what is moved")
MESSAGES = 60


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A data folder with some settled mail, a session with words, and a token for `anna`."""
    folder = tmp_path_factory.mktemp("filled") / "data"
    assert command_on(folder)("init").code == 0
    filler.add_old(folder / "bus.db", MESSAGES, agents=4)
    tokens = filler.add_agents(folder / "bus.db", ["anna", "bob"])
    filler.add_sessions(folder / "bus.db", ["anna", "bob"], 2, 5)
    return folder, tokens["anna"]


@pytest.fixture
def folder(filled, tmp_path):
    shutil.copytree(filled[0], tmp_path / "data")
    return tmp_path / "data"


def tables_of(folder) -> dict[str, int]:
    with closing(sqlite3.connect(folder / "bus.db")) as conn:
        names = ("messages", "deliveries", "ladder", "log", "tokens", "entries", "participants")
        return {name: conn.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in names}


def count(url: str, table: str) -> int:
    return ask(url, f"SELECT count(*) FROM {table}")[0][0]


def epoch_of(folder) -> str:
    with closing(sqlite3.connect(folder / "bus.db")) as conn:
        return conn.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()[0]


def write(folder, statement: str, *values) -> None:
    with closing(sqlite3.connect(folder / "bus.db")) as conn, conn:
        conn.execute(statement, values)


def test_what_waits_is_read_there_and_a_cursor_goes_on_where_it_was(folder, filled, database):
    bus, token = Elsewhere(folder), filled[1]
    bus.start()
    assert bus.call(token, "POST", "/api/send", {"to": "bob", "body": "before"})[0] == 202
    bus.stop()
    write(folder, "DELETE FROM log WHERE seq > 5")
    with closing(sqlite3.connect(folder / "bus.db")) as conn:
        last = conn.execute("SELECT seq FROM sqlite_sequence WHERE name = 'log'").fetchone()[0]
        given = conn.execute("SELECT seq FROM sqlite_sequence WHERE name = 'deliveries'")
        last_delivery = given.fetchone()[0]
    moved = command_on(folder, database)("move", "--json")
    assert moved.code == 0, moved.err
    bus.database_url = database
    bus.start()
    assert bus.call(token, "POST", "/api/send", {"to": "bob", "body": "after"})[0] == 202
    bus.stop()
    assert ask(database, "SELECT value FROM meta WHERE key = 'epoch'") == [(epoch_of(folder),)]
    assert ask(database, "SELECT min(seq) FROM log WHERE seq > 5") == [(last + 1,)]
    assert ask(database, "SELECT max(id) FROM deliveries") == [(last_delivery + 1,)]
    assert ask(database, "SELECT body FROM messages ORDER BY created_ms DESC LIMIT 2") == [
        ("after",),
        ("before",),
    ]


def test_everything_is_counted_and_both_sides_have_one_checksum(folder, database):
    before = (folder / "bus.db").stat().st_size
    moved = command_on(folder, database)("move", "--json").json
    for name, rows in tables_of(folder).items():
        assert (moved["rows"][name], count(database, name)) == (rows, rows), name
    assert moved["rows"]["messages"] == MESSAGES
    assert all(len(checksum) == 64 for checksum in moved["checksums"].values())
    assert count(database, "entries_fts") == 10, "what was said is found there, too"
    assert (folder / "bus.db").stat().st_size == before
    again = command_on(folder, database)("move")
    assert (again.code, "has moved already" in again.err) == (1, True)


def test_a_moved_database_has_the_schema_of_a_new_one(folder, database, server):
    other = server.create("new_one")
    assert command_on(folder, other)("migrate").code == 0
    assert command_on(folder, database)("move").code == 0
    seen = []
    for url in (database, other):
        words = [str(program("pg_dump")), "--schema-only", "-d", url.replace("+psycopg", "")]
        said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        seen.append(sorted(line for line in said.splitlines() if "restrict" not in line))
    server.drop("new_one")
    assert seen[0] == seen[1]


@pytest.mark.parametrize(
    ("step", "at"), [("copying", 14), ("indexing", 30), ("checking", 9), ("ending", 0)]
)
def test_a_move_that_is_killed_goes_on_and_repeats_nothing(folder, database, step, at):
    move_and_die(folder, database, step, at)
    for url in ("", database):
        refused = command_on(folder, url)("serve")
        assert (refused.code, "bus move" in refused.err) == (4, True), refused.err
    rows = "SELECT xmin::text, name FROM participants ORDER BY name"
    before = ask(database, rows)
    moved = command_on(folder, database)("move", "--json")
    assert moved.code == 0, moved.err
    assert moved.json["went_on"]
    assert ask(database, rows) == before != []
    for name, number in tables_of(folder).items():
        assert count(database, name) == number, name
    assert "has moved to" in command_on(folder)("serve").err


def test_a_copy_that_is_not_alike_is_never_served(folder, database):
    move_and_die(folder, database, "indexing", 0)
    ask(database, "UPDATE ladder SET state = 'dead' WHERE id = 3")
    said = command_on(folder, database)("move")
    assert (said.code, "table ladder and its copy are not alike at 3" in said.err) == (1, True)
    assert "not whole" in command_on(folder, database)("serve").err
    anew = command_on(folder, database)("move", "--anew")
    assert anew.code == 0, anew.err


def test_a_text_with_a_nul_is_named_and_goes_over_without_it(folder, database):
    write(folder, "UPDATE ladder SET reason = 'a' || char(0) || 'b' WHERE id = 7")
    moved = command_on(folder, database)("move")
    assert moved.code == 0, moved.err
    assert "1 of ladder had the character NUL" in moved.err
    assert "there now: 7\n" in moved.err
    assert ask(database, "SELECT reason FROM ladder WHERE id = 7") == [("a�b",)]


def test_it_goes_only_into_an_empty_database_and_from_a_stopped_bus(folder, database, server):
    assert command_on(folder, database)("init").code == 0
    bus = Elsewhere(folder)
    refused = command_on(folder, database)("move")
    assert (refused.code, "is not empty: it has tokens" in refused.err) == (1, True)
    assert "createdb" in refused.err
    shutil.copy(folder / "admin.token", folder / "kept")
    bus.start()
    running = command_on(folder, database)("move")
    assert (running.code, "another bus" in running.err) == (1, True)
    bus.stop()
    server.execute("CREATE TABLE others (n int)", database.rpartition("/")[2])
    nowhere = command_on(folder)("move")
    assert (nowhere.code, "--to" in nowhere.err) == (4, True)
    bus.start()
    bus.stop()


def test_half_of_another_move_is_thrown_away_only_where_that_is_said(folder, database, tmp_path):
    other = tmp_path / "other"
    assert command_on(other)("init").code == 0
    move_and_die(other, database, "copying", 3)
    refused = command_on(folder, database)("move")
    assert (refused.code, "--anew" in refused.err) == (1, True), refused.err
    assert command_on(folder)("migrate").code == 0
    assert command_on(folder, database)("move", "--anew").code == 0
    assert count(database, "messages") == MESSAGES


def test_back_before_the_end_nothing_has_changed_and_after_it_time_began_anew(folder, database):
    epoch = epoch_of(folder)
    move_and_die(folder, database, "copying", 14)
    assert command_on(folder)("move", "--undo").code == 0
    assert epoch_of(folder) == epoch
    bus = Elsewhere(folder)
    bus.start()
    bus.stop()
    assert command_on(folder, database)("move", "--anew").code == 0
    back = command_on(folder)("move", "--undo", "--json")
    assert back.code == 0, back.err
    assert epoch_of(folder) == back.json["begun"]["epoch"] != epoch
    bus.start()
    bus.stop()
    assert command_on(folder)("move", "--undo").code == 1
