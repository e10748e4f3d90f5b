"""`bus serve`: hand the settings to the server. It must load nothing else (see the package)."""

from __future__ import annotations

import os

import click

from bus.cli.failing import told
from bus.config import Config


@click.command("serve")
def command() -> None:
    """Serve until a signal (BUS_HOST, BUS_PORT, BUS_DATA_DIR: see `bus config`)."""
    with told():
        from bus.serving.run import serve  # noqa: PLC0415 - see the module

        serve(Config.from_env(os.environ))
