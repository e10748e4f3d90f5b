"""What `bus doctor` asks of a PostgreSQL: the server, its promises, and who is at work on it."""

from __future__ import annotations

import json
import re
import shutil
import socket
import statistics
import subprocess
import time
from typing import TYPE_CHECKING

from bus.cli import installed
from bus.cli.checks import BAD, OK, WARN, Check, Looked, Row, Seen, make_check, some
from bus.cli.checksfiles import judge_schema, see_backups, see_modes
from bus.cli.checkstables import ROWS as ASKED
from bus.errors import BusError, StorageFailedError
from bus.store import connecting, servermigrate, whole
from bus.store.beside import open_beside
from bus.store.copying import megabytes
from bus.store.looking import Looking
from bus.store.movemark import how_to_fill, read_mark
from bus.store.processes import SAID

if TYPE_CHECKING:
    from pathlib import Path

    from bus.config import Config
    from bus.store.copying import Progress

TRIES, SLOW_MS, OFF_MS = 7, 10.0, 1000
FULL_SHARE, FULLER_SHARE = 0.8, 0.95
DEAD_ROWS, DEAD_SHARE = 50_000, 0.3
LONG_S = 300
PROMISES = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}
KEPT = {"synchronous_commit": ("on", "remote_apply", "remote_write", "local")}
"""Those that keep what was accepted on the server's own disk."""


def see_processes(look: Looked) -> Seen:
    if look.holder:
        return Seen(OK, look.holder)
    return Seen(WARN, "the bus is stopped", installed.how_to_start(look.config.data_dir))


def see_schema(look: Looked) -> Seen:
    mark = whole.read_mark(look.ask.conn)
    if mark is not None:
        return Seen(BAD, f"a {mark[0]} has not ended", f"Go on: {whole.GO_ON[mark[0]]}")
    at = servermigrate.read_schema(look.ask.conn)
    if at:
        return judge_schema(at)
    return Seen(BAD, "the database is empty", how_to_fill(look.config.db_path))


def see_server(look: Looked) -> Seen:
    version = str(look.ask.one("SHOW server_version"))
    if look.ask.one("SELECT pg_is_in_recovery()"):
        return Seen(BAD, f"{version}, a standby: it takes no writes")
    return Seen(OK, f"{version}, takes writes")


def see_round_trip(look: Looked) -> Seen:
    times = []
    for _ in range(TRIES):
        begun_s = time.perf_counter()
        look.ask.one("SELECT 1")
        times.append((time.perf_counter() - begun_s) * 1000)
    found = f"{statistics.median(times):.1f} ms"
    if statistics.median(times) < SLOW_MS:
        return Seen(OK, found)
    return Seen(WARN, f"{found}: each group of writes waits for several")


def see_clock(look: Looked) -> Seen:
    before_ms = time.time() * 1000
    there_ms = float(look.ask.one("SELECT extract(epoch FROM clock_timestamp()) * 1000"))
    off_ms = there_ms - (before_ms + time.time() * 1000) / 2
    found = f"{abs(off_ms):.0f} ms {'ahead of' if off_ms > 0 else 'behind'} this machine's"
    return Seen(OK if abs(off_ms) < OFF_MS else WARN, found)


def see_clocks(look: Looked) -> Seen:
    """Give how far the clock of each process's machine is from the database's, as it says."""
    rows = look.ask.rows(SAID)
    offs = {
        f"process {pid} on {host}": json.loads(state).get("off_ms", 0) for host, pid, state in rows
    }
    shown = [f"{off:+d} ms ({name})" for name, off in offs.items()]
    is_well = all(abs(off) < OFF_MS for off in offs.values())
    return Seen(OK if is_well else WARN, some(shown) if shown else "no process runs")


