"""Log lines for a journal: `level=… action=noun_verbed key=value …`, one a fact, to stderr.

Names and reasons in them come from agents: every value is escaped, so that none can forge a line
or steer a terminal. Bodies, wake texts and tokens are never handed to this module.
"""

from __future__ import annotations

import json
import logging
import re
import sys

LONGEST_VALUE = 300
_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+,-]+", re.ASCII)
_logger = logging.getLogger("watcher")


def start(*, level: str = "info", with_time: bool = True) -> None:
    """Send the lines to stderr; a journal sets its own times."""
    handler = logging.StreamHandler(sys.stderr)
    prefix = "at=%(asctime)s " if with_time else ""
    handler.setFormatter(logging.Formatter(prefix + "level=%(levelname)s %(message)s"))
    _logger.handlers[:] = [handler]
    _logger.setLevel(level.upper())
    _logger.propagate = False


def say(action: str, **values: object) -> None:
    """Note a fact."""
    _logger.info("%s", line(action, values))


def warn(action: str, **values: object) -> None:
    """Note what a person may want to mend."""
    _logger.warning("%s", line(action, values))


def detail(action: str, **values: object) -> None:
    """Note what is of use only in the search for a fault."""
    _logger.debug("%s", line(action, values))


def line(action: str, values: dict[str, object]) -> str:
    """Write one line; values that are None are left out."""
    pairs = [f"{key}={escape(value)}" for key, value in values.items() if value is not None]
    return " ".join([f"action={action}", *pairs])


def escape(value: object) -> str:
    """Write a value without spaces or quotes as it is, any other as a JSON string in ASCII."""
    text = str(value)
    if len(text) > LONGEST_VALUE:
        text = text[: LONGEST_VALUE - 1] + "…"
    if _PLAIN.fullmatch(text):
        return text
    return json.dumps(text, ensure_ascii=True).replace("\x7f", "\\u007f")
