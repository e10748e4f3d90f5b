"""`bus move`: carry a stopped bus from its SQLite file to a PostgreSQL, and back to the file."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from bus.cli import installed
from bus.cli.calling import json_option, read_config
from bus.cli.failing import REFUSED, SETTINGS, Failure, told
from bus.cli.output import complain, harmless, say, say_json
from bus.cli.progress import shown_progress
from bus.clock import SystemClock
from bus.errors import StorageFailedError

if TYPE_CHECKING:
    from bus.config import Config
    from bus.store.moving import Moved


@click.command("move")
@click.option(
    "--to",
    metavar="URL",
    help="The empty database, postgresql+psycopg://USER@HOST/NAME; BUS_DATABASE_URL if not given.",
)
@click.option("--anew", is_flag=True, help="Throw away what a move that did not end left there.")
@click.option("--undo", is_flag=True, help="Serve the SQLite file again, as it was before.")
@json_option
def command(*, to: str | None, anew: bool, undo: bool, as_json: bool) -> None:
    """Carry the bus of this data folder over to PostgreSQL; it must be stopped.

    Nothing is lost: cursors, tokens and ids stay good. What was interrupted goes on by the same
    command. In the end both sides are read again and compared; the SQLite file stays as it was, and
    is not served any more.
    """
    with told(as_json=as_json), shown_progress() as progress:
        config, now_ms = read_config(), SystemClock().now_ms()
        here = replace(config, database_url="", notify_url="")
        if undo:
            from bus.cli.unmoving import undo_move  # noqa: PLC0415 - SQLAlchemy is slow to load

            undo_move(here, now_ms, as_json=as_json)
            return
        from bus.store import connecting  # noqa: PLC0415 - SQLAlchemy is slow to load

        place = connecting.find_place(find_url(config, to))
        from bus.store import moving  # noqa: PLC0415 - not where psycopg is missing

        if to and place.words.get("password"):
            complain(
                "warning: on a command line a password can be read by everybody on this machine; "
                "BUS_DATABASE_URL, or the file BUS_DATABASE_URL_FILE, says it to nobody"
            )
        try:
            moved = moving.move(here, place, now_ms, anew=anew, progress=progress)
        except StorageFailedError as error:
            mend = "What has gone over is kept; the same command goes on from there."
            more = {"code": error.code}
            raise Failure(error.detail, REFUSED, mend=mend, more=more) from error
    if as_json:
        changed = {name: vars(way) for name, way in moved.changed.items()}
        say_json({**vars(moved), "changed": changed})
        return
    show(here, moved)


def find_url(config: Config, to: str | None) -> str:
    """Choose where to; the way past a pooler where that is named."""
    url = to or config.notify_url or config.database_url
    if not url:
        mend = "bus move --to postgresql+psycopg://USER@HOST/NAME, or set BUS_DATABASE_URL"
        raise Failure("where to?", SETTINGS, mend=mend)
    return url


def show(config: Config, moved: Moved) -> None:
    """Say what was done, and what a person does next."""
    rows = moved.rows
    say(
        f"The bus is in {harmless(moved.to)}: {rows['messages']} messages, {sum(rows.values())} "
        f"rows in {len(rows)} tables, each found alike on both sides."
    )
    for name, way in moved.changed.items():
        more = f" and {way.changed - len(way.named)} more" if way.changed > len(way.named) else ""
        complain(
            f"{way.changed} of {name} had the character NUL, which PostgreSQL cannot hold; it is � "
            f"there now: {harmless(', '.join(way.named))}{more}"
        )
    say("Cursors, tokens and ids are as they were.")
    say(f"{config.db_path} is as it was, and is not served any more.")
    say("Next: put the whole URL, with its password, where only the bus reads it.")
    if installed.has_service_data(config.data_dir):
        say(f"  {installed.DATABASE_URL}    # chmod 600; the service reads it there")
        say(f"  export BUS_DATABASE_URL_FILE={installed.DATABASE_URL}   # for commands by hand")
    else:
        say("  export BUS_DATABASE_URL_FILE=FILE   # for the bus and for its commands")
    say("  bus doctor                          # looks at the new database")
    say(f"  {installed.how_to_start(config.data_dir):35} # starts the bus on it")
    say("Back to the file, without what happened since: bus move --undo")
