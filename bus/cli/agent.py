"""`bus agent`: the directory of agents and people, and what an administrator does to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bus.cli import agentimport, completing
from bus.cli.calling import Caller, calls_bus
from bus.cli.output import confirm, facts, harmless, local_second, local_time, say, table
from bus.cli.quieting import describe_quiet, quiet_fields, take_quiet
from bus.cli.words import NAMES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

HEADINGS = ("NAME", "KIND", "NODE", "METHOD", "PENDING", "LAST READ", "WAKE P50", "STATE")


@click.group("agent")
def command() -> None:
    """Agents and people: list, add, change."""


@command.command("list")
@calls_bus(as_admin=True)
def list_agents(caller: Caller) -> None:
    """List whom this token can reach."""
    answer = caller.bus.agents()
    rows = [row_of(agent) for agent in answer["agents"]]
    caller.show(answer, lambda: table(HEADINGS, rows, none="nobody yet: bus agent add NAME"))


def row_of(agent: Mapping[str, Any]) -> tuple[object, ...]:
    """Write one agent as a row."""
    return (
        agent["name"],
        agent["kind"],
        agent.get("node"),
        agent.get("method") or None,
        agent.get("pending"),
        local_time(agent.get("last_read_at")),
        speed_of(agent),
        state_of(agent),
    )


def speed_of(agent: Mapping[str, Any]) -> str | None:
    """Write how long a wake takes from asked to read, in the middle."""
    speed_ms = agent.get("wake_p50_ms")
    return None if speed_ms is None else f"{speed_ms} ms"


def state_of(agent: Mapping[str, Any]) -> str | None:
    """Write whether mail to it would wake it."""
    if agent.get("paused"):
        since = local_second(agent.get("paused_at"))
        return f"paused since {since}" if agent.get("paused_at") else "paused"
    if agent["kind"] != "named":
        return None
    if not agent.get("node"):
        return "no node"
    return "online" if agent.get("node_online") else "node offline"


@command.command("show")
@click.argument("name", shell_complete=completing.agents)
@calls_bus(as_admin=True)
def show(caller: Caller, name: str) -> None:
    """Show all that is known of one."""
    agent = caller.bus.agent(name)
    caller.show(agent, lambda: show_agent(agent))


def show_agent(agent: Mapping[str, Any]) -> None:
    """Write one agent, a line a fact."""
    is_woken = agent["kind"] != "person"
    facts(
        (
            ("name", agent["name"]),
            ("kind", agent["kind"]),
            ("lead", agent.get("lead") or None),
            ("state", state_of(agent)),
            ("node", agent.get("node")),
            ("local agent", agent.get("local_agent") if is_woken else None),
            ("session key", agent.get("session_key") if is_woken else None),
            ("display name", agent.get("display_name")),
            ("takes", "every type" if agent.get("accepts") is None else agent["accepts"]),
            ("compartments", agent.get("compartments")),
            *describe_quiet(agent),
            ("alerts go to", agent.get("escalate_to")),
            ("method", agent.get("method")),
            ("pending", agent.get("pending")),
            ("wake p50", speed_of(agent)),
            ("last woken", local_time(agent.get("last_woken_at"), date=True) if is_woken else None),
            ("last read", local_time(agent.get("last_read_at"), date=True)),
        )
    )


def fields(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options for what an agent is."""
    for option in reversed(
        (
            click.option("--local-agent", metavar="ID", help="Its id in its own gateway."),
            click.option("--session-key", metavar="KEY", help="The session that a wake goes to."),
            click.option("--display-name", metavar="TEXT", help="What people call it."),
            click.option("--accepts", type=NAMES, metavar="TYPES", help="The only types it takes."),
            click.option(
                "--compartments",
                type=NAMES,
                metavar="NAMES",
                help="Who is in none of them cannot see it.",
            ),
        )
    ):
        function = option(function)
    return function


