"""`bus session`: where people and agents talk together, as a person and a script use it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from bus.cli import completing
from bus.cli.calling import Caller, calls_bus
from bus.cli.output import harmless, local_second, say, say_more, table
from bus.cli.sessionfile import export, search, take_file
from bus.cli.sessionsteer import COMMANDS as STEERING
from bus.cli.sessiontalk import follow, show_entries, show_head
from bus.cli.sessionwords import speak
from bus.cli.words import NAMES, read_body
from bus.sessions.model import STATES, WAKES

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADINGS = ("ID", "UNREAD", "ENTRIES", "STATE", "CHANGED", "WITH", "TITLE")
session_argument = click.argument("session_id", metavar="ID", shell_complete=completing.sessions)
wake_option = click.option(
    "--wake",
    type=click.Choice(WAKES),
    help="By what an agent is woken: where it is named, also where a person names nobody (turn, as"
    " where nothing is said), or by every word.",
)


@click.group("session")
def command() -> None:
    """Sessions: people and agents talk together, whoever is there just now."""


@command.command("new")
@click.argument("title")
@click.argument("names", nargs=-1, shell_complete=completing.agents)
@wake_option
@click.option("--key", metavar="KEY", help="Idempotency key: the same again is one session.")
@calls_bus()
def new(
    caller: Caller, title: str, names: tuple[str, ...], wake: str | None, key: str | None
) -> None:
    """Make a session with NAMES in it: agents, people or groups. Nobody has to accept."""
    answer = caller.bus.new_session(title, names, wake=wake, key=key)
    caller.show(answer, lambda: show_new(answer))


def show_new(answer: Mapping[str, Any]) -> None:
    """Say which session it is, and what comes next."""
    again = "  (made before; nothing new was made)" if answer.get("deduplicated") else ""
    say(f"{harmless(answer['session_id'])}{again}")
    say(f"bus session say {harmless(answer['session_id'])} TEXT")


@command.command("list")
@click.option("--state", type=click.Choice((*STATES, "all")), default="open", show_default=True)
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True)
@click.option("--after", metavar="ID", help="Go on where the last list ended.")
@calls_bus()
def list_sessions(caller: Caller, **which: Any) -> None:
    """List your sessions, the last changed first."""
    answer = caller.bus.sessions(**which)
    none = "no sessions; a new one: bus session new TITLE NAME ..."
    caller.show(answer, lambda: show_list(answer, none))


def show_list(answer: Mapping[str, Any], none: str) -> None:
    """Write sessions as a table, and how to go on."""
    rows = [
        (
            one["session_id"],
            one["unread"] or None,
            one["last_place"],
            one["state"],
            local_second(one["changed_at"]),
            one["participants"],
            one["title"],
        )
        for one in answer["sessions"]
    ]
    table(HEADINGS, rows, none=none)
    if answer["next"]:
        say_more("--after", answer["next"])


@command.command("show")
@session_argument
@click.option("--limit", type=click.IntRange(1, 200), default=20, show_default=True)
@click.option("--before", type=click.IntRange(1), metavar="PLACE", help="What was said before it.")
@click.option("-f", "--follow", "follows", is_flag=True, help="Stay, and show what is said then.")
@calls_bus()
def show(caller: Caller, session_id: str, *, follows: bool, **page: Any) -> None:
    """Show who is in a session and what was said last; nothing is taken as read."""
    if follows and page["before"] is not None:
        raise click.UsageError("--follow and --before do not go together")
    if follows:
        follow(caller, session_id, page["limit"])
        return
    answer = {**caller.bus.session(session_id), **caller.bus.entries(session_id, **page)}
    caller.show(answer, lambda: show_session(answer))


def show_session(answer: Mapping[str, Any]) -> None:
    """Write a session with a page of what was said."""
    show_head(answer)
    if answer["before"]:
        say_more("--before", answer["before"])
    show_entries(answer["entries"])


@command.command("say")
@session_argument
@click.argument("text", required=False)
@click.option("--to", type=NAMES, help="Who is meant: names, with commas between them.")
@click.option("--answers", "in_reply_to", metavar="ENTRY", help="The entry that this answers.")
@click.option("--key", metavar="KEY", help="Idempotency key: the same again is said once.")
@calls_bus()
def tell(caller: Caller, session_id: str, text: str | None, **given: Any) -> None:
    """Say TEXT to all in a session; it is read from standard input where it is - or not given."""
    answer = caller.bus.say(session_id, read_body(text, "TEXT"), **given)
    caller.show(answer, lambda: show_said(answer))


@command.command("speak")
@session_argument
@calls_bus()
def tell_words(caller: Caller, session_id: str) -> None:
    """Say what comes on standard input as it comes: all in the session see it grow."""
    made = speak(caller, session_id)
    sentence = f"{harmless(made['entry_id'])}  entry {made['place']}"
    caller.done({"entry_id": made["entry_id"], "place": made["place"]}, sentence)


def show_said(answer: Mapping[str, Any]) -> None:
    """Say where it is, and what became of the agents that are woken by it."""
    again = "  (said before; it is there once)" if answer.get("deduplicated") else ""
    say(f"{harmless(answer['entry_id'])}  entry {answer['place']}{again}")
    for one in answer["deliveries"]:
        why = f": {harmless(one['reason'])}" if one.get("reason") else ""
        say(f"  {harmless(one['to'])} {harmless(one['state'])}{why}")


@command.command("read")
@session_argument
@click.option("--keep", is_flag=True, help="Take nothing as read.")
@click.option("--text", is_flag=True, help="The text that a model gets; nothing is taken as read.")
@calls_bus()
def read(caller: Caller, session_id: str, *, keep: bool, text: bool) -> None:
    """Read what you missed, oldest first, and take it as read."""
    if text:
        whole = caller.bus.missed(session_id)
        shown = harmless(whole, lines=True) if sys.stdout.isatty() else whole
        caller.show({"text": whole}, lambda: click.echo(shown, nl=False))
        return
    cursor = caller.bus.entries(session_id, limit=1)["cursor"]
    answer = caller.bus.entries(session_id, after=cursor, limit=200)
    caller.show(answer, lambda: show_missed(answer))
    if answer["entries"] and not keep:
        caller.bus.read_to(session_id, answer["entries"][-1]["place"])


def show_missed(answer: Mapping[str, Any]) -> None:
    """Write what was missed, and whether there is more."""
    if not answer["entries"]:
        say("nothing unread")
    show_entries(answer["entries"])
    if answer["after"]:
        left = answer["last_place"] - answer["after"]
        say(f"{left} more: bus session read {harmless(answer['session_id'])}")


@command.command("invite")
@session_argument
@click.argument("names", nargs=-1, required=True, shell_complete=completing.agents)
@wake_option
@calls_bus()
def invite(caller: Caller, session_id: str, names: tuple[str, ...], wake: str | None) -> None:
    """Take agents and people in. Nobody has to accept."""
    for name in names:
        answer = caller.bus.invite(session_id, name, wake)
        new = ", ".join(map(harmless, answer["invited"]))
        known = ", ".join(map(harmless, answer["already"]))
        parts = [f"{new}: in it now"] * bool(new) + [f"{known}: in it already"] * bool(known)
        caller.done(answer, "; ".join(parts) or "nobody new")


@command.command("leave")
@session_argument
@click.argument("name", default="me", shell_complete=completing.agents)
@calls_bus()
def leave(caller: Caller, session_id: str, name: str) -> None:
    """Leave a session, or remove NAME from it."""
    answer = caller.bus.leave_session(session_id, name)
    caller.done(answer, f"{harmless(answer['left'])} is in it no more")


@command.command("wake")
@session_argument
@click.argument("name", shell_complete=completing.agents)
@click.argument("rule", type=click.Choice(WAKES))
@calls_bus()
def set_wake(caller: Caller, session_id: str, name: str, rule: str) -> None:
    """Set by what the agent NAME is woken in a session; me is yourself."""
    answer = caller.bus.set_wake(session_id, name, rule)
    caller.done(answer, f"{harmless(answer['name'])} is woken by {harmless(answer['wake'])}")


@command.command("rename")
@session_argument
@click.argument("title")
@calls_bus()
def rename(caller: Caller, session_id: str, title: str) -> None:
    """Give a session another title."""
    changed(caller, caller.bus.change_session(session_id, title=title))


@command.command("close")
@session_argument
@calls_bus()
def close(caller: Caller, session_id: str) -> None:
    """Close a session: it takes nothing until it is opened again, and can be read."""
    changed(caller, caller.bus.change_session(session_id, state="closed"))


@command.command("reopen")
@session_argument
@calls_bus()
def reopen(caller: Caller, session_id: str) -> None:
    """Open a session again."""
    changed(caller, caller.bus.change_session(session_id, state="open"))


def changed(caller: Caller, answer: Mapping[str, Any]) -> None:
    """Say how a session stands now."""
    sentence = f"{harmless(answer['session_id'])}: {harmless(answer['state'])}"
    caller.done(answer, f"{sentence}, {harmless(answer['title'])}")


for one in (search, export, take_file, *STEERING):
    command.add_command(one)
