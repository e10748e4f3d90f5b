"""The bus's sentences as a person at a command line reads them: its calls as commands.

The bus speaks of HTTP, because programs read it too. What is in none of these rows stays as it is.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable

KINDS = {
    "admin": "the administration",
    "agent": "agents",
    "person": "people",
    "node": "nodes",
}
CALL = r"`?(?:GET|POST|PATCH|PUT|DELETE) /api/[^\s`]+`?"


def this_command() -> str:
    """Name the command that runs."""
    context = click.get_current_context(silent=True)
    return context.command_path if context else "this command"


def whose(found: re.Match[str]) -> str:
    """Write which tokens a command takes."""
    takers = " or ".join(KINDS.get(kind, kind) for kind in found[1].split(" or "))
    owner = {"admin": "the administration's"}.get(found[2], f"of the kind {found[2]}")
    return f"{this_command()} is for {takers}; this token is {owner}"


ROWS: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (re.compile(rf"{CALL} is for ([a-z ]+); this token is of kind (\w+)"), whose),
    # What the sentence about the way out says by itself.
    (re.compile(rf"(?:; | \(){CALL} (?:lists those you can reach|shows your handles)\)?"), ""),
    (re.compile(rf"{CALL} lists those you can reach"), "bus agent list shows whom you can reach"),
    (
        re.compile(r"GET /api/tasks\?status=backlog&order=oldest"),
        "bus task list --status backlog --oldest",
    ),
    (
        re.compile(r"'q' names no word to look for: GET \.\.\.\?q=WORD"),
        "there is no word to look for",
    ),
    (re.compile(r"needs a 'note'"), "needs a --note"),
    (re.compile(r"\bremove with force=1"), "add --force"),
    (re.compile(r"\bforce=1"), "--force"),
    (re.compile(r"is not int\b"), "is not a whole number"),
    (re.compile(r"is not float\b"), "is not a number"),
)


def for_a_person(sentence: str) -> str:
    """Write a sentence of the bus in the words of the command line."""
    for pattern, words in ROWS:
        sentence = pattern.sub(words, sentence)
    return sentence
