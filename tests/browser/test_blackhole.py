"""A phone in a tunnel: the network takes everything and says nothing, on hosts of their own.

No page is told so: its connections stand, and nothing comes. What is tried without the lab is a
relay that falls silent, in `test_scenes.py`; here it is the network itself.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import talklife as talk
from browsing import PHONE, House, Visits
from playwright.sync_api import expect

from tests.chaos.fleet import Fleet
from tests.conftest import Bus, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.browser,
    pytest.mark.lab,
    pytest.mark.sqlite_only("it runs where nothing of this machine can be reached"),
]
PLAIN = "origin was untrustworthy"
"""Chromium says so of a policy that counts over TLS alone: here is none, as in many a home."""
NOTICED_MS = 90_000
"""A page takes a connection for dead after three of the bus's pauses without a byte."""


@dataclass
class FarBus(Bus):
    """A bus on a host of its own; this process calls it from there."""

    fleet: Fleet | None = None

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | {"BUS_HOST": "10.77.0.1", "BUS_HEARTBEAT_S": "2"}

    def start(self) -> None:
        self.fleet.on("bus", super().start)

    def call(self, *asked: Any, **headers: str) -> tuple[int, Any]:
        return self.fleet.on("bus", partial(super().call, *asked, **headers))


@pytest.fixture(scope="module")
def fleet(lab) -> Iterator[Fleet]:
    assert lab is not None
    if os.geteuid() != 0:
        pytest.fail("the lab is set: networks are made by root")
    with Fleet("tunnel", 1) as one:
        yield one


@pytest.fixture(scope="module")
def house(fleet, tmp_path_factory, made_data) -> Iterator[House]:
    bus = FarBus(tmp_path_factory.mktemp("far") / "data", fleet=fleet)
    with serving(bus, made_data):
        one = House(bus)
        for name in ("alice", "bob"):
            one.add(name, kind="person")
        yield one


@pytest.fixture
def phone(fleet, house, tmp_path, start_chromium) -> Iterator[Visits]:
    """Browsers on another host than the bus's."""
    browser = start_chromium(lambda program: on_host(fleet, tmp_path, program))
    visits = Visits(browser, house)
    visits.expect_cut()
    visits.expect_complaint("ERR_ABORTED")
    visits.expect_complaint(PLAIN)
    yield visits
    visits.end()
    browser.close()


def on_host(fleet: Fleet, folder: Path, program: str) -> Path:
    """Write a script that starts a program on a host's network; its wires to us are pipes."""
    script = folder / "chromium"
    words = " ".join(fleet.command("node1", program))
    script.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
    script.chmod(0o755)
    return script


def test_nothing_is_missing_or_twice_after_a_network_that_took_everything_in_silence(
    fleet, house, phone
):
    session = talk.begin(house, "In the tunnel", "bob")
    page = talk.show(phone.follow_link("alice", viewport=PHONE), house, session)
    expect(page.locator("#live")).to_have_text("live")
    talk.say(house, session, "bob", "before")
    expect(page.locator("#entries .words")).to_have_text(["before"])
    fleet.do("blackhole", "node1")
    for count in range(3):
        talk.say(house, session, "bob", f"bob {count}")
        page.get_by_label("Say something").fill(f"mine {count}")
        page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator("#live")).to_contain_text("offline", timeout=NOTICED_MS)
    fleet.do("mend", "node1")
    expect(page.locator("#live")).to_have_text("live", timeout=NOTICED_MS)
    expect(page.locator("#waiting li")).to_have_count(0, timeout=NOTICED_MS)
    kept = [one for one in talk.entries(house, session) if one["kind"] == "message"]
    bodies = [one["body"] for one in kept]
    assert sorted(bodies) == sorted(
        ["before", *(f"{who} {at}" for who in ("bob", "mine") for at in range(3))]
    )
    assert [body for body in bodies if body.startswith("mine")] == [f"mine {at}" for at in range(3)]
    expect(page.locator("#entries .words")).to_have_text(bodies)
    page.reload()
    expect(page.locator("#entries .words")).to_have_text(bodies)
