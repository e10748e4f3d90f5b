"""The doctor says what is not well, and how to mend it; and calls nothing ill that is well."""

from __future__ import annotations

import http.server
import json
import sqlite3
import subprocess
import threading
import time
from contextlib import ExitStack, closing

import pytest
from commandline import CommandLine

from bus.cli import checksaround

pytestmark = pytest.mark.sqlite_only("its file; of a server, test_on_a_server")

DAY_MS = 86_400_000


def examine(line: CommandLine, *words: str, code: int = 0) -> dict[str, dict[str, str]]:
    got = line("doctor", "--json", *words)
    assert got.code == code, got.out + got.err
    return {check["name"]: check for check in got.json["checks"]}


def ill(found: dict[str, dict[str, str]]) -> dict[str, str]:
    """Give what is not well, its backups and systemd's units aside."""
    bad = {name: check["state"] for name, check in found.items() if check["state"] != "ok"}
    return {name: state for name, state in bad.items() if "wakebus" not in name}


def test_a_bus_that_is_well_is_called_well(bus, as_admin):
    assert ill(examine(as_admin)) == {"backups": "warn"}
    assert as_admin("backup").code == 0
    found = examine(as_admin)
    assert ill(found) == {}
    assert str(bus.process.pid) in found["bus"]["found"]
    shown = as_admin("doctor").out
    assert "every table is sound" in shown
    assert "two writers" in shown or "SQLite         3.5" in shown


def test_a_stopped_bus_can_be_examined_and_is_not_changed(bus, as_admin):
    as_admin("backup")
    bus.stop()
    before = (bus.data_dir / "bus.db").read_bytes()
    assert ill(examine(as_admin)) == {"bus": "warn"}
    assert (bus.data_dir / "bus.db").read_bytes() == before
    bus.start()


@pytest.fixture
def stopped(bus, as_admin):
    """A stopped bus with a backup, one message, one machine seen now; and its database."""
    as_admin("node", "add", "shed", "--agents", "anna")
    as_admin("backup")
    bus.stop()
    with closing(sqlite3.connect(bus.data_dir / "bus.db", isolation_level=None)) as conn:
        conn.execute("UPDATE nodes SET seen_ms = ?", (now_ms(),))
        yield bus, conn


READY = {"status": "ready", "epoch": "e", "clock_off_s": -7200.5, "set_aside": 2}
FAILS = {"code": "storage_failed", "detail": "the disk fails", "status": 503, "retryable": True}


@pytest.fixture
def scripted():
    """Answer `/readyz` by a script of statuses, the last for ever; gives the address."""
    with ExitStack() as stack:

        def serve(statuses):
            class Answers(http.server.BaseHTTPRequestHandler):
                def do_GET(self):
                    status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
                    body = json.dumps(READY if status == 200 else FAILS).encode()
                    kind = "json" if status == 200 else "problem+json"
                    self.send_response(status)
                    self.send_header("Content-Type", f"application/{kind}")
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

                def log_message(self, *_): ...

            server = stack.enter_context(http.server.HTTPServer(("127.0.0.1", 0), Answers))
            threading.Thread(target=server.serve_forever, daemon=True).start()
            stack.callback(server.shutdown)
            return f"http://127.0.0.1:{server.server_port}"

        yield serve


def now_ms() -> int:
    return round(time.time() * 1000)


MESSAGE = (
    "INSERT INTO messages (id, thread, hops, path, trust, type, body, priority, reply_expected,"
    " wake, created_ms) VALUES ('m_1', 't_1', 0, '', 'peer', 'TASK', '', 2, 0, 1, 1)"
)
DEAD = (
    "INSERT INTO deliveries (message_id, recipient_id, state, priority, ended_ms)"
    " VALUES ('m_1', 1, 'dead', 2, {now})"
)
WAKE = (
    "INSERT INTO wakes (id, participant_id, node_id, generation, state, asked_ms)"
    " VALUES ('w_1', 1, 1, 9, 'asked', {now} - 3600000)"
)
TARGET = (
    "INSERT INTO notice_targets (participant_id, name, kind, address, events, created_ms,"
    " failing_ms, error) VALUES (1, 'phone', 'ntfy', 'https://x', '[]', 1, 1, 'HTTP 403')"
)
FUTURE = "INSERT INTO log (at_ms, kind, data) VALUES ({now} + 90000000, 'state', '{{}}')"
ILLNESSES = {
    "nodes": (
        ["UPDATE nodes SET seen_ms = {now} - 7200000", FUTURE.replace("+ 90000000", "")],
        "shed (for 2 hours)",
        "bus-watcher",
    ),
    "wakes": ([WAKE], "anna (try 1)", "bus wakes"),
    "given up": ([MESSAGE, DEAD], "1 in the last day: m_1", "bus trace"),
    "held threads": (
        ["INSERT INTO holds (thread, at_ms, reason) VALUES ('t_1', 1, 'guard: x')"],
        "t_1",
        "bus release",
    ),
    "notices": ([TARGET], "1 target waits", "be-told-when-away"),
    "clock": ([FUTURE], "the clock went back", "timedatectl"),
    "admin token": (["UPDATE tokens SET revoked_ms = 1"], "no token", "--replace-admin-token"),
    "schema": (["UPDATE alembic_version SET version_num = '0001'"], "0001", "bus migrate"),
}


@pytest.mark.parametrize("name", ILLNESSES)
def test_each_illness_is_found_and_its_cure_named(stopped, as_admin, name):
    _, conn = stopped
    statements, said, mend = ILLNESSES[name]
    assert name not in ill(examine(as_admin))
    for statement in statements:
        conn.execute(statement.format(now=now_ms()))
    is_bad = name in {"clock", "admin token", "schema"}
    found = examine(as_admin, code=int(is_bad))
    assert ill(found)[name] == ("bad" if is_bad else "warn")
    assert said in found[name]["found"]
    assert mend in found[name]["mend"]


