"""How a notice reads: the bus's words, and others' in quotes; short, since phones show little."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bus.mail.rules import quote
from bus.notices.model import (
    ALERT,
    APPROVAL,
    HELD,
    LISTED,
    MESSAGE,
    NOTE,
    RESULT,
    SESSION,
    SHOWN,
    Letter,
    Stamp,
)

if TYPE_CHECKING:
    from bus.store.statement import Row

TEST_PRIORITY = 2
NOUNS = {
    MESSAGE: ("message", "messages"),
    RESULT: ("result", "results"),
    ALERT: ("alert", "alerts"),
    HELD: ("held thread", "held threads"),
    NOTE: ("note of the bus", "notes of the bus"),
    SESSION: ("entry in a session", "entries in sessions"),
    APPROVAL: ("request for approval", "requests for approval"),
}
TITLES = {
    MESSAGE: "Message from {0}",
    RESULT: "Result from {0}",
    ALERT: "Alert",
    HELD: "Something is held",
    NOTE: "Note of the bus",
    SESSION: "{0} in a session",
    APPROVAL: "{0} asks for approval",
}


def write(send: Row, to: str, url: str) -> Letter:
    """Write what goes out."""
    facts = json.loads(send.facts)
    items, kinds = facts["items"], facts["kinds"]
    count = sum(kinds.values())
    if len(items) == 1 and count == items[0]["count"]:
        title, text, path = write_one(items[0])
    else:
        title, text, path = write_several(items, kinds, count)
    return Letter(
        id=send.id,
        to=to,
        title=title,
        text=text,
        link=url + path,
        priority=facts["priority"],
        count=count,
        at_ms=send.created_ms,
        items=tuple(show(item, url) for item in items),
    )


def write_one(item: dict[str, Any]) -> tuple[str, str, str]:
    """Write of one thing its title, its text and where it is."""
    title = TITLES[item["kind"]].format(item["from"])
    more = f" ({item['count']} entries)" if item["count"] > 1 else ""
    text = f"{said(item)}{more}"
    if item.get("preview"):
        text += f"\n{quote(item['preview'], SHOWN * 2)}"
    return title, text, item["path"]


def said(item: dict[str, Any]) -> str:
    """Quote what it is called, which its writer chose."""
    return quote(item["title"], SHOWN) if item["title"] else "It has no subject."


def write_several(
    items: list[dict[str, Any]], kinds: dict[str, int], count: int
) -> tuple[str, str, str]:
    """Write of several things how many there are, and a line for each of the last."""
    lines = [
        ", ".join(f"{number} {NOUNS[kind][number > 1]}" for kind, number in kinds.items()) + "."
    ]
    for item in items[-LISTED:]:
        many = f" ({item['count']})" if item["count"] > 1 else ""
        name = quote(item["title"], SHOWN // 2) if item["title"] else ""
        lines.append(f"- {TITLES[item['kind']].format(item['from'])} {name}{many}".rstrip())
    if len(items) > LISTED or count > sum(item["count"] for item in items):
        lines.append("- and more")
    paths = {item["path"] for item in items}
    return f"{count} things wait for you", "\n".join(lines), paths.pop() if len(paths) == 1 else "/"


def show(item: dict[str, Any], url: str) -> dict[str, Any]:
    """Show one thing to a program."""
    kept = {name: item[name] for name in item if name not in {"path", "place", "priority"}}
    return kept | {"link": url + item["path"]}


def write_test(stamp: Stamp, to: str) -> Letter:
    """Write what the test button sends."""
    text = "This is a test: notices of your bus arrive here."
    link = f"{stamp.url}/"
    return Letter(stamp.id, to, "A test of your notices", text, link, TEST_PRIORITY, 0, stamp.at_ms)


def write_failing(name: str, why: str) -> str:
    """Write into somebody's inbox that a target keeps failing."""
    return (
        f"Your notices do not reach {name} any more ({why}). They are tried again for a day each. "
        f"How it stands: bus notice list; to try it now: bus notice test {name}"
    )
