"""A bus that was put back to its backup: the watchers go on, and nothing old can harm the new."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command

from bus.store.migrate import alembic_config

BUS = str(Path(sys.executable).with_name("bus"))
pytestmark = pytest.mark.sqlite_only("its file put back; of a server, test_server_backup")
WORK = """
import pathlib, sys, time
folder = pathlib.Path(sys.argv[1])
body = next(line for line in sys.stdin if line.startswith("work "))
with (folder / "begun").open("a") as file:
    file.write(body)
while not (folder / "gate").exists():
    time.sleep(0.02)
with (folder / "done").open("a") as file:
    file.write(body)
"""


def run(bus, *words, code=0):
    done = subprocess.run(
        [BUS, *words], env=bus.environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def back_up(bus) -> str:
    return json.loads(run(bus, "backup", "--json").stdout)["file"]


def restore(bus, file: str) -> dict:
    return json.loads(run(bus, "restore", file, "--json").stdout)


def go_back(bus, file: str) -> dict:
    bus.stop(signal.SIGKILL)
    told = restore(bus, file)
    bus.start()
    return told


def send(bus, token: str, to: str, body: str, **headers: str) -> str:
    status, answer = bus.call(token, "POST", "/api/send", {"to": to, "body": body}, **headers)
    assert status == 202, answer
    return answer["id"]


def read(bus, token: str) -> list[dict]:
    return bus.call(token, "GET", "/api/inbox?wait=20")[1]["items"]


def wait_for_line(path: Path, line: str, process: subprocess.Popen) -> None:
    """Wait until a program has written a line; its own watcher's end would end the waiting."""
    while not path.exists() or line not in path.read_text():
        try:
            process.wait(0.02)
        except subprocess.TimeoutExpired:
            continue
        raise AssertionError("the watcher ended")


@pytest.mark.parametrize("turn_lives", [False, True])
def test_watchers_go_on_by_themselves_and_what_the_backup_had_open_is_done(
    bus, tmp_path, turn_lives
):
    boss = bus.add("boss", "person")
    work = [sys.executable, "-c", WORK, str(tmp_path)]
    bus.add_node("here", tmp_path / "node", {"slow": work})
    (watcher,) = bus.watchers
    before = [send(bus, boss, "slow", f"work {number}") for number in range(3)]
    wait_for_line(tmp_path / "begun", "work 0", watcher)
    file = back_up(bus)
    lost = send(bus, boss, "slow", "work lost")
    if not turn_lives:
        (tmp_path / "gate").touch()
        for message in [*before, lost]:
            bus.follow_until(boss, message, "acked", 30)
    told = go_back(bus, file)
    (tmp_path / "gate").touch()
    assert told["fenced"] == 1
    assert told["waiting"] == 3
    for message in before:
        bus.follow_until(boss, message, "acked", 60)
    assert bus.call(boss, "GET", f"/api/messages/{lost}")[0] == 404
    bus.follow_until(boss, send(bus, boss, "slow", "work after"), "acked", 30)
    assert watcher.poll() is None, "nobody had to start it again"
    done = (tmp_path / "done").read_text().split("\n")
    assert done[-2] == "work after"
    assert {f"work {number}" for number in range(3)} <= set(done)
    _, wakes = bus.call(boss, "GET", "/api/wakes?state=all")
    assert "restored" in {wake["result"] for wake in wakes["wakes"]}


def test_a_handle_printed_before_a_restore_settles_nothing_after_it(bus):
    boss, maria = bus.add("boss", "person"), bus.add("maria", "person")
    message = send(bus, boss, "maria", "read me")
    file = back_up(bus)
    printed = [read(bus, maria)[0]["handle"]]
    for _ in range(2):  # the same backup twice: the numbers of the first must not come again
        go_back(bus, file)
        status, answer = bus.call(maria, "POST", "/api/ack", {"handles": printed})
        assert (status, answer["code"]) == (409, "fenced")
        (item,) = read(bus, maria)
        assert item["handle"] not in printed
        assert (item["id"], item["attempt"]) == (message, 1)
        status, answer = bus.call(maria, "POST", "/api/ack", {"handles": printed})
        assert {one["result"] for one in answer["results"]} == {"fenced"}
        printed.append(item["handle"])
    assert bus.call(maria, "POST", "/api/ack", {"handles": printed[-1:]})[0] == 200


def test_a_cursor_of_before_gets_a_gap_and_no_number_is_given_twice(bus):
    boss, maria = bus.add("boss", "person"), bus.add("maria", "person")
    file = back_up(bus)
    for number in range(5):
        send(bus, boss, "maria", f"later {number}")
    head = first_frames(bus, maria, "now")["hello"]
    told = go_back(bus, file)
    got = first_frames(bus, maria, f"{head['epoch']}-{head['head']}")
    assert got["gap"]["epoch"] == told["epoch"] != head["epoch"]
    assert "another epoch" in got["gap"]["reason"]
    send(bus, boss, "maria", "new")
    assert first_frames(bus, maria, "now")["hello"]["head"] > head["head"]


