"""What of `bus session` steers: ask people first, answer, stop, and also do this."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bus.cli import completing
from bus.cli.calling import Caller, calls_bus
from bus.cli.failing import DENIED, UNANSWERED
from bus.cli.output import behind_bar, facts, harmless, local_second, say, say_more, table
from bus.cli.words import DURATION_S, NAMES, read_body, read_text
from bus.steering.model import OPEN, STATES

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADINGS = ("ID", "STATE", "ASKED BY", "UNTIL", "ANSWER", "TITLE")
LOOK_S = 30
"""So long one look waits for an answer; then the next one does."""
approval_argument = click.argument("approval_id", metavar="ID", shell_complete=completing.approvals)
session_argument = click.argument("session_id", metavar="ID", shell_complete=completing.sessions)
key_option = click.option("--key", metavar="KEY", help="Idempotency key: the same again is one.")


@click.command("ask")
@session_argument
@click.argument("title")
@click.argument("body", default="")
@click.option("--option", "options", multiple=True, metavar="WORD", help="An answer; several.")
@click.option("--who", type=NAMES, help="Who may answer; any person there if not given.")
@click.option("--expires", "expires_in", type=DURATION_S, help="Until when; 1d if not given.")
@click.option("--on-expiry", metavar="WORD", help="What it comes to then; nothing if not given.")
@click.option("--run", "run_id", metavar="RUN", help="The run of yours that it is for.")
@click.option("--wait", "waits", is_flag=True, help="Stay until it has come to its end.")
@key_option
@calls_bus()
def ask(caller: Caller, session_id: str, title: str, body: str, **given: Any) -> None:
    """Ask the people of a session first; ID may be the name of one person instead.

    With --wait the exit code says what they said: 0 the first of the options (approve), 9 another
    one, 10 nothing.
    """
    waits, fields = given.pop("waits"), {**given, "options": list(given["options"]) or None}
    text = read_text(body, "BODY") if body == "-" else body
    is_session = session_id.startswith("s_")
    do = caller.bus.ask_first if is_session else caller.bus.ask_person_first
    answer = do(session_id, title, body=text or None, **fields)
    if waits:
        show_end(caller, await_end(caller, answer["approval_id"]))
        return
    caller.show(answer, lambda: show_asked(answer))


def show_asked(answer: Mapping[str, Any]) -> None:
    """Say which one it is, until when it waits, and how to hear what comes of it."""
    again = "  (asked before; nothing new was asked)" if answer.get("deduplicated") else ""
    approval_id = harmless(answer["approval_id"])
    say(f"{approval_id}  open until {local_second(answer['expires_at'])}{again}")
    say(f"bus session approval {approval_id} --wait")


def await_end(caller: Caller, approval_id: str) -> dict[str, Any]:
    """Look until an approval has come to its end."""
    while (shown := caller.bus.approval(approval_id, LOOK_S))["state"] == OPEN:
        continue
    return shown


def show_end(caller: Caller, shown: Mapping[str, Any]) -> None:
    """Write what an approval has come to. A script goes on only where it may: by the exit code."""
    caller.show(shown, lambda: say(outcome(shown)))
    if shown["answer"] is None:
        raise SystemExit(UNANSWERED)
    if shown["answer"] != shown["options"][0]:
        raise SystemExit(DENIED)


def outcome(shown: Mapping[str, Any]) -> str:
    """Write in one line what came of it: what no person said is not shown as if one had."""
    if shown["state"] == OPEN:
        return f"open until {local_second(shown['expires_at'])}"
    if shown["answered_by"]:
        note = f": {harmless(shown['note'])}" if shown["note"] else ""
        return f"{harmless(shown['answer'])} (by {harmless(shown['answered_by'])}){note}"
    counts = f"; it counts as {harmless(shown['answer'])}" if shown["answer"] else ""
    return f"{harmless(shown['state'])}: {harmless(shown['reason'])}{counts}"


@click.command("approval")
@approval_argument
@click.option("--wait", "waits", is_flag=True, help="Stay until it has come to its end.")
@calls_bus()
def approval(caller: Caller, approval_id: str, *, waits: bool) -> None:
    """Show what is asked, and what came of it."""
    if waits:
        show_end(caller, await_end(caller, approval_id))
        return
    shown = caller.bus.approval(approval_id)
    caller.show(shown, lambda: show_approval(shown))


def show_approval(shown: Mapping[str, Any]) -> None:
    """Write an approval whole, with what can be done."""
    without = shown["on_expiry"]
    facts(
        (
            ("id", shown["approval_id"]),
            ("session", f"{shown['session_id']}  {shown['session_title']}"),
            ("title", shown["title"]),
            ("asked by", f"{shown['asked_by']} at {local_second(shown['asked_at'])}"),
            ("of", shown["who"] or "any person in the session"),
            ("for run", shown["run_id"]),
            ("state", outcome(shown)),
            ("unanswered", "it comes to nothing" if without == "expire" else without),
        )
    )
    if shown["body"]:
        say()
        for line in behind_bar(shown["body"]):
            say(line)
    if shown["may_answer"]:
        say()
        for word in shown["options"]:
            say(f"bus session answer {harmless(shown['approval_id'])} {harmless(word)}")


@click.command("approvals")
@click.option("--session", metavar="ID", shell_complete=completing.sessions, help="All of it.")
@click.option("--state", type=click.Choice((*STATES, "all")), default=OPEN, show_default=True)
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True)
@click.option("--after", metavar="ID", help="Go on where the last list ended.")
@calls_bus()
def approvals(caller: Caller, **which: Any) -> None:
    """List what is yours to answer and what you asked, newest first."""
    answer = caller.bus.approvals(**which)
    none = "nothing is asked" if which["state"] == OPEN else "no approvals"
    caller.show(answer, lambda: show_list(answer, none))


def show_list(answer: Mapping[str, Any], none: str) -> None:
    """Write approvals as a table, and how to go on."""
    rows = [
        (
            one["approval_id"],
            one["state"],
            one["asked_by"],
            local_second(one["expires_at"]),
            f"{one['answer']} by {one['answered_by']}" if one["answered_by"] else one["answer"],
            one["title"],
        )
        for one in answer["approvals"]
    ]
    table(HEADINGS, rows, none=none)
    if answer["next"]:
        say_more("--after", answer["next"])


@click.command("answer")
@approval_argument
@click.argument("word", metavar="ANSWER")
@click.option("--note", default="", metavar="TEXT", help="A word with it.")
@calls_bus()
def answer(caller: Caller, approval_id: str, word: str, note: str) -> None:
    """Answer what is asked, as a person: approve, deny or whatever it offers."""
    shown = caller.bus.answer_approval(approval_id, word, note)
    before = "  (said before)" if shown["already"] else ""
    caller.done(shown, f"{harmless(shown['approval_id'])}: {outcome(shown)}{before}")


@click.command("withdraw")
@approval_argument
@click.option("--reason", default="", metavar="TEXT", help="Why; others can read it.")
@calls_bus()
def withdraw(caller: Caller, approval_id: str, reason: str) -> None:
    """Take back what you asked."""
    shown = caller.bus.withdraw_approval(approval_id, reason)
    before = "  (taken back before)" if shown["already"] else ""
    caller.done(shown, f"{harmless(shown['approval_id'])}: {outcome(shown)}{before}")


@click.command("stop")
@session_argument
@click.argument("text", default="")
@click.option("--to", type=NAMES, help="These agents alone, or all though they do nothing.")
@click.option("--run", "run_id", metavar="RUN", help="This run alone.")
@key_option
@calls_bus()
def stop(caller: Caller, session_id: str, text: str, **given: Any) -> None:
    """Stop what goes on in a session: its runs, what is not begun, and the agents at work."""
    said = caller.bus.steer(session_id, "stop", body=text or None, **given)
    caller.show(said, lambda: show_stopped(said))


def show_stopped(said: Mapping[str, Any]) -> None:
    """Say what was stopped, and who was told."""
    for run in said["runs"]:
        say(f"{harmless(run['run_id'])}  {harmless(run['result'])}")
    if said["withdrawn"]:
        say(f"{said['withdrawn']} messages taken back unread")
    show_told(said, "nobody was at work")


def show_told(said: Mapping[str, Any], none: str) -> None:
    """Say which entry it is, and whom it was told."""
    told = ", ".join(map(harmless, said["told"]))
    say(f"{harmless(said['entry_id'])}  entry {said['place']}; {f'told: {told}' if told else none}")


@click.command("also")
@session_argument
@click.argument("text", required=False)
@click.option("--to", type=NAMES, help="For these agents; for those at work if not given.")
@key_option
@calls_bus()
def also(caller: Caller, session_id: str, text: str | None, **given: Any) -> None:
    """Have those at work in a session do TEXT also; standard input where it is - or not given."""
    said = caller.bus.steer(session_id, "also", body=read_body(text, "TEXT"), **given)
    caller.show(said, lambda: show_told(said, "no agent is woken by it"))


COMMANDS = (ask, approvals, approval, answer, withdraw, stop, also)
