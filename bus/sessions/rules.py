"""Pure decisions of sessions: what a title is, who is named, who is woken, what a search means."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bus.errors import BodyTooLargeError, InvalidRequestError
from bus.mail.rules import count_bytes
from bus.sessions.model import (
    ALWAYS,
    MAX_QUERY,
    MAX_TERMS,
    MAX_TITLE,
    TURN,
    USUAL_WAKE,
    WAKES,
    Term,
    Wanted,
)

if TYPE_CHECKING:
    from collections.abc import Collection

NAMED = re.compile(r"(?<![\w@./-])@([a-z0-9][a-z0-9._-]{0,63})", re.IGNORECASE)
TERM = re.compile(r'(-?)(?:"([^"]*)"|([^\s"]+))(?=\s|$)')
SHOWN = 40
LEAST_OPEN = 2


def check_title(title: str) -> str:
    """Refuse what is no title: one short line that says something."""
    count_bytes(title, "'title'")
    if not title.strip() or len(title) > MAX_TITLE or not title.isprintable():
        raise InvalidRequestError(f"'title' is one line of 1 to {MAX_TITLE} characters")
    return title.strip()


def check_body(body: str, most_bytes: int) -> str:
    """Refuse a text that is empty or too long."""
    size = count_bytes(body, "'body'")
    if not body.strip():
        raise InvalidRequestError("'body' is empty: say something")
    if size > most_bytes:
        raise BodyTooLargeError(
            f"the body has {size} bytes, at most {most_bytes}; send a path or an address"
        )
    return body


def check_wake(wake: str | None) -> str:
    """Read by what an agent is woken."""
    if wake is None:
        return USUAL_WAKE
    if wake not in WAKES:
        raise InvalidRequestError(f"'wake' is one of {', '.join(WAKES)}, not {wake[:SHOWN]!r}")
    return wake


def find_named(body: str, there: Collection[str]) -> tuple[str, ...]:
    """Find who of a session a text names by `@name`."""
    found = (name.lower() for name in NAMED.findall(body))
    # A full stop that ends a sentence is no part of a name.
    names = (name if name in there else name.rstrip("._-") for name in found)
    return tuple(dict.fromkeys(name for name in names if name in there))


def is_woken(wake: str, *, is_named: bool, names_nobody: bool, by_person: bool) -> bool:
    """Say whether an agent is woken by a message of another."""
    if is_named or wake == ALWAYS:
        return True
    return wake == TURN and by_person and names_nobody


def is_asked(*, is_named: bool, names_nobody: bool, by_person: bool) -> bool:
    """Say whether an answer is awaited of an agent that is woken."""
    return is_named or (by_person and names_nobody)


def read_search(text: str) -> Wanted:
    """Read what somebody looks for; nothing of it is an operator of the index.

    Every word must be there; "words in quotes" stand together; -word must not be there; the end of
    a word may be left open by a star.
    """
    if len(text) > MAX_QUERY or not text.isprintable():
        raise InvalidRequestError(f"'q' is one line of at most {MAX_QUERY} characters")
    count_bytes(text, "'q'")
    rest = text.strip()
    wanted: list[Term] = []
    unwanted: list[Term] = []
    while rest:
        found = TERM.match(rest)
        if found is None:
            raise InvalidRequestError(
                f"a quotation mark is missing in {text[:SHOWN]!r}, or a blank beside one: "
                'write "several words" or single words'
            )
        minus, phrase, word = found.groups()
        (unwanted if minus else wanted).append(read_term(phrase, word))
        rest = rest[found.end() :].lstrip()
    if not wanted:
        raise InvalidRequestError("'q' names no word to look for: GET ...?q=WORD")
    if len(wanted) + len(unwanted) > MAX_TERMS:
        raise InvalidRequestError(f"'q' has at most {MAX_TERMS} words")
    return Wanted(wanted, unwanted)


def read_term(phrase: str | None, word: str | None) -> Term:
    """Read one term, a star at its end as an open end."""
    text, star = (phrase, "") if word is None else (word.rstrip("*"), "*" * word.endswith("*"))
    letters = sum(char.isalnum() for char in text or "")
    if not letters:
        shown = word if phrase is None else f'"{phrase}"'
        raise InvalidRequestError(f"{(shown or '')[:SHOWN]} has no letter and no digit to look for")
    if star and letters < LEAST_OPEN:
        raise InvalidRequestError(
            f"a word with an open end has {LEAST_OPEN} letters before its star"
        )
    return Term(text or "", star)
