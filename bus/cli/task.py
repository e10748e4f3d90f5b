"""`bus task`: the board as a person and a script use it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bus.board.model import STATUSES
from bus.cli import completing
from bus.cli.calling import Caller, calls_bus
from bus.cli.output import behind_bar, facts, harmless, local_second, paint, say, say_more, table
from bus.cli.words import read_text

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADINGS = ("ID", "STATUS", "HOLDER", "REVIEWER", "CHANGED", "TITLE")
task_argument = click.argument("task_id", metavar="ID", shell_complete=completing.tasks)


@click.group("task")
def command() -> None:
    """The board: add tasks, claim, move and list them."""


@command.command("add")
@click.argument("title")
@click.argument("body", default="")
@click.option(
    "--reviewer", metavar="NAME", shell_complete=completing.agents, help="Who looks at the result."
)
@click.option(
    "--lead", metavar="NAME", shell_complete=completing.agents, help="Who hears of its end."
)
@click.option("--ops", is_flag=True, help="An operations task: it needs no review.")
@click.option("--compartment", metavar="NAME", help="Of which it is, for who is in several.")
@click.option("--message", "message_id", metavar="ID", help="The message that it came from.")
@click.option("--key", metavar="KEY", help="Idempotency key: the same again is one task.")
@calls_bus()
def add(caller: Caller, title: str, body: str, *, key: str | None, **fields: Any) -> None:
    """Add a task to the backlog; BODY is read from standard input where it is -."""
    text = read_text(body, "BODY") if body == "-" else body
    answer = caller.bus.add_task(title, key=key, body=text, **fields)
    caller.show(answer, lambda: show_added(answer))


def show_added(answer: Mapping[str, Any]) -> None:
    """Say which task it is, and what comes next."""
    again = "  (added before; nothing new was added)" if answer.get("deduplicated") else ""
    task_id = harmless(answer["id"])
    say(f"{task_id}{again}")
    say(f"bus task claim {task_id}")


@command.command("list")
@click.option(
    "--status", type=click.Choice(("open", "all", *STATUSES)), default="open", show_default=True
)
@click.option("--holder", metavar="NAME", shell_complete=completing.agents, help="Held by; or me.")
@click.option(
    "--reviewer", metavar="NAME", shell_complete=completing.agents, help="For review by; or me."
)
@click.option("--lead", metavar="NAME", shell_complete=completing.agents, help="Led by; or me.")
@click.option("--stale", is_flag=True, help="Only claims that can be taken over.")
@click.option("--compartment", metavar="NAME", help="Of this one only.")
@click.option("--oldest", is_flag=True, help="The oldest first.")
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True)
@click.option("--after", metavar="ID", help="Go on where the last list ended.")
@calls_bus()
def list_tasks(caller: Caller, *, oldest: bool, stale: bool, **which: Any) -> None:
    """List tasks, newest first."""
    order, wanted = "oldest" if oldest else None, "true" if stale else None
    answer = caller.bus.tasks(order=order, stale=wanted, **which)
    none = "no open tasks; also those that are done: --status all"
    none = none if which["status"] == "open" and not stale else "no tasks"
    caller.show(answer, lambda: show_list(answer, none))


def show_list(answer: Mapping[str, Any], none: str) -> None:
    """Write the board as a table, and how to go on."""
    table(HEADINGS, [row_of(task) for task in answer["tasks"]], none=none)
    if answer["next"]:
        say_more("--after", answer["next"])


def row_of(task: Mapping[str, Any]) -> tuple[object, ...]:
    """Write one task as a row."""
    return (
        task["id"],
        state_of(task),
        task["holder"],
        task["reviewer"],
        local_second(task["changed_at"]),
        task["title"],
    )


def state_of(task: Mapping[str, Any]) -> str:
    """Write where a task is, and what is the matter with it."""
    return f"{task['status']}, stale" if task["stale"] else str(task["status"])


@command.command("show")
@task_argument
@calls_bus()
def show(caller: Caller, task_id: str) -> None:
    """Show a task, its history, and what you may do with it."""
    answer = caller.bus.task(task_id)
    caller.show(answer, lambda: show_task(answer))


def show_task(task: Mapping[str, Any]) -> None:
    """Write a task whole."""
    say(paint(f"{harmless(task['id'])}  {harmless(task['title'])}", bold=True))
    facts(
        (
            ("status", state_of(task)),
            ("blocked from", task["blocked_from"]),
            ("blocked by", task["blocked_by"]),
            ("holder", task["holder"]),
            ("reviewer", task["reviewer"]),
            ("lead", task["lead"]),
            ("review", "not needed (ops)" if task["ops"] else None),
            ("compartment", task["compartment"]),
            ("added", f"{local_second(task['created_at'])} by {task['by']}"),
            ("runs", task["runs"] or None),
            ("messages", task["messages"] or None),
        )
    )
    if task["body"]:
        say()
        for line in behind_bar(task["body"]):
            say(line)
    show_history(task)
    for move in task["moves"]:
        why = " --note WHY" if move["needs_note"] else ""
        say(f"bus task move {harmless(task['id'])} {harmless(move['status'])}{why}")


def show_history(task: Mapping[str, Any]) -> None:
    """Write what was done with a task and said of it, oldest first."""
    say()
    if task["earlier"]:
        say(f"{task['earlier']} earlier entries are not shown")
    rows = [
        (local_second(one["at"]), one["by"], one["what"], one["status"], entry_text(one))
        for one in task["history"]
    ]
    table(("AT", "BY", "WHAT", "STATUS", "NOTE"), rows)
    say()


def entry_text(entry: Mapping[str, Any]) -> str | None:
    """Write what an entry says, with what it points to."""
    parts = (entry["note"], entry["run_id"], entry["message_id"])
    return "  ".join(part for part in parts if part) or None


@command.command("claim")
@task_argument
@click.option("--note", default="", metavar="TEXT", help="A word on it.")
@calls_bus()
def claim(caller: Caller, task_id: str, note: str) -> None:
    """Take a task, or refresh your claim; of several who claim at once one has it."""
    done(caller, caller.bus.change_task(task_id, status="in_progress", note=note))


@command.command("move")
@task_argument
@click.argument("status", type=click.Choice(STATUSES))
@click.option(
    "--note", default="", metavar="TEXT", help="Why; needed to block, send back and reopen."
)
@calls_bus()
def move(caller: Caller, task_id: str, status: str, note: str) -> None:
    """Move a task; a refusal says who may."""
    done(caller, caller.bus.change_task(task_id, status=status, note=note))


@command.command("change")
@task_argument
@click.option("--title", metavar="TEXT", help="Another title.")
@click.option("--body", metavar="TEXT", help="Another text; - reads it from standard input.")
@click.option("--reviewer", metavar="NAME", shell_complete=completing.agents, help="Who reviews.")
@click.option("--lead", metavar="NAME", shell_complete=completing.agents, help="Who hears of it.")
@click.option("--ops/--no-ops", default=None, help="Whether it needs no review.")
@calls_bus()
def change(caller: Caller, task_id: str, **fields: Any) -> None:
    """Change what a task says; for who added it, a lead or a person."""
    given = {name: value for name, value in fields.items() if value is not None}
    if not given:
        raise click.UsageError("say what is to change; bus task change --help lists it")
    if "body" in given:
        given["body"] = read_text(given["body"], "BODY")
    done(caller, caller.bus.change_task(task_id, **given))


def done(caller: Caller, answer: Mapping[str, Any]) -> None:
    """Say where a task is now, and who was told."""
    who = f", held by {harmless(answer['holder'])}" if answer["holder"] else ""
    told = f"; told: {', '.join(map(harmless, answer['told']))}" if answer["told"] else ""
    caller.done(answer, f"{harmless(answer['id'])}: {harmless(answer['status'])}{who}{told}")


@command.command("note")
@task_argument
@click.argument("text", required=False)
@click.option("--message", "message_id", metavar="ID", help="A message that belongs to it.")
@calls_bus()
def note(caller: Caller, task_id: str, text: str | None, message_id: str | None) -> None:
    """Write TEXT on a task; it is read from standard input where it is - or not given."""
    said = "" if text is None and message_id else read_text(text, "TEXT")
    answer = caller.bus.note_task(task_id, said, message_id)
    caller.done(answer, f"{harmless(answer['id'])} has your note")
