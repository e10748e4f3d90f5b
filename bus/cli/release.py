"""`bus release`: give read items back, or let go what the guard holds."""

from __future__ import annotations

import click

from bus.cli.calling import Caller, calls_bus
from bus.cli.output import harmless


@click.command("release")
@click.argument("what", nargs=-1, required=True, metavar="THREAD | AGENT | HANDLE...")
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
    """Let a held thread (t_...) or agent go, or give read items back by their handles."""
    from bus.cli.settling import settle  # noqa: PLC0415 - loads requests

    others = [one for one in what if not one.startswith("m_")]
    if others and len(what) > 1:
        raise click.UsageError("give one thread, one agent, or handles")
    if not others:
        settle(caller, lambda: caller.bus.release(what, mode, reason))
    elif others[0].startswith("t_"):
        answer = caller.bus.release_thread(others[0])
        caller.done(answer, f"{harmless(answer['thread'])}: {answer['released']} let go")
    else:
        answer = caller.bus.release_agent(others[0])
        done = "woken again" if answer["released"] else "was not held; its day begins anew"
        caller.done(answer, f"{harmless(answer['agent'])}: {done}")
