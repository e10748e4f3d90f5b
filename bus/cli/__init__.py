"""The command `bus`: a group that loads a command when it is asked for, and not before.

`bus serve` must load neither the server's nor the client's libraries before gunicorn has forked
and gevent has patched; so this module knows names and sentences alone.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, cast

import click

from bus import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = {
    "up": "up",
    "init": "init",
    "serve": "serve",
    "migrate": "migrate",
    "backup": "backup",
    "restore": "restore",
    "move": "move",
    "doctor": "doctor",
    "config": "config",
    "unit": "unit",
    "send": "send",
    "inbox": "inbox",
    "reply": "reply",
    "ack": "ack",
    "release": "release",
    "cancel": "cancel",
    "dead": "dead",
    "redrive": "redrive",
    "trace": "trace",
    "brief": "brief",
    "tail": "tail",
    "wakes": "wakes",
    "task": "task",
    "run": "run",
    "alert": "alert",
    "notice": "notice",
    "session": "session",
    "held": "held",
    "cost": "cost",
    "agent": "agent",
    "person": "person",
    "group": "group",
    "node": "node",
    "token": "token",
    "completion": "completion",
}
"""Each command and its module in this package; help lists them in this order."""


OF_COMMANDS = frozenset({"--url", "--token-file", "--json"})
"""Options that every command takes, and `bus` itself does not."""


class LazyGroup(click.Group):
    """A group whose commands are modules of this package, each with a `command` in it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"bus.cli.{COMMANDS[cmd_name]}")
        return cast("click.Command", module.command)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if error.option_name in OF_COMMANDS:
                raise click.UsageError(
                    f"{error.option_name} comes after the command: "
                    f"bus COMMAND ... {error.option_name}",
                    ctx,
                ) from error
            raise

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        from bus.cli.failing import EXIT_CODES  # noqa: PLC0415 - only where help is asked for

        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), meaning) for code, meaning in EXIT_CODES.items()])


@click.group(cls=LazyGroup, name="bus", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="bus")
def cli() -> None:
    """A message bus that wakes agents.

    The client commands call the bus at BUS_URL (or --url), by default the one on this machine, with
    the token in the file BUS_TOKEN_FILE (or --token-file). Where no file is named they take, from
    the data folder (BUS_DATA_DIR), you.token, which `bus up` writes for a person, or admin.token,
    which `bus init` writes; what administers (agent, person, group, node, token) takes admin.token.
    A token never stands on a command line.
    """


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit with one of the documented codes."""
    cli.main(args=None if argv is None else list(argv), prog_name="bus")
