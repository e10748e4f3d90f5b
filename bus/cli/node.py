"""`bus node`: the machines that run a watcher, and the codes that make a machine one."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from bus.cli import completing
from bus.cli.calling import Caller, calls_bus, read_config
from bus.cli.failing import REFUSED, Failure
from bus.cli.output import confirm, harmless, local_second, local_time, say, table
from bus.cli.words import NAMES
from bus.config import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADINGS = ("NAME", "ONLINE", "LAST SEEN", "VERSION", "REACHES THE BUS AT", "AGENTS")


@click.group("node")
def command() -> None:
    """Nodes: machines with a watcher."""


@command.command("list")
@calls_bus(as_admin=True)
def list_nodes(caller: Caller) -> None:
    """List the nodes."""
    answer = caller.bus.nodes()
    rows = [
        (
            node["name"],
            node.get("online"),
            local_time(node.get("seen_at"), date=True),
            node.get("version") or None,
            node.get("url") or None,
            node.get("agents"),
        )
        for node in answer["nodes"]
    ]
    none = "no nodes yet: bus node add NAME --agents a,b"
    caller.show(answer, lambda: table(HEADINGS, rows, none=none))


@command.command("add")
@click.argument("name")
@click.option(
    "--agents",
    type=NAMES,
    default=list,
    metavar="NAMES",
    help="Its agents, between commas; made where they are not there yet.",
)
@click.option(
    "--address",
    "reached_at",
    metavar="URL",
    help="The bus as that machine reaches it; BUS_PUBLIC_URL if not given.",
)
@calls_bus(as_admin=True)
def add(caller: Caller, name: str, *, agents: list[str], reached_at: str | None) -> None:
    """Add a node and print the command that makes a machine this node."""
    answer = caller.bus.add_node(name, agents, reached_at)
    caller.show(answer, lambda: show_code(answer))


@command.command("code")
@click.argument("name", shell_complete=completing.nodes)
@calls_bus(as_admin=True)
def code(caller: Caller, name: str) -> None:
    """Make a new code for a node: for a new machine, new agents or lost tokens."""
    answer = caller.bus.new_code(name)
    caller.show(answer, lambda: show_code(answer))


def show_code(answer: Mapping[str, Any]) -> None:
    """Print what to run on the machine, once."""
    name = harmless(answer["name"])
    until = local_second(answer["expires_at"])
    own = read_config().data_dir / str(answer["name"])
    if (own / "watcher.json").exists():
        say(f"{name} is the node of `bus up` on this machine. Until {until}, once:")
        say(f"  {harmless(answer['enrol'])} --dir {shlex.quote(str(own))}")
        say("Then stop `bus up` by Ctrl-C, and start it again.")
        return
    say(f"On the machine that is to be {name}, until {until}, once:")
    say(f"  {harmless(answer['enrol'])}")
    say("  bus-watcher install    # a service, for good; in the foreground: bus-watcher run")
    say("Where that machine has only a clone of the project, in it: python3 -m watcher enrol ...")
    if is_loopback(urlsplit(str(answer["enrol"]).split()[2]).hostname or ""):
        say("That address is of the bus's own machine. For another machine: --address URL with")
        say(f"`bus node add`, or BUS_PUBLIC_URL for the bus, and then: bus node code {name}")


@command.command("rename")
@click.argument("name", shell_complete=completing.nodes)
@click.argument("new")
@calls_bus(as_admin=True)
def rename(caller: Caller, name: str, new: str) -> None:
    """Give a node another name."""
    caller.done(caller.bus.rename_node(name, new), f"{harmless(name)} is {harmless(new)} now")


@command.command("remove")
@click.argument("name", shell_complete=completing.nodes)
@click.option("--force", is_flag=True, help="Also with agents on it; they keep their mail.")
@click.option("--move-to", metavar="NODE", help="Its agents move there, with their mail.")
@click.option("--yes", "is_sure", is_flag=True, help="Do not ask first.")
@calls_bus(as_admin=True)
def remove(caller: Caller, name: str, *, force: bool, move_to: str | None, is_sure: bool) -> None:
    """Remove a node; its token ends at once."""
    check_removable(caller, name, force=force or move_to is not None)
    confirm(f"{harmless(name)}: its token ends. Remove it?", is_sure=is_sure)
    answer = caller.bus.remove_node(name, force=force, move_to=move_to)
    where = harmless(move_to or "")
    next_step = f"; {where} needs its new agents' tokens: bus node code {where}" if where else ""
    caller.done(answer, f"{harmless(name)} is removed{next_step}")


def check_removable(caller: Caller, name: str, *, force: bool) -> None:
    """Refuse what the bus would refuse, before anything is asked."""
    node = next((one for one in caller.bus.nodes()["nodes"] if one["name"] == name), None)
    if node is None:
        raise Failure(f"no node {name!r}", REFUSED, mend="The nodes: bus node list")
    agents = node.get("agents") or []
    if agents and not force:
        verb = "is" if len(agents) == 1 else "are"
        raise Failure(
            f"{', '.join(agents)} {verb} on {name}",
            REFUSED,
            mend="Move them: --move-to NODE; or --force: they keep their mail and have no node.",
        )
