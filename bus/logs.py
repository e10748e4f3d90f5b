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
    from collections.abc import Sequence

is_plain = re.compile(r"[A-Za-z0-9_.:/@+-]+").fullmatch
logger = logging.getLogger("bus")


def log(action: str, level: int = logging.INFO, **facts: Any) -> None:
    """Write one line."""
    if logger.isEnabledFor(level):
        logger.log(level, "%s", write(action, facts))


def log_all(facts: Sequence[tuple[str, dict[str, Any]]]) -> None:
    """Write a line for each of what was recorded, all in one piece: they come by the hundred."""
    if facts and logger.isEnabledFor(logging.INFO):
        logger.info("", extra={"lines": [write(action, known) for action, known in facts]})


def write(action: str, facts: dict[str, Any]) -> str:
    """Write what a line says."""
    return " ".join([f"action={action}", *[f"{key}={show(facts[key])}" for key in facts]])


class Lines(logging.Formatter):
    """The shape of a line, for a record of one and of several."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s level=%(levelname)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        lines: list[str] | None = getattr(record, "lines", None)
        if lines is None:
            return super().format(record)
        head = super().format(record)
        return "\n".join(head + line for line in lines)


def show(value: object) -> str:
    """Write a value so that it stays one word."""
    text = str(value)
    return text if is_plain(text) else json.dumps(text) if text else '""'


def set_up(level: str) -> None:
    """Send the bus's lines to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(Lines())
    logger.handlers[:] = [handler]
    logger.propagate = False
    logger.setLevel(level.upper())
