"""`bus inbox`: read what waits; each item comes with the handle that answers and ends it."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import click

from bus.cli.calling import Caller, calls_bus
from bus.cli.next_steps import invoked
from bus.cli.output import behind_bar, harmless, local_time, paint, say, table
from bus.cli.words import DURATION_S

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

THE_BUS = "wakebus"
"""Who writes notices, and takes no answers."""
LONGEST_WAIT_S = 60
"""What one call may wait; a longer wait is several calls."""
PAUSE_S = 1.0
"""The least time between two of them."""


@click.command("inbox")
@click.option("--wait", "wait_s", type=DURATION_S, default=0.0, help="Wait for mail this long.")
@click.option("--headers", is_flag=True, help="Only look: no bodies, nothing is leased.")
@click.option("--text", is_flag=True, help="The text that a model gets.")
@click.option("--limit", type=click.IntRange(1, 100), help="At most so many items, 100 or less.")
@click.option("--max-bytes", type=click.IntRange(1), help="At most so many bytes of bodies.")
@click.option("--id", "message_id", metavar="ID", help="This message only.")
@calls_bus()
def command(caller: Caller, *, wait_s: float, headers: bool, text: bool, **asked: Any) -> None:
    """Read your mail, urgent first, then oldest.

    What is shown in full is leased to you for 10 minutes: ack it or answer it. Otherwise it comes
    again, to another turn at once and to anybody after the lease.
    """
    if text and headers:
        raise click.UsageError("--text and --headers do not go together")
    if text:
        show_text(caller, wait_s, asked)
        return
    answer = waited(
        wait_s, lambda s: caller.bus.inbox(wait_s=s, headers=headers, **asked), bool_of_items
    )
    show = show_headers if headers else show_items
    caller.show(answer, lambda: show(answer, asked["message_id"]))


def waited(wait_s: float, read: Callable[[int], Any], has_mail: Callable[[Any], bool]) -> Any:
    """Read by long polls until there is mail or the time is over.

    An answer that came sooner than it was asked for is no reason to ask again at once.
    """
    until_s = time.monotonic() + wait_s
    while True:
        begun_s = time.monotonic()
        answer = read(max(0, min(LONGEST_WAIT_S, round(until_s - begun_s))))
        if has_mail(answer) or until_s - time.monotonic() < PAUSE_S:
            return answer
        time.sleep(max(0.0, begun_s + PAUSE_S - time.monotonic()))


def bool_of_items(answer: Mapping[str, Any]) -> bool:
    """Say whether an inbox holds something."""
    return bool(answer.get("items"))


def show_text(caller: Caller, wait_s: float, asked: dict[str, Any]) -> None:
    """Write the text for a model: unchanged into a pipe, harmless on a terminal."""
    if wait_s:
        waited(wait_s, lambda s: caller.bus.inbox(wait_s=s, headers=True, **asked), bool_of_items)
    text = caller.bus.inbox_text(**asked)
    shown = harmless(text, lines=True) if sys.stdout.isatty() else text
    caller.show({"text": text}, lambda: click.echo(shown, nl=False))


def show_items(answer: Mapping[str, Any], message_id: str | None = None) -> None:
    """Write each item whole, with what can be done with it."""
    for item in answer["items"]:
        show_item(item)
    show_rest(answer, message_id)


def show_item(item: Mapping[str, Any]) -> None:
    """Write one item."""
    subject = f" {harmless(item['subject'])}" if item.get("subject") else ""
    trust = "" if item.get("trust") in {"peer", None} else f" ({harmless(item['trust'])})"
    say(paint(f"{harmless(item['from'])}{trust}: {harmless(item['type'])}{subject}", bold=True))
    urgency = "" if item.get("priority") in {"normal", None} else f"{harmless(item['priority'])}, "
    wanted = "answer wanted" if item.get("reply_expected") else "no answer wanted"
    answered = ", answered already" if item.get("replied") else ""
    say(
        f"  {urgency}sent {local_time(item['sent_at'], date=True)}, "
        f"attempt {item['attempt']}, {wanted}{answered}"
    )
    if item.get("in_reply_to"):
        word = "about" if item["from"] == THE_BUS else "answers"
        say(f"  {word} {harmless(item['in_reply_to'])}")
    for line in behind_bar(item["body"]):
        say(line)
    if item.get("body_truncated"):
        which = f"--id {harmless(item['id'])} --max-bytes {item['body_bytes']}"
        whole = f"{invoked('bus')} inbox {which}"
        say(f"  (cut; all {item['body_bytes']} bytes: {whole})")
    if "reply" in item:  # the bus and a worker take none
        say(f"  {invoked('bus')} reply {harmless(item['handle'])} ANSWER")
    say(f"  {invoked('bus')} ack {harmless(item['handle'])}")
    say()


def show_headers(answer: Mapping[str, Any], message_id: str | None = None) -> None:
    """Write what waits as a table."""
    rows = [
        (
            item["id"],
            item["from"],
            item["type"],
            item["priority"],
            local_time(item["sent_at"]),
            item.get("state"),
            item.get("body_bytes"),
            item.get("subject"),
        )
        for item in answer["items"]
    ]
    if rows:
        table(("ID", "FROM", "TYPE", "PRIORITY", "SENT", "STATE", "BYTES", "SUBJECT"), rows)
    show_rest(answer, message_id)


def show_rest(answer: Mapping[str, Any], message_id: str | None) -> None:
    """Say what is not shown."""
    who = harmless(answer.get("agent", ""))
    if not answer["items"] and message_id:
        say(f"{harmless(message_id)} does not wait for {who} now: bus trace {harmless(message_id)}")
    elif not answer["items"]:
        say(f"nothing for {who}")
    elif answer.get("more") and not message_id:
        say(f"{answer['more']} more; ack these first, then: bus inbox")
