"""Pure decisions of the brief: of what time it is, what comes first, how it reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bus.clock import DAY_MS, to_text
from bus.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bus.sections import Entry, Section


def choose_since(asked_ms: int | None, seen_ms: int | None, now_ms: int) -> int:
    """Give since when to tell: as asked, or since what was seen last.

    Raises:
        InvalidRequestError: that is still to come.
    """
    if asked_ms is not None and asked_ms > now_ms:
        raise InvalidRequestError("'since' is still to come: a brief tells what was")
    if asked_ms is not None:
        return asked_ms
    return now_ms - DAY_MS if seen_ms is None else min(seen_ms, now_ms)


def arrange(sections: Iterable[Section]) -> list[dict[str, Any]]:
    """Put what all rooms tell by thread: where the most important is, first; then the newest."""
    placed: dict[str, list[tuple[Section, Entry]]] = {}
    for section in sections:
        for entry in section.entries:
            placed.setdefault(entry.thread or entry.id, []).append((section, entry))
    groups = [sorted(several, key=importance) for several in placed.values()]
    groups.sort(key=lambda several: importance(several[0]))
    return [show_group(several) for several in groups]


def importance(told: tuple[Section, Entry]) -> tuple[int, int]:
    """Order what is told."""
    section, entry = told
    return section.rank, -entry.at_ms


def show_group(several: list[tuple[Section, Entry]]) -> dict[str, Any]:
    """Show what is told of one thread."""
    subject = next((entry.subject for _, entry in several if entry.subject), "")
    items = [
        {"section": section.name, "at": to_text(entry.at_ms), "id": entry.id, "text": entry.text}
        for section, entry in several
    ]
    return {"thread": several[0][1].thread, "subject": subject, "items": items}


def show_section(section: Section) -> dict[str, Any]:
    """Show how much there is of one kind of thing."""
    return {
        "section": section.name,
        "title": section.title,
        "total": section.total,
        "shown": len(section.entries),
        "cut": section.is_cut,
        "command": section.command,
        "path": section.path,
    }


def write_rest(section: Mapping[str, Any]) -> str:
    """Say how much of a kind is not told, and where it is."""
    left = section["total"] - section["shown"]
    if not left and not section["cut"]:
        return ""
    return f" (+{left or 'some'} more: GET {section['path']})"


def write_text(brief: Mapping[str, Any]) -> str:
    """Write a brief as a text for a model: a line a fact; its rooms quote others' words."""
    lines = [f"From {brief['since']} to {brief['until']}:"]
    lines += [
        f"- {one['title']}: {one['total']}{' or more' if one['cut'] else ''}{write_rest(one)}"
        for one in brief["sections"]
    ]
    if not brief["sections"]:
        lines.append("- nothing happened")
    for group in brief["threads"]:
        lines += ["", f"{group['thread'] or 'By itself'}:"]
        lines += [f"- {one['at']} {one['section']}: {one['text']}" for one in group["items"]]
    lines += ["", f'Seen: POST /api/brief {{"seen_until": "{brief["until"]}"}}']
    return "\n".join(lines) + "\n"