def given(options: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the options that were not given."""
    return {name: value for name, value in options.items() if value is not None}


@command.command("add")
@click.argument("name")
@click.option(
    "--kind", type=click.Choice(("named", "worker", "person")), help="named if not given."
)
@click.option(
    "--node", metavar="NODE", shell_complete=completing.nodes, help="The machine that it lives on."
)
@fields
@calls_bus(as_admin=True)
def add(caller: Caller, name: str, **options: Any) -> None:
    """Add an agent, or with --kind person a person."""
    agent = caller.bus.add_agent(name, **given(options))
    caller.show(agent, lambda: show_added(agent))


def show_added(agent: Mapping[str, Any]) -> None:
    """Say what the new one needs next."""
    name = harmless(agent["name"])
    say(f"{name} is on the bus.")
    if agent.get("node"):
        say(f"Its node needs its token: bus node code {harmless(agent['node'])}")
    elif agent["kind"] == "named":
        say(f"It needs a node to be woken on: bus node add NODE --agents {name}")
    else:
        kind = "person" if agent["kind"] == "person" else "agent"
        say(f"Its token: bus token new {kind} {name} --file FILE")


@command.command("change")
@click.argument("name", shell_complete=completing.agents)
@fields
@click.option("--accepts-all", is_flag=True, help="Take every type again.")
@quiet_fields
@click.option(
    "--shared-secret/--no-shared-secret",
    default=None,
    help="Whether the household's secret serves it, which ends with its first token.",
)
@click.option(
    "--lead/--no-lead", default=None, help="Whether it may finish others' tasks and take them over."
)
@click.option(
    "--escalate-to",
    type=NAMES,
    metavar="NAMES",
    help="Whom its alerts go to, one after the other.",
)
@click.option("--escalate-as-usual", "as_usual", is_flag=True, help="To the leads, then people.")
@calls_bus(as_admin=True)
def change(caller: Caller, name: str, *, accepts_all: bool, as_usual: bool, **options: Any) -> None:
    """Change what the options name; the rest stays as it is.

    With a person's token: its own quiet hours, and nothing else.
    """
    new = take_quiet(options)
    new |= given(options) | ({"accepts": None} if accepts_all else {})
    new |= {"escalate_to": None} if as_usual else {}
    if not new:
        raise click.UsageError("say what is to change; bus agent change --help lists it")
    agent = caller.bus.change_agent(name, **new)
    caller.show(agent, lambda: show_agent(agent))


@command.command("pause")
@click.argument("name", shell_complete=completing.agents)
@calls_bus(as_admin=True)
def pause(caller: Caller, name: str) -> None:
    """Wake it no more; its mail waits."""
    answer, shown = caller.bus.change_agent(name, paused=True), harmless(name)
    caller.done(answer, f"{shown} is paused; its mail waits until: bus agent resume {shown}")


@command.command("resume")
@click.argument("name", shell_complete=completing.agents)
@calls_bus(as_admin=True)
def resume(caller: Caller, name: str) -> None:
    """Wake it again, at once if mail waits."""
    caller.done(caller.bus.change_agent(name, paused=False), f"{harmless(name)} is woken again")


@command.command("move")
@click.argument("name", shell_complete=completing.agents)
@click.argument("node", shell_complete=completing.nodes)
@fields
@calls_bus(as_admin=True)
def move(caller: Caller, name: str, node: str, **options: Any) -> None:
    """Move it to another node; its mail goes with it, its old token ends."""
    answer = caller.bus.change_agent(name, node=node, **given(options))
    where = harmless(node)
    caller.done(
        answer,
        f"{harmless(name)} is on {where} now; {where} needs its new token: bus node code {where}",
    )


@command.command("rename")
@click.argument("name", shell_complete=completing.agents)
@click.argument("new")
@calls_bus(as_admin=True)
def rename(caller: Caller, name: str, new: str) -> None:
    """Give it another name; its mail stays its own."""
    answer = caller.bus.change_agent(name, name=new)
    at_node = (
        "; its node's watcher learns that by itself, and its token stays. "
        "On that node, `bus-watcher install` writes its skill with the new name"
    )
    shown = f"{harmless(name)} is {harmless(new)} now"
    caller.done(answer, shown + (at_node if answer.get("node") else ""))


@command.command("remove")
@click.argument("name", shell_complete=completing.agents)
@click.option("--yes", "is_sure", is_flag=True, help="Do not ask first.")
@calls_bus(as_admin=True)
def remove(caller: Caller, name: str, *, is_sure: bool) -> None:
    """Remove it: its tokens end, and who sent it mail that waits is told."""
    caller.bus.agent(name)  # which refuses where there is none, before anything is asked
    confirm(
        f"{harmless(name)}: its mail that waits ends, and its senders are told. Remove it?",
        is_sure=is_sure,
    )
    caller.done(caller.bus.remove_agent(name), f"{harmless(name)} is removed")


command.add_command(agentimport.command)
