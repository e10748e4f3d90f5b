"""`bus ack`: say of read items that they are done."""

from __future__ import annotations

import click

from bus.cli.calling import Caller, calls_bus


@click.command("ack")
@click.argument("handles", nargs=-1, required=True, metavar="HANDLE...")
@calls_bus()
def command(caller: Caller, handles: tuple[str, ...]) -> None:
    """End items as done; `bus inbox` shows their handles. Once more does no harm."""
    from bus.cli.settling import settle  # noqa: PLC0415 - loads requests

    settle(caller, lambda: caller.bus.ack(handles))
