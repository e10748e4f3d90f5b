"""What sessions cost, short and long: listing, opening, scrolling, searching, saying something.

Each is asked on a kept connection by one client, in turns. Two buses with as many sessions each: on
one they have 100 entries, on the other many; the client is in all of them.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import filler
from board import Caller
from measure import OURS
from rig import make_bus, running

if TYPE_CHECKING:
    from measure import Table
    from rig import Plan

SHORT = 100
LONG = f"{OURS}, long sessions"
PAGE = 50
EACH = 10
"""Requests of each kind in one turn."""
LIST, OPEN, SCROLL, AHEAD, MISSED, SEARCH, SEARCH_ALL, RARE, SAY = WHATS = (
    f"GET /api/sessions: {PAGE} of all",
    f"a session and its newest {PAGE} entries",
    f"{PAGE} entries before the middle",
    f"{PAGE} entries after the middle",
    "what was missed, as a text",
    "a search in a session",
    "a search in all sessions",
    "a search for a rare word in all",
    "POST .../entries",
)
READ = tuple(what for what in WHATS if what != SAY)


class Talker(Caller):
    """One client of one bus, who is in all its sessions."""

    def __init__(
        self, table: Table, name: str, bus: object, token: str, sessions: list[str], length: int
    ) -> None:
        super().__init__(table, name, bus, token)
        self.sessions, self.length, self.count = sessions, length, 0

    def turn(self, *, is_kept: bool) -> None:
        """Ask each thing once, each time of another session; the first turns are not kept."""
        words = {what: what if is_kept else "" for what in WHATS}
        self.count += 1
        session = f"/api/sessions/{self.sessions[self.count * 7 % len(self.sessions)]}"
        listed = self.ask(words[LIST], "GET", f"/api/sessions?limit={PAGE}")["sessions"]
        assert len(listed) == min(PAGE, len(self.sessions))
        self.ask_text(words[OPEN], "GET", [session, f"{session}/entries?limit={PAGE}"])
        middle = self.length // 2
        for what, query in ((SCROLL, f"before={middle}"), (AHEAD, f"after={middle}")):
            page = self.ask(words[what], "GET", f"{session}/entries?{query}&limit={PAGE}")
            assert len(page["entries"]) >= PAGE - 1
        self.headers["Accept"] = "text/plain"
        self.ask_text(words[MISSED], "GET", [f"{session}/entries"])
        del self.headers["Accept"]
        for what, path in (
            (SEARCH, f"{session}/search?q=stars"),
            (SEARCH_ALL, "/api/sessions/search?q=northern+stars"),
            (RARE, "/api/sessions/search?q=needle"),
        ):
            assert self.ask(words[what], "GET", path)["entries"]
        self.ask(words[SAY], "POST", f"{session}/entries", {"body": filler.BODY})


def run(plan: Plan, table: Table) -> None:
    with ExitStack() as held:
        talkers = []
        for name, length in ((OURS, SHORT), (LONG, plan.entries)):
            bus = make_bus(plan.folder / f"sessions-{length}")
            tokens = filler.add_agents(bus.database, ["asker", "other"])
            made = filler.add_sessions(bus.database, ["asker", "other"], plan.sessions, length)
            held.enter_context(running(bus))
            talkers.append(Talker(table, name, bus, tokens["asker"], made, length))
            held.callback(talkers[-1].connection.close)
        for one in talkers:
            for _ in range(3):
                one.turn(is_kept=False)
        for number in range(plan.rounds * EACH):
            for one in talkers[:: -1 if number % 2 else 1]:
                one.turn(is_kept=True)
