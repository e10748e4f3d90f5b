"""`bus alert`: what goes up a chain of agents and people until somebody has it in hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bus.alerts.model import SEVERITIES, USUAL
from bus.cli import completing
from bus.cli.calling import Caller, calls_bus
from bus.cli.output import behind_bar, facts, harmless, local_second, say, say_more, table
from bus.cli.words import read_text

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADINGS = ("ID", "SEVERITY", "STATE", "BY", "TOLD", "ABOUT", "SUBJECT")
id_argument = click.argument("alert_id", metavar="ID", shell_complete=completing.alerts)


@click.group("alert")
def command() -> None:
    """Alerts: raise one, see how far it has come, settle it."""


@command.command("raise")
@click.argument("subject")
@click.argument("body", default="")
@click.option(
    "--severity",
    type=click.Choice(tuple(SEVERITIES)),
    default=USUAL,
    show_default=True,
    help="critical reaches a person at once, whatever the hour.",
)
@click.option("--about", default="", metavar="WHAT", help="A task's id, or any short word.")
@click.option("--key", metavar="KEY", help="Idempotency key: the same again is one alert.")
@calls_bus()
def raise_alert(caller: Caller, subject: str, body: str, *, severity: str, **more: Any) -> None:
    """Raise an alert; BODY is read from standard input where it is -."""
    text = read_text(body, "BODY") if body == "-" else body
    answer = caller.bus.raise_alert(severity, subject, body=text, **more)
    caller.show(answer, lambda: show_raised(answer))


def show_raised(answer: Mapping[str, Any]) -> None:
    """Say who was told, and who is next."""
    again = "  (open before; nothing new was raised)" if answer.get("deduplicated") else ""
    alert_id = harmless(answer["id"])
    say(f"{alert_id}{again}")
    say(f"told: {harmless(told(answer))}{later(answer)}")
    say(f"bus alert show {alert_id}")


def told(alert: Mapping[str, Any]) -> str:
    """Name who was told, in order."""
    return ", ".join(step["to"] for step in alert["told"]) or "nobody yet"


def later(alert: Mapping[str, Any]) -> str:
    """Say who is told next, and when."""
    if not alert.get("next_at"):
        return ""
    name = harmless(alert.get("next") or "another")
    return f"; without an ack {name} at {local_second(alert['next_at'])}"


@command.command("list")
@click.option("--all", "every", is_flag=True, help="Also those that are over.")
@click.option("--after", metavar="ID", help="Go on behind this one.")
@click.option("--limit", type=click.IntRange(1, 200), help="At most so many; 50 if not given.")
@calls_bus()
def list_alerts(caller: Caller, *, every: bool, **which: Any) -> None:
    """List the open alerts that you can see, newest first."""
    answer = caller.bus.alerts(state="all" if every else "open", **which)
    none = "no alerts" if every else "no open alerts; also those that are over: --all"
    caller.show(answer, lambda: show_list(answer, none))


def show_list(answer: Mapping[str, Any], none: str) -> None:
    """Write a page of alerts."""
    rows = [
        (
            *(one[name] for name in ("id", "severity", "state", "by")),
            *(told(one), one["about"] or "-", one["subject"]),
        )
        for one in answer["alerts"]
    ]
    table(HEADINGS, rows, none=none)
    if answer["next"]:
        say_more("--after", answer["next"])


@command.command("show")
@id_argument
@calls_bus()
def show(caller: Caller, alert_id: str) -> None:
    """Show an alert and how far it has come."""
    alert = caller.bus.alert(alert_id)
    caller.show(alert, lambda: show_alert(alert))


def show_alert(alert: Mapping[str, Any]) -> None:
    """Write an alert: what it is, and its way."""
    facts(
        (
            *((name, alert[name]) for name in ("id", "severity", "subject", "about", "by")),
            ("state", alert["reason"] or alert["state"]),
            ("raised", local_second(alert["at"])),
        )
    )
    for step in alert["told"]:
        say(f"{local_second(step['at'])}  {harmless(step['to'])}  {harmless(step['message_id'])}")
    if later(alert):
        say(later(alert).removeprefix("; "))
    if alert["body"]:
        say()
        for line in behind_bar(alert["body"]):
            say(line)


@command.command("settle")
@id_argument
@click.option("--reason", default="", metavar="TEXT", help="Why; others can read it.")
@calls_bus()
def settle(caller: Caller, alert_id: str, *, reason: str) -> None:
    """End an alert: it is over, or in hand; it goes no further."""
    answer = caller.bus.settle_alert(alert_id, reason)
    before = "  (over before)" if answer.get("already") else ""
    caller.done(answer, f"{harmless(answer['id'])}: {harmless(answer['reason'])}{before}")
