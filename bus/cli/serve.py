"""`bus serve`: hand the settings to the server. It must load nothing else (see the package)."""

from __future__ import annotations

import os

import click

from bus.cli.failing import SETTINGS, Failure, told
from bus.config import Config
from bus.errors import SchemaError


@click.command("serve")
def command() -> None:
    """Serve until a signal (BUS_HOST, BUS_PORT, BUS_DATA_DIR: see `bus config`)."""
    with told():
        from bus.serving.run import serve  # noqa: PLC0415 - see the module

        try:
            serve(Config.from_env(os.environ))
        except SchemaError as error:
            # The same start again would be refused again: systemd is told so by this code.
            raise Failure(error.detail, SETTINGS, more={"code": error.code}) from error
