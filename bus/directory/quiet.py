"""Quiet hours as they are kept: which somebody has, and what they keep from them now."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, available_timezones

from bus.clock import to_text
from bus.directory import queries
from bus.directory.model import Quiet
from bus.directory.rules import DAYS, USUAL_WINDOW, quiet_until, read_windows, write_window
from bus.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import sqlalchemy as sa

NO_ZONES = frozenset({"localtime", "posixrules", "Factory"})
"""Files beside the zones: what they mean hangs on the machine, or they mean nothing."""
MOST_NAMES = 50


@lru_cache(maxsize=1024)
def read_quiet(text: str | None) -> Quiet | None:
    """Read quiet hours as they are kept."""
    if text is None:
        return None
    kept = json.loads(text)
    allowed = kept["urgent_from"]
    return Quiet(
        zone=zone_named(kept["zone"]),
        zone_name=kept["zone"],
        windows=read_windows(kept["windows"]),
        urgent_from=None if allowed is None else frozenset(allowed),
    )


def zone_named(name: str) -> ZoneInfo:
    """Find a zone; one that this machine has lost since is read as UTC, for mail has to go on."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")


def write_quiet(
    conn: sa.Connection, present: Quiet | None, given: Mapping[str, Any] | None
) -> str | None:
    """Change quiet hours by what is given of them; None ends them."""
    if given is None:
        return None
    windows = [write_window(one) for one in present.windows] if present else [USUAL_WINDOW]
    allowed = present.urgent_from if present else None
    if "urgent_from" in given:
        allowed = read_allowed(conn, given["urgent_from"])
    read_windows(given.get("windows", windows))
    return json.dumps(
        {
            "zone": check_zone(given.get("zone") or (present.zone_name if present else "")),
            "windows": given.get("windows", windows),
            "urgent_from": None if allowed is None else sorted(allowed),
        }
    )


@cache
def zone_names() -> frozenset[str]:
    """Name the zones that there are; the files of the machine are looked at once."""
    return frozenset(available_timezones() - NO_ZONES)


def check_zone(name: str) -> str:
    """Refuse what is no zone; 22:00 without one would be anybody's."""
    zones = zone_names()
    if name in zones:
        return name
    if not name:
        raise InvalidRequestError(
            "there are no quiet hours yet: they need their 'zone', such as Europe/Berlin or UTC"
        )
    near = get_close_matches(name, zones, 3)
    meant = f"; perhaps {' or '.join(near)}" if near else ", such as Europe/Berlin or UTC"
    raise InvalidRequestError(f"{name[:50]!r} is no time zone of the IANA database{meant}")


def read_allowed(conn: sa.Connection, names: list[str] | None) -> frozenset[int] | None:
    """Find whose urgent mail may pass; they are kept by their ids, which no name can take over."""
    if names is None:
        return None
    if len(names) > MOST_NAMES:
        raise InvalidRequestError(f"'urgent_from' has at most {MOST_NAMES} names")
    found = {name: queries.named(conn, name) for name in names}
    unknown = next((name for name, row in found.items() if row is None), None)
    if unknown is not None:
        raise no_such_sender(unknown)
    return frozenset(row.id for row in found.values() if row is not None)


def no_such_sender(name: str) -> InvalidRequestError:
    """Say that nobody has a name; one that cannot be seen is as absent."""
    return InvalidRequestError(f"'urgent_from': no agent or person {name[:70]!r}")


def kept_until(
    conn: sa.Connection, quiet: Quiet | None, now_ms: int, *, sender_id: int | None, is_urgent: bool
) -> int | None:
    """Give until when something is kept from its recipient by quiet hours, or None."""
    until = None if quiet is None else quiet_until(quiet, now_ms)
    if quiet is None or until is None or (is_urgent and may_disturb(conn, quiet, sender_id)):
        return None
    return until


def may_disturb(conn: sa.Connection, quiet: Quiet, sender_id: int | None) -> bool:
    """Say whether a sender's urgent mail passes; that of the bus itself does."""
    if sender_id is None:
        return True
    if quiet.urgent_from is not None:
        return sender_id in quiet.urgent_from
    sender = queries.participant(conn, sender_id)
    return sender is not None and sender.kind == "person"


def why_kept(quiet: Quiet, until_ms: int) -> str:
    """Write until when it is quiet, for all and for who lives there."""
    there = datetime.fromtimestamp(until_ms / 1000, UTC).astimezone(quiet.zone)
    local = f"{DAYS[there.weekday()]} {there:%H:%M} in {quiet.zone_name}"
    return f"quiet hours until {to_text(until_ms)} ({local})"


def show_quiet(quiet: Quiet | None) -> dict[str, Any] | None:
    """Show quiet hours, without whom they let through."""
    if quiet is None:
        return None
    return {
        "zone": quiet.zone_name,
        "windows": [write_window(window) for window in quiet.windows],
    }


def show_allowed(conn: sa.Connection, quiet: Quiet) -> list[str] | None:
    """Show whose urgent mail passes, by their names of now; None is every person's."""
    if quiet.urgent_from is None:
        return None
    rows = queries.with_ids(conn, sorted(quiet.urgent_from))
    return sorted(row.name for row in rows if row.removed_ms is None)
