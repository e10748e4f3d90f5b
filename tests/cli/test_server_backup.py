"""A copy of a PostgreSQL is whole and counted; put back, it begins a new time, with its tokens."""

from __future__ import annotations

from pathlib import Path

import pytest
from serverside import Elsewhere, ask, command_on

from bus.store.backup import list_backups


@pytest.fixture
def talking(tmp_path, database):
    """A bus on a database, with a message from `anna` to herself; it is stopped."""
    folder = tmp_path / "data"
    assert command_on(folder, database)("init").code == 0
    bus = Elsewhere(folder)
    bus.database_url = database
    bus.start()
    bus.admin = (folder / "admin.token").read_text().strip()
    bus.anna = bus.add("anna")
    send(bus, "kept")
    return bus


def send(bus, body: str) -> None:
    assert bus.call(bus.anna, "POST", "/api/send", {"to": "anna", "body": body})[0] == 202


def bodies(url: str) -> list[str]:
    return [body for (body,) in ask(url, "SELECT body FROM messages ORDER BY created_ms")]


def epoch_of(url: str) -> str:
    return ask(url, "SELECT value FROM meta WHERE key = 'epoch'")[0][0]


def backed_up(bus) -> Path:
    made = command_on(bus.data_dir, bus.database_url)("backup", "--json")
    assert made.code == 0, made.err
    return Path(made.json["file"])


def test_a_copy_is_made_while_the_bus_runs_and_put_back_elsewhere(talking, database, server):
    file = backed_up(talking)
    send(talking, "since")
    later = talking.token("anna")
    tokens = talking.call(talking.admin, "GET", "/api/tokens")[1]["tokens"]
    old = next(
        one["id"] for one in tokens if one.get("participant") == "anna" or one["kind"] == "agent"
    )
    assert talking.call(talking.admin, "DELETE", f"/api/tokens/{old}")[0] in {200, 204}
    talking.stop()
    command = command_on(talking.data_dir, database)
    ask(database, "DELETE FROM processes")
    url = server.create("elsewhere")
    done = command("restore", str(file), "--into", "elsewhere", "--json")
    assert done.code == 0, done.err
    assert (bodies(url), bodies(database)) == (["kept"], ["kept", "since"])
    assert epoch_of(url) == done.json["epoch"] != epoch_of(database)
    assert done.json["carried"] == {"ended": 1, "kept": 1}
    assert done.json["into"].endswith("/elsewhere")
    talking.database_url = url
    talking.start()
    assert talking.call(talking.anna, "GET", "/api/inbox")[0] == 401, "revoked stays revoked"
    talking.anna = later
    send(talking, "after")
    newest = ask(url, "SELECT max(seq) FROM log")[0][0]
    assert newest > 10**15, "no number of the log is given twice"
    talking.stop()
    server.drop("elsewhere")


def test_nothing_is_ever_written_over(talking, database):
    file = backed_up(talking)
    talking.stop()
    ask(database, "DELETE FROM processes")
    refused = command_on(talking.data_dir, database)("restore", str(file))
    assert (refused.code, "nothing is written over" in refused.err) == (1, True), refused.err
    assert "--into" in refused.err
    assert bodies(database) == ["kept"]


def test_a_restore_that_was_cut_off_is_not_served_and_done_anew(talking, server):
    file = backed_up(talking)
    talking.stop()
    url = server.create("cut_off")
    ask(url, "CREATE TABLE unfinished (what text NOT NULL, facts text NOT NULL)")
    ask(url, "INSERT INTO unfinished VALUES ('restore', '{}')")
    ask(url, "CREATE TABLE messages (id text)")
    ask(url, "INSERT INTO messages VALUES ('half')")
    command = command_on(talking.data_dir, url)
    refused = command("serve")
    assert (refused.code, "bus restore FILE" in refused.err) == (4, True), refused.err
    assert "has not ended" in command("init").err
    done = command("restore", str(file))
    assert done.code == 0, done.err
    assert bodies(url) == ["kept"]
    talking.database_url = url
    talking.start()
    talking.stop()
    server.drop("cut_off")


def test_a_file_that_cannot_be_put_back_changes_nothing(talking, server, tmp_path):
    file = backed_up(talking)
    talking.stop()
    url = server.create("wanted")
    command = command_on(talking.data_dir, url)
    half, other = tmp_path / "half.dump", tmp_path / "other.dump"
    half.write_bytes(file.read_bytes()[:40_000])
    other.write_bytes(b"something else")
    for wrong in (half, other):
        refused = command("restore", str(wrong))
        assert refused.code == 1, refused.err
        assert str(wrong) in refused.err
        assert ask(url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == []
    on_file = command_on(tmp_path / "file")
    assert on_file("init").code == 0
    assert "set BUS_DATABASE_URL" in on_file("restore", str(file)).err
    assert on_file("backup").code == 0
    (of_file,) = list_backups(tmp_path / "file" / "backups")
    assert "backup of SQLite" in command("restore", str(of_file)).err
    server.drop("wanted")


def test_the_newest_are_kept_of_either_kind_and_another_bus_loses_none(talking, tmp_path):
    folder = tmp_path / "kept"
    folder.mkdir()
    epoch = epoch_of(talking.database_url)
    names = [
        f"wakebus-20240101T000000Z-{epoch}.db",
        f"wakebus-20240102T000000Z-{epoch}.dump",
        "wakebus-20240102T000000Z-another.dump",
        "mine.dump",
    ]
    for name in names:
        (folder / name).write_text("")
    made = command_on(talking.data_dir, talking.database_url)(
        "backup", str(folder), "--keep", "2", "--json"
    )
    assert made.code == 0, made.err
    left = {path.name for path in folder.iterdir()}
    assert left == {*names[1:], Path(made.json["file"]).name}
    named = command_on(talking.data_dir, talking.database_url)("backup", str(tmp_path / "x.db"))
    assert "NAME.dump" in named.err
    talking.stop()
