"""Chromium: one driver for a whole process of tests, since a second one beside it does not start.

A machine of one's own may lack what a test needs; the one that vouches for a release may not.
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
DEBIAN = ("chromium-headless-shell", "chromium")
"""The same engine; the first has no windows of its own, and takes half of the other's processor."""


@contextmanager
def driving() -> Iterator[Callable[..., Browser]]:
    """Have Chromium started, or by `start(elsewhere)` what that makes of its program's path."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - not where no browser is asked

    with sync_playwright() as playwright:
        found = find(playwright.chromium.executable_path)

        def start(elsewhere: Callable[[str], Path] | None = None) -> Browser:
            program = elsewhere(found) if elsewhere else found
            return playwright.chromium.launch(executable_path=program, args=list(FLAGS))

        yield start


def find(own: str) -> str:
    """Give Chromium's program: Playwright's own, or Debian's."""
    found = next(filter(None, map(shutil.which, (own, *DEBIAN))), None)
    return found or miss(f"Chromium: apt install {DEBIAN[0]}, or playwright install chromium")


def miss(what: str) -> NoReturn:
    """Fail, or skip where nobody vouches for anything."""
    if os.environ.get("CI") or os.environ.get("WAKEBUS_LAB"):
        pytest.fail(f"not found: {what}")
    pytest.skip(f"not found: {what}")
