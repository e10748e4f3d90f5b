"""What is said in sessions, by the calls that people and agents make."""

from __future__ import annotations

import json
import urllib.request
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from browsing import House
    from playwright.sync_api import Page


def begin(house: House, title: str, *others: str, by: str = "alice") -> str:
    """Have somebody begin a session with others; gives its id."""
    body = {"title": title, "participants": list(others)}
    return str(house.call(by, "POST", "/api/sessions", body)["session_id"])


def say(house: House, session: str, who: str, body: str, **more: Any) -> int:
    """Have somebody say something; gives its place."""
    said = {"body": body, **more}
    return int(house.call(who, "POST", f"/api/sessions/{session}/entries", said)["place"])


def take_file(house: House, title: str, *said: dict[str, Any], by: str = "alice") -> str:
    """Have somebody take a session in from a file that anybody could have written; gives its id."""
    usual = {"at": "2026-01-02T03:04:05.000Z", "kind": "message", "from": "bob"}
    lines = [{"wakebus": "session", "version": 1, "title": title}]
    lines += [{"entry": usual | one} for one in said]
    text = "\n".join(json.dumps(line) for line in lines)
    request = urllib.request.Request(f"{house.url}/api/sessions/import", text.encode())
    request.add_header("Authorization", f"Bearer {house.tokens[by]}")
    request.add_header("Content-Type", "application/x-ndjson")
    with urllib.request.urlopen(request, timeout=60) as answer:
        return str(json.load(answer)["session_id"])


def entries(house: House, session: str, who: str = "alice", after: int = 0) -> list[dict[str, Any]]:
    """Give what was said, as the bus has it."""
    path, found = f"/api/sessions/{session}/entries?limit=200&after=", []
    while page := house.call(who, "GET", f"{path}{after}")["entries"]:
        found += page
        after = page[-1]["place"]
    return found


def places(page: Page) -> list[int]:
    """Give the places that a page shows, in its order."""
    shown = "all => all.map(one => Number(one.dataset.place))"
    return page.locator("#entries li[data-place]").evaluate_all(shown)


def show(page: Page, house: House, session: str) -> Page:
    """Open a session."""
    page.goto(f"{house.url}/sessions/{session}")
    return page


def begin_output(house: House, session: str, who: str) -> str:
    """Have an agent begin to say something word by word; gives its stream."""
    path = f"/api/sessions/{session}/outputs"
    return str(house.call(who, "POST", path, {"lease_s": 300})["stream"])


def append(house: House, who: str, stream: str, said: str | bytes) -> None:
    """Have an agent say a little more."""
    data = said.encode() if isinstance(said, str) else said
    request = urllib.request.Request(f"{house.url}/streams/{stream}", data, method="POST")
    request.add_header("Authorization", f"Bearer {house.tokens[who]}")
    request.add_header("Content-Type", "text/plain; charset=utf-8")
    urllib.request.urlopen(request, timeout=40).close()


def end_output(house: House, session: str, who: str, stream: str, **how: str) -> None:
    """Have an agent come to the end of what it says, or break off."""
    house.call(who, "POST", f"/api/sessions/{session}/outputs/{stream}/end", how)
