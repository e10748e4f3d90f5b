"""`bus group`: one name for several recipients."""

from __future__ import annotations

import click

from bus.cli import completing
from bus.cli.calling import Caller, calls_bus
from bus.cli.output import harmless, table
from bus.cli.words import NAMES


@click.group("group")
def command() -> None:
    """Groups: one name for several recipients."""


@command.command("list")
@calls_bus(as_admin=True)
def list_groups(caller: Caller) -> None:
    """List the groups and their members."""
    answer = caller.bus.groups()
    rows = [(group["name"], group["members"]) for group in answer["groups"]]
    caller.show(answer, lambda: table(("NAME", "MEMBERS"), rows, none="no groups"))


@command.command("add")
@click.argument("name")
@click.argument("members", type=NAMES, shell_complete=completing.recipients)
@calls_bus(as_admin=True)
def add(caller: Caller, name: str, members: list[str]) -> None:
    """Make a group of MEMBERS, names between commas."""
    caller.done(caller.bus.add_group(name, members), counted(name, members))


@command.command("set")
@click.argument("name", shell_complete=completing.groups)
@click.argument("members", type=NAMES, shell_complete=completing.recipients)
@calls_bus(as_admin=True)
def set_members(caller: Caller, name: str, members: list[str]) -> None:
    """Give a group these MEMBERS in place of those it has."""
    caller.done(caller.bus.set_group(name, members), counted(name, members))


def counted(name: str, members: list[str]) -> str:
    """Say how many a group has."""
    return f"{harmless(name)}: {len(members)} member{'' if len(members) == 1 else 's'}"


@command.command("remove")
@click.argument("name", shell_complete=completing.groups)
@calls_bus(as_admin=True)
def remove(caller: Caller, name: str) -> None:
    """Remove a group; its members stay."""
    caller.done(caller.bus.remove_group(name), f"{harmless(name)} is removed")