def first_frames(bus, token: str, cursor: str) -> dict[str, dict]:
    """Give what a stream begins with, by event."""
    script = (
        "import json, sys, urllib.request as u\n"
        "r = u.Request(sys.argv[1], headers={'Authorization': 'Bearer ' + sys.argv[2]})\n"
        "got, name = {}, ''\n"
        "for line in u.urlopen(r, timeout=30):\n"
        "    key, _, value = line.decode().strip().partition(': ')\n"
        "    name = value if key == 'event' else name\n"
        "    if key == 'data': got[name] = json.loads(value)\n"
        "    if name in ('ready', sys.argv[3]) and not line.strip(): break\n"
        "print(json.dumps(got))\n"
    )
    url = f"{bus.url}/api/stream?last_event_id={cursor}"
    last = "hello" if cursor == "now" else "ready"
    argv = [sys.executable, "-c", script, url, token, last]
    return json.loads(subprocess.run(argv, capture_output=True, check=True, timeout=60).stdout)


def test_an_idempotency_key_of_a_message_that_is_gone_sends_it_again(bus):
    boss, maria = bus.add("boss", "person"), bus.add("maria", "person")
    known = send(bus, boss, "maria", "known", Idempotency_Key="k-1")
    file = back_up(bus)
    gone = send(bus, boss, "maria", "gone", Idempotency_Key="k-2")
    go_back(bus, file)
    assert send(bus, boss, "maria", "known", Idempotency_Key="k-1") == known
    assert send(bus, boss, "maria", "gone", Idempotency_Key="k-2") != gone
    assert [item["body"] for item in read(bus, maria)] == ["known", "gone"]


def test_a_token_that_was_ended_since_stays_ended_and_one_made_since_stays_good(bus):
    boss = bus.add("boss", "person")
    _, leaked = bus.call(bus.admin, "POST", "/api/tokens", {"kind": "person", "subject": "boss"})
    file = back_up(bus)
    bus.call(bus.admin, "DELETE", f"/api/tokens/{leaked['id']}")
    _, new = bus.call(bus.admin, "POST", "/api/tokens", {"kind": "person", "subject": "boss"})
    unknown = bus.add("late", "person")
    told = go_back(bus, file)
    assert told["carried"] == {"ended": 1, "kept": 1}
    statuses = [
        bus.call(token, "GET", "/api/whoami")[0]
        for token in (boss, leaked["token"], new["token"], unknown, bus.admin)
    ]
    assert statuses == [200, 401, 200, 401, 200]


def test_a_token_that_was_replaced_since_still_ends_when_its_grace_is_over(bus):
    old = bus.add("boss", "person")
    file = back_up(bus)
    rotation = {"kind": "person", "subject": "boss", "grace_s": 3600}
    new = bus.call(bus.admin, "POST", "/api/tokens/rotate", rotation)[1]
    newest = bus.call(bus.admin, "POST", "/api/tokens/rotate", rotation)[1]
    before = {one["id"]: one["ends_at"] for one in tokens_of(bus)}
    go_back(bus, file)
    after = {one["id"]: one["ends_at"] for one in tokens_of(bus)}
    assert after == before
    assert [id_ for id_, ends_at in after.items() if ends_at is None] == [newest["id"]]
    assert bus.call(old, "GET", "/api/whoami")[0] == 200
    assert bus.call(new["token"], "GET", "/api/whoami")[0] == 200


def tokens_of(bus) -> list[dict]:
    known = bus.call(bus.admin, "GET", "/api/tokens")[1]["tokens"]
    return [one for one in known if one["kind"] == "person"]


def test_an_agent_that_got_a_token_since_is_not_the_household_s_secret_s_again(bus):
    for name in ("kept", "ended", "never"):
        bus.call(bus.admin, "POST", "/api/agents", {"name": name})
    file = back_up(bus)
    for name in ("kept", "ended"):
        body = {"kind": "agent", "subject": name}
        made = bus.call(bus.admin, "POST", "/api/tokens", body)[1]
    bus.call(bus.admin, "DELETE", f"/api/tokens/{made['id']}")
    go_back(bus, file)
    agents = bus.call(bus.admin, "GET", "/api/agents")[1]["agents"]
    assert [one["name"] for one in agents if one["shared_secret"]] == ["never"]


