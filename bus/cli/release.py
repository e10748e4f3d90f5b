"""`bus release`: give read items back, or let a held thread go."""

from __future__ import annotations

import click

from bus.cli.calling import Caller, calls_bus
from bus.cli.output import harmless


@click.command("release")
@click.argument("what", nargs=-1, required=True, metavar="THREAD | HANDLE...")
@click.option(
    "--mode",
    type=click.Choice(("silent", "fail", "fatal", "refuse")),
    default="silent",
    show_default=True,
    help="Of handles: undo the attempt, count it as failed, give up for good, or refuse it.",
)
@click.option("--reason", default="", help="What the sender is told.")
@calls_bus()
def command(caller: Caller, what: tuple[str, ...], *, mode: str, reason: str) -> None:
    """Let a held thread (t_...) go, or give read items back by their handles."""
    from bus.cli.settling import settle  # noqa: PLC0415 - loads requests

    threads = [one for one in what if one.startswith("t_")]
    if threads and len(what) > 1:
        raise click.UsageError("give one thread, or handles")
    if not threads:
        settle(caller, lambda: caller.bus.release(what, mode, reason))
        return
    answer = caller.bus.release_thread(threads[0])
    caller.done(answer, f"{harmless(answer['thread'])}: {answer['released']} let go")
