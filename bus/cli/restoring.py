"""The work of `bus restore`: what each room makes of a database that went back in time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bus.access import carrying
from bus.access import service as access
from bus.cli.calling import ADMIN_FILE, read_token
from bus.cli.failing import Failure
from bus.cli.wholefile import write_secret
from bus.clock import SystemClock
from bus.directory import enrolment, nodes
from bus.mail import service as mail
from bus.mail import waking
from bus.runs import restoring as runs_anew
from bus.runs import service as runs
from bus.store import lock, log, restoring
from bus.store.alone import work_alone
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


def restore(config: Config, file: Path, progress: Progress) -> Restored:
    """Restore, all or nothing.

    Raises:
        BusError: the bus runs, or the file is not what can be restored.
    """
    if not file.is_file():
        raise FileNotFoundError(2, "no such file", str(file))
    config.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with lock.held(config.db_path):
        newer = carrying.read_tokens(config.db_path)
        admin, now_ms = admin_token_of(config), SystemClock().now_ms()
        with restoring.prepare(config, file, progress) as ready:
            begun = work_alone(ready, lambda tx: begin_again(tx, newer, admin), now_ms)
            kept = restoring.exchange(config, ready, now_ms)
        if begun.token:
            write_secret(config.data_dir / ADMIN_FILE, begun.token)
    return Restored(begun, kept)


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
    fenced = anew.start_anew(tx)
    given_up = runs_anew.start_anew(tx)
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