def see_promises(look: Looked) -> Seen:
    asked = {name: str(look.ask.one(f"SHOW {name}")) for name in PROMISES}
    broken = [
        f"{name} = {value}"
        for name, value in asked.items()
        if value not in KEPT.get(name, (PROMISES[name],))
    ]
    if broken:
        return Seen(BAD, f"{', '.join(broken)}: what was accepted can be lost")
    return Seen(OK, f"accepted is on disk (synchronous_commit = {asked['synchronous_commit']})")


def see_standbys(look: Looked) -> Seen:
    rows = look.ask.rows(
        "SELECT coalesce(application_name, ''), coalesce(state, ''), coalesce(sync_state, ''),"
        " coalesce(extract(epoch FROM replay_lag), 0) FROM pg_stat_replication ORDER BY 1"
    )
    wanted = str(look.ask.one("SHOW synchronous_standby_names"))
    if rows and not any(state for _, state, *_ in rows):
        grant = f"GRANT pg_monitor TO {connecting.place_of(look.config).words.get('user')}"
        return Seen(OK, f"{len(rows)} follow; how far, only a role with pg_monitor sees ({grant})")
    shown = [f"{name}: {state}, {sync}, {lag:.1f} s behind" for name, state, sync, lag in rows]
    if wanted and not any(sync in {"sync", "quorum"} for _, _, sync, _ in rows):
        found = (
            f"synchronous_standby_names = {wanted}, and none follows in step: writes wait for it"
        )
        return Seen(BAD, found)
    return Seen(OK, some(shown) if shown else "none follows: this server has the only copy")


def see_connections(look: Looked) -> Seen:
    used = int(look.ask.one("SELECT count(*) FROM pg_stat_activity WHERE backend_type = ?", CLIENT))
    most = int(look.ask.one("SHOW max_connections"))
    found = f"{used} of {most} are in use"
    state = BAD if used > FULLER_SHARE * most else WARN if used > FULL_SHARE * most else OK
    return Seen(state, found)


CLIENT = "client backend"


def see_long(look: Looked) -> Seen:
    rows = look.ask.rows(
        "SELECT pid, state FROM pg_stat_activity WHERE datname = current_database() AND pid <>"
        " pg_backend_pid() AND backend_type = ? AND xact_start < now() - make_interval(secs => ?)",
        CLIENT,
        LONG_S,
    )
    if not rows:
        return Seen(OK, f"none is open for over {LONG_S // 60} minutes")
    return Seen(WARN, some([f"process {pid} ({state})" for pid, state in rows]))


def see_size(look: Looked) -> Seen:
    size = int(look.ask.one("SELECT pg_database_size(current_database())"))
    rows = look.ask.rows(
        "SELECT relname, pg_total_relation_size(relid) FROM pg_stat_user_tables"
        " ORDER BY 2 DESC LIMIT 3"
    )
    largest = ", ".join(f"{name} {megabytes(int(count))}" for name, count in rows)
    return Seen(OK, f"{megabytes(size)} (the largest: {largest or 'none yet'})")


def see_vacuum(look: Looked) -> Seen:
    if look.ask.one("SHOW autovacuum") != "on":
        return Seen(BAD, "autovacuum is off: the database grows without end")
    rows = look.ask.rows(
        "SELECT relname, n_dead_tup, n_live_tup, coalesce(to_char(greatest(last_autovacuum,"
        " last_vacuum), 'YYYY-MM-DD HH24:MI'), 'never') FROM pg_stat_user_tables"
        " ORDER BY n_dead_tup DESC"
    )
    many = [
        f"{name} has {dead} dead rows beside {live} (last vacuum: {last})"
        for name, dead, live, last in rows
        if dead > DEAD_ROWS and dead > DEAD_SHARE * live
    ]
    if many:
        return Seen(WARN, some(many))
    return Seen(OK, f"{sum(row[1] for row in rows)} dead rows")


def see_indexes(look: Looked) -> Seen:
    rows = look.ask.rows("SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid")
    return Seen(BAD, some([name for (name,) in rows])) if rows else Seen(OK, "each is valid")