def test_a_broken_database_is_found_and_the_rest_is_told_too(bus, as_admin):
    bus.stop()
    file = bus.data_dir / "bus.db"
    with closing(sqlite3.connect(file)) as conn:
        (page,) = conn.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'nodes'").fetchone()
    whole = bytearray(file.read_bytes())
    whole[(page - 1) * 4096 : page * 4096] = b"\xff" * 4096
    file.write_bytes(whole)
    found = examine(as_admin, code=1)
    assert found["database"]["state"] == "bad"
    assert "bus restore" in found["database"]["mend"]
    assert found["disk"]["state"] == "ok"
    file.write_bytes(b"nothing" * 9999)
    assert "not a database" in examine(as_admin, code=1)["database"]["found"]


def test_open_files_and_a_wrong_token_are_found(bus, as_admin):
    (bus.data_dir / "bus.db").chmod(0o644)
    (bus.data_dir / "admin.token").write_text("wb_admin_of_another_bus\n")
    found = examine(as_admin, code=1)
    assert str(bus.data_dir / "bus.db") in found["file modes"]["mend"]
    assert found["admin token"]["state"] == "warn"


def test_a_bus_that_does_not_answer_is_found(bus, as_admin):
    line = CommandLine(as_admin.environment | {"BUS_URL": "http://127.0.0.1:9"})
    found = examine(line, code=1)
    assert "127.0.0.1:9" in found["answers"]["found"]
    assert ill(examine(as_admin)) == {"backups": "warn"}


def test_an_old_backup_and_a_folder_elsewhere_are_looked_at(bus, as_admin, tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    made = as_admin("backup", str(folder), "--json").json["file"]
    assert ill(examine(as_admin, "--backups", str(folder))) == {}
    long_ago_s = time.time() - 3 * 86_400
    subprocess.run(["touch", "-d", f"@{long_ago_s}", made], check=True)
    assert "3 days old" in examine(as_admin, "--backups", str(folder))["backups"]["found"]


def test_a_bus_that_still_starts_is_waited_for(bus, as_admin, scripted):
    line = CommandLine(as_admin.environment | {"BUS_URL": scripted([503, 503, 200])})
    assert examine(line)["answers"]["state"] == "ok"


def test_trouble_with_the_disk_is_told_as_the_bus_says_it(bus, as_admin, scripted):
    line = CommandLine(as_admin.environment | {"BUS_URL": scripted([503])})
    answer = examine(line, code=1)["answers"]
    assert "the disk fails" in answer["found"]
    assert "a-full-disk" in answer["mend"]


def test_a_clock_that_went_away_and_rows_set_aside_are_told(bus, as_admin, scripted):
    line = CommandLine(as_admin.environment | {"BUS_URL": scripted([200])})
    found = examine(line)
    assert "7200.5 s behind" in found["bus time"]["found"]
    assert "2 could not be processed" in found["rows set aside"]["found"]
    assert ill(found) == {"backups": "warn", "bus time": "warn", "rows set aside": "warn"}


@pytest.mark.parametrize(("days", "state"), [(2, "warn"), (90, "ok"), (-1, "bad")])
def test_the_end_of_a_certificate_is_told(bus, as_admin, tmp_path, days, state):
    cert, key = tmp_path / "own.pem", tmp_path / "own.key"
    ask = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=bus"]
    begin = time.strftime("%y%m%d%H%M%SZ", time.gmtime(time.time() - 9 * 86_400))
    end = time.strftime("%y%m%d%H%M%SZ", time.gmtime(time.time() + days * 86_400 + 600))
    (tmp_path / "ca.txt").touch()
    request = tmp_path / "own.csr"
    subprocess.run(
        [word for word in ask if word != "-x509"] + ["-keyout", key, "-out", request],
        check=True,
        capture_output=True,
    )
    settings = tmp_path / "ca.cnf"
    settings.write_text(
        f"[ca]\ndefault_ca=own\n[own]\ndatabase={tmp_path}/ca.txt\nserial={tmp_path}/serial\n"
        f"new_certs_dir={tmp_path}\ndefault_md=sha256\npolicy=any\n[any]\ncommonName=supplied\n"
    )
    sign = ["openssl", "ca", "-batch", "-selfsign", "-config", settings, "-keyfile", key]
    sign += ["-in", request, "-out", cert, "-startdate", begin, "-enddate", end]
    sign += ["-create_serial", "-notext"]
    subprocess.run(sign, check=True, capture_output=True, cwd=tmp_path)
    bus.stop()
    line = CommandLine(as_admin.environment | {"BUS_TLS_CERT": str(cert), "BUS_TLS_KEY": str(key)})
    found = examine(line, code=int(state == "bad"))
    assert found["certificate"]["state"] == state, found["certificate"]


def test_where_there_is_no_bus_that_is_said(as_admin, tmp_path):
    got = as_admin("doctor", BUS_DATA_DIR=str(tmp_path / "none"))
    assert got.code == 1
    assert "bus init" in got.err


@pytest.mark.parametrize(
    ("unit", "state"),
    [
        ({"ActiveState": "active", "UnitFileState": "enabled"}, "ok"),
        ({"ActiveState": "active", "UnitFileState": "disabled"}, "warn"),
        ({"ActiveState": "inactive", "UnitFileState": "enabled"}, "warn"),
        ({"ActiveState": "failed", "UnitFileState": "enabled", "Result": "exit-code"}, "bad"),
    ],
)
def test_a_unit_is_judged_by_what_systemd_says(unit, state):
    assert checksaround.judge_unit({"Id": "wakebus.service", **unit}).state == state
