"""`bus doctor`: what is well with this machine's bus, what is not, and how to mend it.

It looks at the files, or asks the server, by a connection that does not write; so it works beside a
running bus and on a stopped one, and needs no token.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bus.cli import installed
from bus.cli.calling import json_option, read_config
from bus.cli.failing import REFUSED, Failure, told
from bus.cli.output import cells_wide, harmless, pad, paint, say, say_json
from bus.cli.progress import shown_progress
from bus.clock import SystemClock
from bus.errors import BusError, LockedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bus.cli.checks import Check
    from bus.config import Config
    from bus.store.copying import Progress

COLOURS = {"ok": "green", "warn": "yellow", "bad": "red"}
RANKS = tuple(COLOURS)


@click.command("doctor")
@click.option(
    "--backups",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Where the backups are, if not in the data folder.",
)
@json_option
@click.pass_context
def command(context: click.Context, *, backups: Path | None, as_json: bool) -> None:
    """Look whether all is well with the bus of this machine, running or stopped.

    Each check is ok, warn or bad, with how to mend it. Exit code 1 where one is bad.
    """
    with told(as_json=as_json), shown_progress() as progress:
        checks = examine(read_config(), backups, progress)
    worst = max((check.state for check in checks), key=RANKS.index)
    if as_json:
        say_json({"worst": worst, "checks": [vars(check) for check in checks]})
    else:
        show(checks)
    context.exit(REFUSED if worst == "bad" else 0)


def examine(config: Config, backups: Path | None, progress: Progress) -> list[Check]:
    """Make every check."""
    from bus.cli import checksaround  # noqa: PLC0415 - only where it is needed

    now_ms, folder = SystemClock().now_ms(), backups or config.data_dir / "backups"
    if config.is_postgresql:
        from bus.cli.checksserver import examine_server  # noqa: PLC0415 - psycopg may be missing

        found, is_here = examine_server(config, folder, progress, now_ms)
    else:
        found, is_here = examine_file(config, folder, progress, now_ms)
    found += checksaround.look_at_running(config) if is_here else []
    found += [checksaround.check_certificate(config, now_ms / 1000)] if config.tls_cert else []
    return found + checksaround.check_units()


def examine_file(
    config: Config, folder: Path, progress: Progress, now_ms: int
) -> tuple[list[Check], bool]:
    """Look at the SQLite file and what it holds; says whether the bus runs."""
    # Only where they are needed:
    from bus.cli import checks, checksfiles, checkstables  # noqa: PLC0415
    from bus.store.beside import open_beside  # noqa: PLC0415 - likewise
    from bus.store.looking import Looking  # noqa: PLC0415 - likewise

    if not config.db_path.exists():
        mend = installed.where_else() or "Another folder: BUS_DATA_DIR. A new bus: bus init"
        raise Failure(f"there is no database at {config.db_path}", REFUSED, mend=mend)
    if not os.access(config.db_path, os.R_OK):
        mend = "Run it as the bus's user, or as root."
        raise Failure(f"{config.db_path} is not yours to read", REFUSED, mend=mend)
    with held_if_stopped(config) as holder:
        try:
            with open_beside(config.db_path) as conn:
                look = checks.Looked(config, Looking(conn), now_ms, holder, folder, progress)
                is_ours = checksfiles.see_schema(look).state == checks.OK
                rows = (*checksfiles.ROWS, *(checkstables.ROWS if is_ours else ()))
                found = [checks.make_check(row, look) for row in rows]
        except BusError as error:
            mend = "Stop the bus and go back to the last good backup: bus restore FILE"
            found = [checks.Check("database", checks.BAD, error.detail, mend)]
        return found, bool(holder)


@contextmanager
def held_if_stopped(config: Config) -> Iterator[str]:
    """Hold the lock of a stopped bus while it is looked at; name the process of a running one."""
    from bus.store import lock  # noqa: PLC0415 - only where it is needed

    with ExitStack() as stack:
        holder = ""
        try:
            stack.enter_context(lock.held(config.db_path))
        except LockedError:
            holder = lock.holder_of(config.db_path)
        yield holder


def show(checks: list[Check]) -> None:
    """Write a line a check, and under what is not well how to mend it."""
    width = max(cells_wide(check.name) for check in checks)
    for check in checks:
        state = paint(pad(check.state, 4), COLOURS[check.state], bold=check.state == "bad")
        say(f"{state}  {pad(check.name, width)}  {harmless(check.found)}")
        if check.mend and check.state != "ok":
            say(f"{' ' * (width + 8)}{harmless(check.mend)}")
