"""A real bus, and people who look at its pages in Chromium.

`house` is a bus with the people alice, bob and charlie; alice and bob share the open compartment,
charlie sees nothing of theirs. `sign_in("alice")` gives a page of a browser of her own; whatever a
page writes to its console, and every refusal of its policy, fails the test.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

sys.path.insert(0, str(Path(__file__).parent))

from browsing import House, Visits

from tests.chromium import miss
from tests.conftest import Bus, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page
    from scenery import Stage

AXE = "axe-core@4.10.3"
GRAVE = {"serious", "critical"}
SHOWN_WITHIN_MS = 60_000

expect.set_options(timeout=SHOWN_WITHIN_MS)


@pytest.fixture(scope="module")
def house(tmp_path_factory, made_data) -> Iterator[House]:
    """A bus for a whole module, with its people."""
    bus = Bus(tmp_path_factory.mktemp("house") / "data")
    with serving(bus, made_data):
        one = House(bus)
        for name in ("alice", "bob"):
            one.add(name, kind="person")
        one.add("charlie", kind="person", compartments=["apart"])
        yield one


@pytest.fixture(scope="session")
def browser(start_chromium) -> Browser:
    return start_chromium()


@pytest.fixture
def visits(browser, house) -> Iterator[Visits]:
    one = Visits(browser, house)
    yield one
    one.end()


@pytest.fixture
def sign_in(visits):
    """Sign somebody in, each time in a browser of its own: `sign_in("alice", viewport=PHONE)`."""
    return visits.sign_in


@pytest.fixture(scope="session")
def stage(lab, tmp_path_factory, made_data) -> Iterator[Stage]:
    """What the scenes are played on, with a real OpenClaw; started once for all of them."""
    from scenery import staged  # noqa: PLC0415 - it needs the lab

    assert lab is not None
    with staged(tmp_path_factory.mktemp("stage"), made_data) as one:
        yield one


@pytest.fixture(scope="session")
def axe_source() -> str:
    """The text of axe-core, of one version, from npm's cache or registry; never kept here."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wakebus-tests"
    folder = cache / AXE.replace("@", "-")
    file = folder / "node_modules" / "axe-core" / "axe.min.js"
    if not file.exists():
        npm = shutil.which("npm")
        if npm is None:
            miss("npm, which brings axe-core")
        folder.mkdir(parents=True, exist_ok=True)
        get = [npm, "install", "--prefix", str(folder), "--no-save", "--ignore-scripts", AXE]
        done = subprocess.run(get, check=False, capture_output=True, text=True)
        if done.returncode:
            miss(f"axe-core: {done.stderr[-300:]}")
    return file.read_text(encoding="utf-8")


@pytest.fixture
def check_axe(axe_source):
    """Have axe look at a page as it is: no serious and no critical fault."""

    def check(page: Page) -> None:
        # The page's policy lets in no script from elsewhere; one that a debugger hands in it does.
        page.evaluate(f"{axe_source};undefined")
        found = page.evaluate("axe.run(document)")
        faults = [
            f"{one['id']} ({one['impact']}): {node['html'][:160]}; {node['failureSummary'][:200]}"
            for one in found["violations"]
            if one["impact"] in GRAVE
            for node in one["nodes"]
        ]
        assert faults == [], page.url

    return check
