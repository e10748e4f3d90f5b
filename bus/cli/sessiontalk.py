"""How what was said in a session looks on a terminal, and how one stays with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bus.cli.following import Following
from bus.cli.output import behind_bar, harmless, local_second, paint, say, say_json, table
from bus.cli.sessionwords import Listening, Screen
from bus.sessions.model import OPEN, OUTPUT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bus.cli.calling import Caller

PAGE = 200


def show_head(session: Mapping[str, Any]) -> None:
    """Write what a session is and who is in it."""
    say(paint(f"{harmless(session['session_id'])}  {harmless(session['title'])}", bold=True))
    unread = f", {session['unread']} unread" if session["unread"] else ""
    say(f"{harmless(session['state'])}, {session['last_place']} entries{unread}")
    rows = [
        (
            one["name"],
            one["kind"],
            "here" if one["online"] else "away",
            one["wake"],
            one["unread"] or None,
        )
        for one in session["participants"]
    ]
    table(("NAME", "KIND", "NOW", "WAKE", "UNREAD"), rows)
    say()


def show_entries(entries: Sequence[Mapping[str, Any]]) -> None:
    """Write what was said, oldest first."""
    for entry in entries:
        show_entry(entry)


def show_entry(entry: Mapping[str, Any]) -> None:
    """Write who said something, when and to whom, and behind a bar what it was."""
    kind = "" if entry["kind"] == "message" else f" {harmless(entry['kind'])}"
    trust = " (imported)" if entry["trust"] == "imported" else ""
    to = f" to {', '.join(map(harmless, entry['to']))}" if entry["to"] else ""
    data = entry["data"]
    state = f", {harmless(data['state'])}" if data.get("state") else ""
    if data.get("reason"):
        state += f": {harmless(data['reason'])}"
    head = f"{entry['place']}  {harmless(entry['from'])}{trust}{kind}{to}{state}"
    say(f"{paint(head, bold=True)}  {local_second(entry['at'])}")
    if entry["body"]:
        for line in behind_bar(entry["body"]):
            say(line)


def follow(caller: Caller, session_id: str, limit: int) -> None:
    """Write the last entries, and each new one when it is said, until Ctrl-C."""
    drawn = Drawn(caller, session_id, limit)
    try:
        for page in Following(caller.bus, "session", session_id).looks(drawn.read):
            drawn.show(page)
    except KeyboardInterrupt:
        return


class Drawn:
    """What of a session was written already, and which of it has not come to its end."""

    def __init__(self, caller: Caller, session_id: str, limit: int) -> None:
        """Begin with as many of the last entries."""
        self.caller, self.limit = caller, limit
        self.last: int | None = None
        self.undone: dict[int, str] = {}
        self.screen = Screen()
        self.listening: dict[int, Listening] = {}
        if not caller.as_json:
            show_head(caller.bus.session(session_id))

    def read(self, session_id: str) -> Mapping[str, Any]:
        """Read what is new, and again what had not come to its end."""
        if self.last is None:
            return self.caller.bus.entries(session_id, limit=self.limit)
        after = min([self.last + 1, *self.undone]) - 1
        return self.caller.bus.entries(session_id, after=after, limit=PAGE)

    def show(self, page: Mapping[str, Any]) -> None:
        """Write what is new of a page, and of the pages behind it."""
        while True:
            for entry in page["entries"]:
                self.show_one(entry)
            if not page["after"] or self.last is None:
                return
            session_id, after = page["session_id"], page["after"]
            page = self.caller.bus.entries(session_id, after=after, limit=PAGE)

    def show_one(self, entry: Mapping[str, Any]) -> None:
        """Write an entry that is new, or in another state than it was."""
        place, state = entry["place"], str(entry["data"].get("state", ""))
        is_known = self.last is not None and place <= self.last
        if is_known and self.undone.get(place, state) == state:
            return
        if state == OPEN:
            self.undone[place] = state
        else:
            self.undone.pop(place, None)
        self.last = max(place, self.last or 0)
        if self.caller.as_json:
            say_json(entry, one_line=True)
        elif entry["kind"] == OUTPUT and state == OPEN:
            self.screen.begin(place, lambda: show_entry(entry))
            self.listening[place] = Listening(self.caller.bus.twin(), self.screen, entry)
        else:
            self.show_whole(entry)

    def show_whole(self, entry: Mapping[str, Any]) -> None:
        """Write an entry; of one whose words were written as they came, only how it ended."""
        heard = self.listening.pop(entry["place"], None)
        if heard is not None and heard.has_all(entry["data"]):
            entry = {**entry, "body": ""}
        self.screen.write(lambda: show_entry(entry))
