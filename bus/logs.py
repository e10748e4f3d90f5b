"""Structured log lines: `action=noun_verbed key=value`, one a line, without bodies or tokens.

A value that is not plain is written as JSON in ASCII, so that nobody's text can forge a line or
steer a terminal.
"""

from __future__ import annotations

import json
import logging
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

PLAIN = re.compile(r"[A-Za-z0-9_.:/@+-]+")
logger = logging.getLogger("bus")


def log(action: str, level: int = logging.INFO, **facts: Any) -> None:
    """Write one line."""
    if logger.isEnabledFor(level):
        shown = " ".join(f"{key}={show(value)}" for key, value in facts.items())
        logger.log(level, "%s", f"action={action} {shown}".rstrip())


def log_all(facts: Iterable[tuple[str, dict[str, Any]]]) -> None:
    """Write a line for each of what was recorded."""
    for action, known in facts:
        log(action, **known)


def show(value: object) -> str:
    """Write a value so that it stays one word."""
    text = str(value)
    return text if PLAIN.fullmatch(text) else json.dumps(text)


def set_up(level: str) -> None:
    """Send the bus's lines to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s level=%(levelname)s %(message)s"))
    logger.handlers[:] = [handler]
    logger.propagate = False
    logger.setLevel(level.upper())