def see_both_ways(look: Looked) -> Seen:
    config = look.config
    if not config.notify_url:
        return Seen(OK, "hints go the way of everything else")
    epochs = []
    for url in (config.database_url, config.notify_url):
        with connecting.connected(connecting.find_place(url), pooled=True) as conn:
            epochs.append(servermigrate.read_epoch(conn))
    if len(set(epochs)) == 1:
        return Seen(OK, "BUS_NOTIFY_URL leads to the same database")
    return Seen(BAD, "BUS_NOTIFY_URL leads to another database than BUS_DATABASE_URL")


def see_programs(look: Looked) -> Seen:
    path = shutil.which("pg_dump")
    if path is None:
        return Seen(WARN, "pg_dump is not installed: bus backup needs it")
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"\) (\d+)", said)
    has = int(version[1]) if version else 0
    needs = look.ask.conn.info.server_version // 10_000
    found = f"pg_dump {has}, the server {needs}"
    return Seen(OK, found) if has >= needs else Seen(WARN, f"{found}: too old for bus backup")


def see_file(look: Looked) -> Seen:
    path = look.config.db_path
    if not path.exists():
        return Seen(OK, "none in the data folder")
    with open_beside(path) as conn:
        mark = read_mark(conn)
    if mark is None:
        return Seen(WARN, f"{path} has a bus that has not moved; it is not served")
    return Seen(OK, f"{path} has moved to {mark.to}; remove it when all is well")


ROWS = (
    Row("bus", see_processes),
    Row("schema", see_schema, "Stop every process of the bus, then: bus migrate --backup"),
    Row("server", see_server, "Name the server that it follows in BUS_DATABASE_URL"),
    Row("round trip", see_round_trip, "Bring the bus and its database nearer to each other"),
    Row("its clock", see_clock, "On both machines: timedatectl set-ntp true"),
    Row("promises", see_promises, "Set them on in postgresql.conf and reload the server"),
    Row("standbys", see_standbys, "Start the standby, or empty synchronous_standby_names"),
    Row("connections", see_connections, "Raise max_connections, or put a pooler before it"),
    Row("transactions", see_long, "Who: SELECT * FROM pg_stat_activity; they keep rows from going"),
    Row("size", see_size),
    Row("vacuum", see_vacuum, "autovacuum = on; now: VACUUM ANALYZE"),
    Row("indexes", see_indexes, "REINDEX INDEX NAME"),
    Row("hints", see_both_ways, "Have both URLs name one database"),
    Row(
        "programs", see_programs, "apt install postgresql-client, of the server's version or newer"
    ),
    Row("SQLite file", see_file, "Carry it over: bus move; or remove it"),
    Row("file modes", see_modes),
    Row("backups", see_backups, "bus backup --keep 14; every day: the unit wakebus-backup.timer"),
)
OF_PROCESSES = Row("their clocks", see_clocks, "On the machine named: timedatectl set-ntp true")


def examine_server(
    config: Config, folder: Path, progress: Progress, now_ms: int
) -> tuple[list[Check], bool]:
    """Look at the server and what it holds; says whether the bus runs on this machine."""
    is_here = False
    try:
        with connecting.connected(connecting.place_of(config)) as conn:
            conn.execute("SET default_transaction_read_only = on")
            live = servermigrate.live_processes(conn)
            is_here = any(one.endswith(f" on {socket.gethostname()}") for one in live)
            look = Looked(config, Looking(conn), now_ms, ", ".join(live), folder, progress)
            is_ours = see_schema(look).state == OK
            rows = (*ROWS, *((OF_PROCESSES, *ASKED) if is_ours else ()))
            found = [make_check(row, look) for row in rows]
    except StorageFailedError as error:
        found = [Check("database", BAD, error.detail, "Its log; systemctl status postgresql")]
    except BusError as error:  # which says what to change
        found = [Check("database", BAD, error.detail)]
    return found, is_here
