"""`bus migrate`: bring the database to this program's schema, with the service stopped."""

from __future__ import annotations

import click

from bus.cli import installed
from bus.cli.calling import json_option, read_config
from bus.cli.failing import told
from bus.cli.output import say, say_json
from bus.cli.progress import shown_progress


@click.command("migrate")
@click.option("--backup", is_flag=True, help="Copy the database first, beside itself.")
@json_option
def command(*, backup: bool, as_json: bool) -> None:
    """Bring the database to this program's schema; the bus must be stopped."""
    with told(as_json=as_json), shown_progress() as progress:
        from bus.store.migrate import migrate  # noqa: PLC0415 - Alembic is slow to load

        config = read_config()
        installed.check_is_here(config)
        applied = migrate(config, backup=backup, progress=progress)
    if as_json:
        say_json({"applied": applied})
    else:
        say(f"applied {', '.join(applied)}" if applied else "nothing to do")
