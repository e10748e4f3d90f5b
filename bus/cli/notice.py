"""`bus notice`: where one is told when away, and whether that works."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bus.cli.calling import Caller, calls_bus
from bus.cli.failing import REFUSED, SETTINGS, Failure
from bus.cli.output import harmless, local_second, say, table
from bus.cli.words import NAMES
from bus.notices.model import EMAIL, NTFY, WEBHOOK

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADINGS = ("NAME", "KIND", "WHERE", "EVENTS", "LAST OK", "ERROR")
of_option = click.option("--of", default="self", metavar="NAME", help="Of whom; as administration.")


@click.group("notice")
def command() -> None:
    """Notices: be told by ntfy, a webhook or email while no page of yours is open."""


@command.command("list")
@of_option
@calls_bus()
def list_targets(caller: Caller, *, of: str) -> None:
    """List where you are told, and how that went last."""
    answer = caller.bus.notices(of)
    caller.show(answer, lambda: show_list(answer))


def show_list(answer: Mapping[str, Any]) -> None:
    """Write the targets, and what there could be."""
    rows = [
        (
            *(one["name"], one["kind"], where(one)),
            "all" if one["events"] == answer["events"] else ",".join(one["events"]),
            local_second(one["ok_at"]) if one["ok_at"] else "-",
            why(one),
        )
        for one in answer["targets"]
    ]
    table(HEADINGS, rows, none="nothing tells you when you are away: bus notice add --help")
    if answer.get("why"):
        say(harmless(answer["why"]))
    else:
        say(f"allowed: {harmless(', '.join(answer['allowed']))}")
    if answer["waiting"]:
        say(f"waiting to be told: {answer['waiting']}")


def where(target: Mapping[str, Any]) -> str:
    """Write where a target is, as far as that is shown."""
    plain = target.get("where") or target.get("address") or target.get("url") or ""
    return f"{plain} {target['topic']}" if target.get("topic") else str(plain)


def why(target: Mapping[str, Any]) -> str:
    """Write what is wrong with a target now."""
    since = target["failing_since"]
    return f"{target['error']}, since {local_second(since)}" if since else "-"


@command.command("add")
@click.argument("name")
@click.option("--ntfy", metavar="URL", help="The server of ntfy, such as https://ntfy.sh.")
@click.option("--topic", metavar="TOPIC", help="Its topic: long, so that nobody guesses it.")
@click.option("--webhook", metavar="URL", help="An address that takes Standard Webhooks.")
@click.option("--email", metavar="ADDRESS", help="An address of email.")
@click.option(
    "--secret-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A file with the token of ntfy; on a command line others could read it.",
)
@click.option(
    "--events", type=NAMES, metavar="NAMES", help="Only these: message,result,alert,approval..."
)
@click.option("--previews", is_flag=True, help="Show how a text begins, to the server as well.")
@click.option("--new-secret", is_flag=True, help="Make another secret for a webhook.")
@calls_bus()
def add(caller: Caller, name: str, *, secret_file: Path | None, **options: Any) -> None:
    """Be told at NAME from now on; one that is there is made anew."""
    given = {NTFY: options.pop(NTFY), WEBHOOK: options.pop(WEBHOOK), EMAIL: options.pop(EMAIL)}
    chosen = [(kind, place) for kind, place in given.items() if place]
    if len(chosen) != 1:
        raise click.UsageError("give one of --ntfy URL, --webhook URL and --email ADDRESS")
    kind, place = chosen[0]
    fields: dict[str, Any] = {"address" if kind == EMAIL else "url": place}
    fields["topic"] = options.pop("topic")
    fields["token"] = None if secret_file is None else read_secret(secret_file)
    fields["events"] = options["events"]
    fields |= {key: True for key in ("previews", "new_secret") if options[key]}
    answer = caller.bus.set_notice(name, kind, **fields)
    caller.show(answer, lambda: show_added(answer))


def read_secret(path: Path) -> str:
    """Read a token of ntfy."""
    try:
        return path.expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"cannot read {path}", SETTINGS) from error


def show_added(answer: Mapping[str, Any]) -> None:
    """Say what was made, its secret, and how to try it."""
    name = harmless(answer["name"])
    say(f"{name}: {harmless(answer['kind'])} {harmless(where(answer))}")
    if answer.get("secret"):
        say(f"secret: {harmless(answer['secret'])}")
        say("It signs each request, and is not shown again.")
    say(f"bus notice test {name}")


@command.command("remove")
@click.argument("name")
@of_option
@calls_bus()
def remove(caller: Caller, name: str, *, of: str) -> None:
    """Be told at NAME no more."""
    answer = caller.bus.remove_notice(name, of)
    caller.done(answer, f"{harmless(answer['name'])} removed")


@command.command("test")
@click.argument("name")
@calls_bus()
def try_out(caller: Caller, name: str) -> None:
    """Send a test to NAME now, and say what came of it."""
    answer = caller.bus.test_notice(name)
    said = f"{harmless(answer['said'])}, {answer['took_ms']} ms"
    if answer["ok"]:
        caller.done(answer, f"{harmless(answer['name'])} took it: {said}")
    elif caller.as_json:
        caller.show(answer, lambda: None)
        raise SystemExit(REFUSED)
    else:
        raise Failure(f"{harmless(answer['name'])} did not take it: {said}", REFUSED)
