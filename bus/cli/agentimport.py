"""`bus agent import`: the agents of an OpenClaw become agents of the bus.

What is to be done is decided before anything is done, so that a wrong name changes nothing, and
the same import again has nothing left to do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from bus.cli import completing
from bus.cli.calling import Caller, calls_bus
from bus.cli.failing import REFUSED, SETTINGS, Failure
from bus.cli.openclawfile import Found, read_agents
from bus.cli.output import harmless, say, table
from bus.directory.rules import check_name
from bus.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_BYTES = 4_000_000
HEADINGS = ("NAME", "KIND", "NODE", "LOCAL AGENT", "SESSION", "CALLED", "WHAT")
SHOWN = ("name", "kind", "node", "local_agent", "session_key", "display_name")
WHAT = {"add": "added", "change": "changed", "keep": "as it is"}
LATER = {"add": "would be added", "change": "would be changed", "keep": "as it is"}


@dataclass(frozen=True)
class Step:
    """What an import does about one agent: adds it, changes these fields, or nothing."""

    action: str
    name: str
    fields: Mapping[str, Any]
    agent: Mapping[str, Any]
    """As it is afterwards."""


class Another(click.ParamType[tuple[str, str]]):
    """`ID=NAME`: an agent's id in OpenClaw and its name on the bus."""

    name = "id=name"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        local, equals, name = value.partition("=")
        if not equals or not local or not name:
            self.fail(f"{value!r} is not ID=NAME, such as main=cleo", param, ctx)
        return local.lower(), name


@click.command("import")
@click.argument("file", type=click.File("rb"))
@click.argument("ids", nargs=-1)
@click.option(
    "--node", metavar="NODE", shell_complete=completing.nodes, help="The machine they live on."
)
@click.option("--worker", "workers", multiple=True, metavar="ID", help="This one takes runs.")
@click.option(
    "--as", "others", multiple=True, type=Another(), metavar="ID=NAME", help="Call it so here."
)
@click.option("--dry-run", is_flag=True, help="Only show what would be done.")
@calls_bus(as_admin=True)
def command(caller: Caller, *, file: BinaryIO, dry_run: bool, **asked: Any) -> None:
    """Add the agents of FILE, an openclaw.json (- reads it from standard input), or only IDS."""
    steps = decide(caller, read_file(file), **asked)
    if not dry_run:
        for step in steps:
            carry_out(caller, step)
    answer = {
        "dry_run": dry_run,
        "agents": [{"action": step.action, **step.agent} for step in steps],
        "next": next_command(steps, dry_run=dry_run),
    }
    caller.show(answer, lambda: show(answer))


def decide(  # noqa: PLR0913 - what the command line may say
    caller: Caller,
    found: list[Found],
    *,
    ids: Sequence[str],
    node: str | None,
    workers: Sequence[str],
    others: Sequence[tuple[str, str]],
) -> list[Step]:
    """Decide what is to be done about each agent; refuses before anything is done."""
    chosen = choose(found, ids, [*workers, *(local for local, _ in others)])
    names, runners = dict(others), {local.lower() for local in workers}
    wanted = {
        names.get(one.id, one.id): told(one, "worker" if one.id in runners else "named", node)
        for one in chosen
    }
    if len(wanted) != len(chosen):
        raise click.UsageError("two of them would have one name: another with --as ID=NAME")
    if node and node not in {one["name"] for one in caller.bus.nodes()["nodes"]}:
        raise Failure(f"there is no node {node!r}", REFUSED, mend=f"First: bus node add {node}")
    present = {one["name"]: one for one in caller.bus.agents()["agents"]}
    groups = {one["name"] for one in caller.bus.groups()["groups"]}
    return [plan(name, fields, present.get(name), groups) for name, fields in wanted.items()]


def read_file(file: BinaryIO) -> list[Found]:
    """Read the configuration.

    Raises:
        Failure: it is none.
    """
    try:
        return read_agents(file.read(MAX_BYTES).decode())
    except ValueError as error:
        mend = "OpenClaw keeps it at ~/.openclaw/openclaw.json, on the machine where it runs."
        raise Failure(f"{file.name} is not read: {error}", SETTINGS, mend=mend) from error


def choose(found: list[Found], ids: Sequence[str], named: Sequence[str]) -> list[Found]:
    """Give the agents that are meant.

    Raises:
        click.UsageError: an agent is named that the file, or the choice, has not.
    """
    chosen = [one for one in found if not ids or one.id in {id_.lower() for id_ in ids}]
    for given, among in ((ids, found), (named, chosen)):
        known = [one.id for one in among]
        for local in given:
            if local.lower() not in known:
                raise click.UsageError(f"there is no {local!r} among {', '.join(known)}")
    return chosen


def told(one: Found, kind: str, node: str | None) -> dict[str, Any]:
    """Give what the file and the command say of an agent; what they leave open stays as it is."""
    fields = {"kind": kind, "local_agent": one.id, "session_key": one.session_key}
    more = {"display_name": one.display_name, "node": node}
    return fields | {key: value for key, value in more.items() if value}


def plan(
    name: str, fields: dict[str, Any], present: Mapping[str, Any] | None, groups: set[str]
) -> Step:
    """Decide what is to be done about one.

    Raises:
        Failure: what has its name already is another.
    """
    local, mend = fields["local_agent"], "Another name on the bus: --as ID=NAME"
    try:
        check_name(name)
    except InvalidRequestError as error:
        raise Failure(str(error), REFUSED, mend=mend) from error
    if name in groups:
        raise Failure(f"{name} is a group", REFUSED, mend=mend)
    if present is None:
        return Step("add", name, fields, {"name": name, "node": None, "display_name": ""} | fields)
    where = present.get("node")
    if present["kind"] != fields["kind"]:
        wanted = "--worker" if fields["kind"] == "named" else "no --worker"
        mend = f"{mend}. Where it is the same one: {wanted}"
        raise Failure(f"{name} is there, as a {present['kind']}", REFUSED, mend=mend)
    if where and where != fields.get("node", where):
        raise Failure(
            f"{name} is there, on {where}",
            REFUSED,
            mend=f"If this is another one: --as {local}=NAME. "
            f"If it moved: bus agent move {name} {fields['node']}",
        )
    new = {key: value for key, value in fields.items() if present.get(key) != value}
    return Step(
        "change" if new else "keep", name, new, {key: present.get(key) for key in SHOWN} | new
    )


def carry_out(caller: Caller, step: Step) -> None:
    """Do it."""
    if step.action == "add":
        caller.bus.add_agent(step.name, **step.fields)
    elif step.action == "change":
        caller.bus.change_agent(step.name, **step.fields)


def next_command(steps: Sequence[Step], *, dry_run: bool) -> str:
    """Name what makes them reachable: their tokens, on their node."""
    if dry_run:
        return "the same without --dry-run"
    homeless = [step.name for step in steps if not step.agent["node"]]
    if homeless:
        return f"bus node add NODE --agents {','.join(homeless)}"
    fresh = [step for step in steps if step.action == "add" or "node" in step.fields]
    node = steps[0].agent["node"]
    return f"bus node code {node}" if fresh else f"bus-watcher doctor, on {node}"


def show(answer: Mapping[str, Any]) -> None:
    """Write what was done, or would be, and what comes next."""
    what = LATER if answer["dry_run"] else WHAT
    table(
        HEADINGS,
        [
            (*(one.get(key) or None for key in SHOWN), what[one["action"]])
            for one in answer["agents"]
        ],
    )
    if answer["dry_run"]:
        say("Nothing was done. To do it: the same without --dry-run")
    else:
        say(f"Next: {harmless(answer['next'])}")
