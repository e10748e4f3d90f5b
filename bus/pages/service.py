"""Every page, put on the application in one place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus.pages import (
    board,
    brief,
    conversation,
    cost,
    files,
    fleet,
    me,
    message,
    runs,
    sessions,
    signing,
    steering,
)
from bus.pages.problems import show_error

if TYPE_CHECKING:
    from flask import Flask

PAGES = (
    *(signing, fleet, sessions, conversation, steering, message, board),
    *(runs, brief, cost, me, files),
)
"""The files of this room that have pages; a new one gets its place here."""


def register(app: Flask) -> None:
    """Serve the pages, their files, and errors as a person reads them."""
    app.extensions["wakebus_error_page"] = show_error
    for file in PAGES:
        file.pages.register(app)
