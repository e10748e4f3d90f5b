"""`bus person`: the people, and how they come to the page."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from bus.cli import completing
from bus.cli.calling import Caller, calls_bus
from bus.cli.output import harmless, local_second, local_time, say, table
from bus.cli.words import NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADINGS = ("NAME", "COMPARTMENTS", "WAITING", "LAST READ", "BROWSERS", "LAST SEEN THERE")
BROWSER = "browser "


@click.group("person")
def command() -> None:
    """People: add one, let a browser in, list."""


@command.command("add")
@click.argument("name")
@click.option(
    "--compartments", type=NAMES, metavar="NAMES", help="Who is in none of them cannot see them."
)
@click.option("--display-name", metavar="TEXT", help="What others call them.")
@calls_bus(as_admin=True)
def add(caller: Caller, name: str, **options: Any) -> None:
    """Add a person, and make a link and a code by which they open the page."""
    given = {key: value for key, value in options.items() if value is not None}
    caller.bus.add_agent(name, kind="person", **given)
    answer = caller.bus.sign_in(name)
    caller.show(answer, lambda: show_added(answer))


def show_added(answer: Mapping[str, Any]) -> None:
    """Say that a person is there, and the way to the page."""
    say(f"{harmless(answer['name'])} is on the bus.")
    show_way(answer)


@command.command("link")
@click.argument("name", shell_complete=completing.agents)
@calls_bus(as_admin=True)
def link(caller: Caller, name: str) -> None:
    """Make a new link and code, for another device or a first one.

    With a person's own token: for that person. The older unused ones end.
    """
    answer = caller.bus.sign_in(name)
    caller.show(answer, lambda: show_way(answer))


def show_way(answer: Mapping[str, Any]) -> None:
    """Write the link and the code, which are shown this once."""
    link, until = harmless(answer["link"]), local_second(answer["expires_at"])
    say("To the page, once, in the browser that is to be signed in:")
    say(f"  {link}")
    say(f"or {link.partition('?')[0]} and this code: {harmless(answer['code'])}")
    say(f"Good until {until}; another: bus person link {harmless(answer['name'])}")


@command.command("list")
@calls_bus(as_admin=True)
def list_people(caller: Caller) -> None:
    """List the people, and in how many browsers each is signed in."""
    people = [one for one in caller.bus.agents()["agents"] if one["kind"] == "person"]
    browsers = [
        token
        for token in caller.bus.tokens()["tokens"]
        if token["kind"] == "person"
        and token["label"].startswith(BROWSER)
        and not token["revoked_at"]
    ]
    count = Counter(token["subject"] for token in browsers)
    answer = {"people": [one | {"browsers": count[one["name"]]} for one in people]}
    rows = [
        (
            one["name"],
            one["compartments"],
            one["pending"],
            local_time(one.get("last_read_at")),
            count[one["name"]],
            local_time(last_seen(browsers, one["name"])),
        )
        for one in people
    ]
    caller.show(answer, lambda: table(HEADINGS, rows, none="nobody yet: bus person add NAME"))


def last_seen(browsers: list[dict[str, Any]], name: str) -> str | None:
    """Give when a browser of somebody was last used."""
    times = [one["last_used_at"] or one["created_at"] for one in browsers if one["subject"] == name]
    return max(times, default=None)
