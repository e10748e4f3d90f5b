"""Chromium: one driver for a whole process of tests, since a second one beside it does not start.

A machine of one's own may lack what a test needs; the one that vouches for a release may not.
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser

FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)


@contextmanager
def driving() -> Iterator[Callable[..., Browser]]:
    """Have Chromium started, or a program that starts it elsewhere: `start(path)`."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - not where no browser is asked

    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
        found = own if Path(own).exists() else shutil.which("chromium")
        if found is None:
            miss("Chromium: apt install chromium, or playwright install chromium")

        def start(program: str | Path | None = None) -> Browser:
            return playwright.chromium.launch(executable_path=program or found, args=list(FLAGS))

        yield start


def miss(what: str) -> None:
    """Fail, or skip where nobody vouches for anything."""
    if os.environ.get("CI") or os.environ.get("WAKEBUS_LAB"):
        pytest.fail(f"not found: {what}")
    pytest.skip(f"not found: {what}")
