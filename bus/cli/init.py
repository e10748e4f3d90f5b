"""`bus init`: the data folder, the database and the administration's token, once.

It works on this machine's files with the service stopped; it calls no bus.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from bus.cli import installed
from bus.cli.calling import ADMIN_FILE, json_option, read_config
from bus.cli.failing import told
from bus.cli.output import say, say_json
from bus.cli.wholefile import OWNER_ONLY, draft
from bus.store import lock
from bus.store.version import HEAD, read_version

if TYPE_CHECKING:
    from pathlib import Path

    from bus.config import Config


@dataclass(frozen=True)
class Made:
    """What `init` found and did.

    `applied` are the migrations that ran, `ended_tokens` those that a new one took the place of.
    """

    data_dir: Path
    token_file: Path
    applied: list[str]
    is_new_token: bool
    ended_tokens: int


def prepare(config: Config, *, replace_token: bool = False) -> Made:
    """Make what is not there yet; what is there stays, but for a token that is to be replaced.

    Raises:
        BusError: a bus is running on this folder, the database is newer than this program, or it
            is the folder of a service whose database is elsewhere.
    """
    installed.check_is_here(config)
    config.data_dir.mkdir(parents=True, exist_ok=True)
    config.data_dir.chmod(0o700)
    had_database, applied = bring_up(config)
    token_file = config.data_dir / ADMIN_FILE
    ended = None
    # A token of an older database would be no good: a new database always gets its own.
    if replace_token or not had_database or not token_file.exists():
        from bus.access.bootstrap import make_admin_token  # noqa: PLC0415 - loads SQLAlchemy

        only_first = had_database and not replace_token
        with draft(token_file, OWNER_ONLY) as keep:
            ended = make_admin_token(
                config, lambda token: keep(f"{token}\n"), only_first=only_first
            )
    return Made(config.data_dir, token_file, applied, ended is not None, ended or 0)


def bring_up(config: Config) -> tuple[bool, list[str]]:
    """Bring the database to this program's schema, a backup first.

    Says whether there was one, and gives the migrations that ran. Under systemd this is in the way
    of every start, so what needs nothing loads nothing.
    """
    if config.is_postgresql:
        from bus.store.servermigrate import find_schema  # noqa: PLC0415 - psycopg may be missing

        at, was_there = find_schema(config), True
    else:
        was_there = config.db_path.exists()
        with lock.held(config.db_path):  # before the look, which can write where a kill left work
            at = read_version(config.db_path)
    if at == HEAD:
        return True, []
    from bus.store.migrate import migrate  # noqa: PLC0415 - Alembic is slow to load

    return at is not None, migrate(config, backup=was_there)


@click.command("init")
@click.option(
    "--replace-admin-token",
    is_flag=True,
    help="Make a new administration token where the old one is lost.",
)
@json_option
def command(*, replace_admin_token: bool, as_json: bool) -> None:
    """Make the data folder, the database and the administration's token.

    All of it is under BUS_DATA_DIR, for its owner alone. Once made, it is kept: a second run
    changes nothing.
    """
    with told(as_json=as_json):
        made = prepare(read_config(), replace_token=replace_admin_token)
    if as_json:
        say_json(
            {
                name: str(value) if name.endswith(("_dir", "_file")) else value
                for name, value in vars(made).items()
            }
        )
        return
    say(f"The data folder is {made.data_dir}.")
    if not made.is_new_token and not made.token_file.exists():
        say("The administration's token is not in it. Where it is lost, a new one:")
        say("  bus init --replace-admin-token")
    else:
        word = "is new" if made.is_new_token else "was there already"
        say(f"The administration's token {word}: {made.token_file}")
    if made.ended_tokens:
        say(f"{made.ended_tokens} earlier ones ended; for others: bus token new admin")
    if os.environ.get("STATE_DIRECTORY"):
        return  # the service's own first step: systemd takes the next
    say("Next:")
    say(f"  {installed.how_to_start(made.data_dir):36} # and, in another terminal:")
    say("  bus node add NAME --agents a,b       # a machine and its agents")
    say("  bus person add YOU                   # a person, with a link to the page; their token:")
    say(f"  bus token new person YOU --file {made.data_dir / 'you.token'}")
