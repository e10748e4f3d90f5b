"""`bus restore`: go back to a backup, with the bus stopped, so that everybody can go on."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bus.cli import installed
from bus.cli.calling import ADMIN_FILE, json_option, read_config
from bus.cli.failing import told
from bus.cli.output import complain, harmless, local_second, say, say_json
from bus.cli.progress import shown_progress

if TYPE_CHECKING:
    from bus.cli.restoring import Begun
    from bus.config import Config


@click.command("restore")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@click.option(
    "--into",
    default="",
    metavar="NAME",
    help="Another database of the same PostgreSQL, an empty one.",
)
@json_option
def command(file: Path, *, into: str, as_json: bool) -> None:
    """Put a backup in the database's place; the bus must be stopped.

    The database before is kept under another name; on PostgreSQL a backup goes into an empty
    database. What was sent since the backup is gone; what was acked since is delivered again; the
    watchers go on by themselves.
    """
    with told(as_json=as_json), shown_progress() as progress:
        from bus.cli.restoring import restore  # noqa: PLC0415 - SQLAlchemy and Alembic are slow

        config = read_config()
        done = restore(config, file, progress, into)
    if as_json:
        facts = begun_facts(done.begun)
        say_json(
            {"file": str(file), "kept": done.kept and str(done.kept), "into": done.into, **facts}
        )
        return
    show_begun(done.begun, config)
    if done.kept:
        say(f"The database before is kept; remove it when all is well: {harmless(done.kept)}")
    if done.into:
        say(f"It is in {harmless(done.into)}: name that one in BUS_DATABASE_URL.")
    say(f"Next, start the bus: {start_command(config)}")


def begun_facts(begun: Begun) -> dict[str, Any]:
    """Give what began anew as a program reads it; never the token."""
    facts = {name: value for name, value in vars(begun).items() if name != "token"}
    facts |= {"carried": begun.carried and vars(begun.carried)}
    return facts | {"is_new_token": bool(begun.token)}


def show_begun(begun: Begun, config: Config) -> None:
    """Say what a person must know of a bus that went back in time."""
    newest = local_second(begun.newest)
    say(f"The bus is as it was at {newest}: {begun.waiting} deliveries wait.")
    say("What was sent since is gone. What was acked since is delivered again (at least once).")
    say(f"Running turns and printed handles are fenced ({begun.fenced} wakes).")
    if begun.given_up:
        say(f"Runs that were being worked on: {begun.given_up}; they are lost, their parents told.")
    say("The watchers notice it and go on by themselves.")
    if begun.carried is not None:
        say(
            f"Tokens are as they were last: {begun.carried.ended} revoked since stay revoked, "
            f"{begun.carried.kept} made since stay good."
        )
    else:
        complain(
            "WARNING: tokens that were revoked since the backup are GOOD AGAIN, and those made "
            "since are unknown.\n  Look through them: bus token list; end one: bus token revoke ID"
        )
    say("Names, machines, groups and compartments are those of the backup: bus agent list")
    if begun.token:
        say(f"The administration's token is new: {config.data_dir / ADMIN_FILE}")


def start_command(config: Config) -> str:
    """Write what starts it on the folder that was restored, also in another shell."""
    folder = config.data_dir
    is_told = os.environ.get("BUS_DATA_DIR") and not installed.has_service_data(folder)
    told_of = f"BUS_DATA_DIR={shlex.quote(str(folder))} " if is_told else ""
    return f"{told_of}{installed.how_to_start(folder)}"