def test_where_the_old_database_is_broken_it_is_said_that_ended_tokens_are_good_again(bus):
    boss = bus.add("boss", "person")
    file = back_up(bus)
    bus.stop()
    broken = bus.data_dir / "bus.db"
    broken.write_bytes(b"broken" * 10_000)
    said = run(bus, "restore", file)
    assert "GOOD AGAIN" in said.stderr
    kept = next(line for line in said.stdout.splitlines() if "is kept" in line).split()[-1]
    assert Path(kept).read_bytes() == b"broken" * 10_000
    bus.start()
    assert bus.call(boss, "GET", "/api/whoami")[0] == 200
    assert bus.call(bus.admin, "GET", "/api/whoami")[0] == 200


def test_a_lost_machine_comes_back_on_a_new_one_with_a_token_to_administer(bus, tmp_path):
    boss = bus.add("boss", "person")
    file = back_up(bus)
    bus.stop()
    bus.data_dir = tmp_path / "new" / "machine"
    (tmp_path / "new").mkdir()
    told = restore(bus, file)
    assert told["is_new_token"]
    token = bus.data_dir / "admin.token"
    assert token.stat().st_mode & 0o777 == 0o600
    assert (bus.data_dir / "bus.db").stat().st_mode & 0o777 == 0o600
    bus.start()
    assert bus.call(token.read_text().strip(), "GET", "/api/tokens")[0] == 200
    assert bus.call(boss, "GET", "/api/whoami")[0] == 200


def test_the_command_that_starts_it_again_is_its_last_word_and_works_in_any_shell(bus):
    file = back_up(bus)
    bus.stop()
    last = run(bus, "restore", file).stdout.splitlines()[-1]
    command = last.removeprefix("Next, start the bus: ")
    path = f"{Path(BUS).parent}:/usr/bin:/bin"
    bus.process = subprocess.Popen(
        ["/bin/sh", "-c", f"exec env {command}"],
        env={"PATH": path, "HOME": "/nowhere", "BUS_PORT": bus.environment["BUS_PORT"]},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with bus.process.stderr as said:
        assert f"listens on {bus.url}, data in {bus.data_dir}\n" in said.readline()
        bus.wait_ready()
        bus.stop()


def test_a_running_bus_is_not_restored_under_its_feet(bus):
    boss = bus.add("boss", "person")
    file = back_up(bus)
    send(bus, boss, "boss", "still here")
    assert "another bus (process" in run(bus, "restore", file, code=1).stderr
    assert [item["body"] for item in read(bus, boss)] == ["still here"]


@pytest.fixture
def stopped(bus):
    """A stopped bus, whose database must be untouched at the end."""
    bus.stop()
    file = bus.data_dir / "bus.db"
    before = file.read_bytes()
    yield bus
    assert file.read_bytes() == before
    assert not (bus.data_dir / ".restoring").exists()


def test_what_is_no_sound_backup_changes_nothing(stopped, tmp_path):
    good = Path(back_up(stopped))
    newer, torn, other, text = (tmp_path / name for name in ("new", "torn", "other", "text"))
    newer.write_bytes(good.read_bytes())
    with closing(sqlite3.connect(newer)) as conn:
        conn.execute("UPDATE alembic_version SET version_num = '9999'")
        conn.commit()
    whole = good.read_bytes()
    torn.write_bytes(whole[: len(whole) // 2])
    with closing(sqlite3.connect(other)) as conn:
        conn.execute("CREATE TABLE cats (name)")
    text.write_text("not a database, but a text that is long enough" * 50)
    refused = {newer: "9999", torn: "malformed", other: "none of a bus", text: "not a database"}
    for file, why in refused.items():
        assert why in run(stopped, "restore", str(file), code=1).stderr
    assert "no such file" in run(stopped, "restore", str(tmp_path / "none"), code=4).stderr
    live = stopped.data_dir / "bus.db"
    assert "the database itself" in run(stopped, "restore", str(live), code=1).stderr


def test_an_older_backup_is_migrated(bus, tmp_path):
    bus.stop()
    old = tmp_path / "old.db"
    import sqlalchemy as sa  # noqa: PLC0415 - for this one test

    engine = sa.create_engine(f"sqlite:///{old}")
    with engine.begin() as connection:
        command.upgrade(alembic_config(connection), "0001")
    engine.dispose()
    told = restore(bus, str(old))
    bus.start()
    assert bus.call(bus.admin, "GET", "/api/agents")[0] == 200
    assert bus.call(bus.admin, "GET", "/api/whoami")[1]["epoch"] == told["epoch"]


def test_older_backups_go_over_a_restore_too(bus):
    first = back_up(bus)
    go_back(bus, first)
    run(bus, "backup", str(Path(first).parent), "--keep", "1")
    assert not Path(first).exists()
