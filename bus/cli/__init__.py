"""The `bus` command: what runs on the bus machine (init, migrate, serve, config).

Imports are inside the commands: `bus serve` must load nothing heavy before gevent patches.
Exit codes: 0 done, 1 refused, 2 usage.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from bus import __version__
from bus.config import SETTINGS, Config, explain
from bus.errors import BusError

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.group(help=__doc__)
@click.version_option(__version__, prog_name="bus")
def cli() -> None:
    """Hold the commands together."""


@cli.command()
def serve() -> None:
    """Serve until a signal (BUS_HOST, BUS_PORT, BUS_DATA_DIR …; see `bus config`)."""
    from bus.serving.run import serve as run  # noqa: PLC0415 - see the module

    run(Config.from_env(os.environ))


@cli.command()
@click.option("--backup", is_flag=True, help="copy the database first")
def migrate(*, backup: bool) -> None:
    """Bring the database to this program's schema, with the service stopped."""
    from bus.store.migrate import migrate as run  # noqa: PLC0415 - see the module

    steps = run(Config.from_env(os.environ), backup=backup)
    click.echo(f"applied {', '.join(steps)}" if steps else "nothing to do")


@cli.command()
def init() -> None:
    """Make the data folder, the database and the administration's token."""
    from bus.access.bootstrap import make_admin_token  # noqa: PLC0415 - see the module
    from bus.store.migrate import migrate as run  # noqa: PLC0415 - see the module

    config = Config.from_env(os.environ)
    run(config)
    path = config.data_dir / "admin.token"
    if path.exists():
        click.echo(f"{config.data_dir} is ready; start it: bus serve")
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(make_admin_token(config) + "\n")
    click.echo(f"made {config.db_path} and the administration's token {path}")
    click.echo("next: bus serve")


@cli.command()
def config() -> None:
    """Show every setting, its value and where that comes from."""
    helps = {setting.key: setting.help for setting in SETTINGS}
    for key, value, source in explain(os.environ):
        click.echo(f"{key:24} {value:32} {source:12} {helps[key]}")


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command; a refusal is one line on standard error."""
    try:
        cli.main(args=argv, prog_name="bus", standalone_mode=True)
    except BusError as error:
        click.echo(f"bus: {error.detail}", err=True)
        sys.exit(1)
