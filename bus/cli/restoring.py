"""The work of `bus restore`: what each room makes of a database that went back in time."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bus.access import carrying
from bus.access import service as access
from bus.cli.calling import ADMIN_FILE, read_token
from bus.cli.failing import Failure
from bus.cli.wholefile import write_secret
from bus.clock import SystemClock
from bus.directory import enrolment, nodes, signin
from bus.errors import ConfigError, InvalidRequestError, StorageFailedError
from bus.mail import service as mail
from bus.mail import waking
from bus.runs import restoring as runs_anew
from bus.runs import service as runs
from bus.store import lock, log, restoring
from bus.store.alone import work_alone
from bus.streams import restoring as streams_anew
from bus.wakes import restoring as anew
from bus.wakes import service as wakes

if TYPE_CHECKING:
    from pathlib import Path

    from bus.config import Config
    from bus.store.copying import Progress
    from bus.store.transaction import Transaction


@dataclass(frozen=True)
class Begun:
    """The new epoch; `carried` is None where the database before did not give its tokens."""

    newest: str | None
    epoch: str
    carried: carrying.Carried | None
    fenced: int
    given_up: int
    """Runs that were being worked on."""
    waiting: int
    token: str


@dataclass(frozen=True)
class Restored:
    """What was done, and under which name the database before is kept, if there was one."""

    begun: Begun
    kept: Path | None
    into: str = ""
    """Which other database has it, where one was named."""


def restore(config: Config, file: Path, progress: Progress, into: str = "") -> Restored:
    """Restore, all or nothing; `into` names another database of a PostgreSQL.

    Raises:
        BusError: the bus runs, or the file is not what can be restored.
    """
    if not file.is_file():
        raise FileNotFoundError(2, "no such file", str(file))
    config.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    restored = restore_server if config.is_postgresql else restore_file
    if into and not config.is_postgresql:
        raise InvalidRequestError("--into names a database of PostgreSQL: set BUS_DATABASE_URL")
    done = restored(config, file, progress, into)
    if done.begun.token:
        write_secret(config.data_dir / ADMIN_FILE, done.begun.token)
    return done


def restore_file(config: Config, file: Path, progress: Progress, _into: str) -> Restored:
    """Put a backup in the place of the SQLite file."""
    with lock.held(config.db_path):
        newer = carrying.read_tokens(config.db_path)
        admin, now_ms = admin_token_of(config), SystemClock().now_ms()
        with restoring.prepare(config, file, progress) as ready:
            begun = work_alone(ready, lambda tx: begin_again(tx, newer, admin), now_ms)
            kept = restoring.exchange(config, ready, now_ms)
    return Restored(begun, kept)


def restore_server(config: Config, file: Path, progress: Progress, into: str) -> Restored:
    """Put a backup into an empty database of PostgreSQL; the present one stays as it is."""
    from bus.store import connecting, serverrestoring  # noqa: PLC0415 - psycopg may be missing

    present = connecting.place_of(config)
    target = present.but(into) if into else present
    newer = None
    if target.name != present.name:
        with suppress(StorageFailedError, ConfigError), lock.alone(config):
            newer = carrying.read_server_tokens(present)
    admin, now_ms = admin_token_of(config), SystemClock().now_ms()
    with serverrestoring.prepare_server(config, target, file, progress) as ready:
        begun = work_alone(ready, lambda tx: begin_again(tx, newer, admin), now_ms)
    return Restored(begun, None, target.shown if into else "")


def admin_token_of(config: Config) -> str:
    """Read the administration's token of this folder; nothing where there is none."""
    try:
        return read_token(config.data_dir / ADMIN_FILE)
    except (Failure, OSError):
        return ""


def begin_again(tx: Transaction, newer: list[dict[str, Any]] | None, admin: str) -> Begun:
    """Fence the time before and begin a new one; with a new token where there is no good one."""
    for room in (nodes, mail, wakes, runs):
        room.register(tx.hooks)
    newest, epoch = log.newest(tx.conn), log.begin_epoch(tx)
    carried = None if newer is None else carrying.carry_tokens(tx, newer)
    enrolment.void_codes(tx)
    signin.void_codes(tx)
    fenced = anew.start_anew(tx)
    given_up = runs_anew.start_anew(tx)
    streams_anew.start_anew(tx)
    is_lost = not access.is_known(tx.conn, admin) if admin else newer is None
    token = access.replace_admin_token(tx) if is_lost else ""
    return Begun(
        newest,
        epoch,
        carried,
        fenced,
        given_up,
        waiting=waking.count_all_open(tx.conn),
        token=token,
    )
