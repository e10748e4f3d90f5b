"""The pages that each page leads to, in the order in which they are shown."""

from __future__ import annotations

PAGES = (
    ("/fleet", "Fleet"),
    ("/sessions", "Sessions"),
    ("/messages", "Messages"),
    ("/board", "Board"),
    ("/runs", "Runs"),
    ("/brief", "Brief"),
    ("/cost", "Cost"),
)
"""Address and name; one that a page lies below is the current one."""
