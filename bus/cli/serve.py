"""`bus serve`: hand the settings to the server. It must load nothing else (see the package)."""

from __future__ import annotations

import os

import click

from bus.cli.failing import SETTINGS, Failure, told
from bus.config import Config
from bus.errors import SchemaError
from bus.settings import MOST_WORKERS


@click.command("serve")
@click.option(
    "--workers",
    metavar="N",
    type=click.IntRange(1, MOST_WORKERS),
    help="How many processes on this machine, as BUS_WORKERS; more than one needs PostgreSQL.",
)
def command(workers: int | None) -> None:
    """Serve until a signal (BUS_HOST, BUS_PORT, BUS_DATA_DIR: see `bus config`)."""
    with told():
        from bus.serving.run import serve  # noqa: PLC0415 - see the module

        try:
            named = {} if workers is None else {"BUS_WORKERS": str(workers)}
            serve(Config.from_env(os.environ | named))
        except SchemaError as error:
            # The same start again would be refused again: systemd is told so by this code.
            raise Failure(error.detail, SETTINGS, more={"code": error.code}) from error
