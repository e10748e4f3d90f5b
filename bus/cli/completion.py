"""`bus completion`: what a shell must be told so that Tab completes commands, options and names."""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, ZshComplete

from bus.cli.output import say

SHELLS = {"bash": BashComplete, "zsh": ZshComplete}
VARIABLE = "_BUS_COMPLETE"
"""What click looks for; not of the bus's own settings, which begin with BUS_."""


@click.command("completion")
@click.argument("shell", type=click.Choice(tuple(SHELLS)))
def command(shell: str) -> None:
    """Print what makes SHELL complete commands, options and names.

    Names are asked of the bus, if it answers at once.

    \b
    bash, in ~/.bashrc:  eval "$(bus completion bash)"
    zsh, in ~/.zshrc:    eval "$(bus completion zsh)"
    """  # noqa: D301 - click has to see the mark that keeps these two lines apart
    from bus.cli import cli  # noqa: PLC0415 - it is what loads this module

    say(SHELLS[shell](cli, {}, "bus", VARIABLE).source())
