"""Entries of a session, made ready for a template: who says what in which voice. Pure.

What stands in `data` is the bus's own for an entry that was written here; of an imported one it is
whatever the file had. So each word of it is taken only as what it should be.
"""

from __future__ import annotations

import re
import zlib
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from bus.clock import MINUTE_MS, from_text
from bus.sessions.model import APPROVAL, IMPORTED, MESSAGE, NOTE, OPEN, OUTPUT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

HUES = 6
TOGETHER_MS = 5 * MINUTE_MS
"""What one says within this after another word of one's own stands below the same name."""
STREAM = re.compile(r"[A-Za-z0-9_.~-]{1,200}")
RUN = re.compile(r"r_[0-9A-HJKMNP-TV-Z]{26}")
APPROVAL_ID = re.compile(r"q_[0-9A-HJKMNP-TV-Z]{26}")
STEERED = {"stop": "stop", "also": "also do this"}
SHOWN = 500
SAID_STATES = {
    "closed": "",
    "open": "is being said",
    "died": "broke off: its producer died",
    "failed": "broke off",
}


def describe(entries: Iterable[Mapping[str, Any]], me: str) -> list[dict[str, Any]]:
    """Give entries with what their looks need."""
    shown: list[dict[str, Any]] = []
    for entry in entries:
        before = shown[-1] if shown else None
        shown.append(describe_one(entry, me) | {"goes_on": goes_on(before, entry)})
    return shown


def describe_one(entry: Mapping[str, Any], me: str) -> dict[str, Any]:
    """Give one entry with what its looks need."""
    is_imported = entry["trust"] == IMPORTED
    data: Mapping[str, Any] = entry["data"]
    state = word(data, "state")
    stream = "" if is_imported else word(data, "stream")
    is_open = entry["kind"] == OUTPUT and state == OPEN and bool(STREAM.fullmatch(stream))
    run_id = word(data, "run_id")
    return {
        **entry,
        "data": defaultdict(str, {name: word(data, name) for name in data}),
        **(describe_approval(entry, data, me) if entry["kind"] == APPROVAL else {}),
        "steered": STEERED.get(word(data, "what"), "") if entry["kind"] == MESSAGE else "",
        "state": state,
        "stream": stream if is_open else "",
        "broke_off": SAID_STATES.get(state, "") if entry["kind"] == OUTPUT and not is_open else "",
        "run": run_id if RUN.fullmatch(run_id) and not is_imported else "",
        "is_imported": is_imported,
        "is_note": entry["kind"] == NOTE,
        "is_mine": entry["from"] == me and not is_imported,
        "is_person": entry["trust"] == "person",
        "hue": hue(entry["from"]),
        "initials": initials(entry["from"]),
    }


def describe_approval(entry: Mapping[str, Any], data: Mapping[str, Any], me: str) -> dict[str, Any]:
    """Give what is asked, and whether it is its reader's to answer."""
    who, approval_id, title = words(data, "who"), word(data, "approval_id"), word(data, "title")
    is_asked = entry["trust"] != IMPORTED and entry["from"] != me and (not who or me in who)
    may_answer = is_asked and word(data, "state") == OPEN and APPROVAL_ID.fullmatch(approval_id)
    return {
        "approval": approval_id if may_answer else "",
        "options": words(data, "options"),
        "who": who,
        "body": entry["body"].removeprefix(title).lstrip("\n"),
    }


def word(data: Mapping[str, Any], name: str) -> str:
    """Give a word of an entry's data; whatever is none is no word."""
    value = data.get(name)
    return value[:SHOWN] if isinstance(value, str) else ""


def words(data: Mapping[str, Any], name: str) -> list[str]:
    """Give a list of words of an entry's data."""
    value = data.get(name)
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def goes_on(before: Mapping[str, Any] | None, entry: Mapping[str, Any]) -> bool:
    """Say whether an entry goes on with what the same one said just before."""
    if before is None or before["kind"] != MESSAGE or entry["kind"] != MESSAGE:
        return False
    is_same = (before["from"], before["trust"]) == (entry["from"], entry["trust"])
    return is_same and from_text(entry["at"]) - from_text(before["at"]) < TOGETHER_MS


def hue(name: str) -> int:
    """Choose a colour for a name, always the same."""
    return zlib.crc32(name.encode("utf-8", "replace")) % HUES


def initials(name: str) -> str:
    """Give the letters by which a face is drawn."""
    parts = [part for part in re.split(r"[\W_]+", name) if part]
    return "".join(part[0] for part in parts[:2]) if len(parts) > 1 else name[:2]
