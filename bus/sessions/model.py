"""What the words of sessions mean."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

OPEN, CLOSED = STATES = ("open", "closed")
MESSAGE, OUTPUT, RESULT, APPROVAL, NOTE = KINDS = (
    "message",
    "output",
    "result",
    "approval",
    "note",
)
"""What an entry can be: somebody's word, a stream of tokens, the end of a run, a request for an
approval with its answer, and what the bus notes of the session itself."""
FAILED, DIED = "failed", "died"
"""How an output can end beside closed: it broke off with a reason, or nobody was heard any more."""
MENTION, TURN, ALWAYS = WAKES = ("mention", "turn", "always")
"""By what an agent is woken: where it is named; also where a person names nobody; by every word."""
USUAL_WAKE = TURN
MAX_TITLE = 200
MAX_QUERY = 200
MAX_TERMS = 20
PREVIEW = 200
"""So many characters of an entry stand in lists and on streams."""
IMPORTED = "imported"
"""The trust of an entry that came from a file: its author is only a name there."""


@dataclass(frozen=True)
class Invited:
    """Whom to take in, and by what it is woken; None is the usual."""

    name: str
    wake: str | None = None


@dataclass(frozen=True)
class Word:
    """What is to be written: its kind, its text, whom it names and what it answers.

    `data` is what its kind needs: of an output `stream`, `state` and `bytes`, of a result `run_id`
    and `state`, of an approval `approval_id`, `state` and `answer`, of a note `what`.
    """

    kind: str
    body: str
    data: dict[str, Any] = field(default_factory=dict)
    to: tuple[str, ...] = ()
    in_reply_to: str | None = None
    trust: str = ""
    """How far its author is known; by the author's kind where nothing is said."""
    reply_key: str | None = None
    priority: int = 2
    mail_type: str = "SESSION"
    """The type and the rank of the messages that tell agents of it."""


@dataclass(frozen=True)
class OutputAsk:
    """What is to be said as a stream: for what, of which type, and by whom it is kept alive.

    `key` names what it is said for; `resumes` wants only what was begun for that.
    """

    key: str = ""
    content_type: str = "text/plain; charset=utf-8"
    lease_s: int = 60
    resumes: bool = False


@dataclass(frozen=True)
class Page:
    """Which entries: the newest before a place, or the oldest after one; at most so many."""

    limit: int = 50
    before: int | None = None
    after: int | None = None


@dataclass(frozen=True)
class Imported:
    """An entry out of a file, checked."""

    at_ms: int
    kind: str
    author: str
    body: str
    named: tuple[str, ...]
    data: dict[str, Any]


class Term(NamedTuple):
    """Words that stand together; with a star the end of the last one is open."""

    text: str
    star: str


class Wanted(NamedTuple):
    """What is looked for: all of some terms, and none of others."""

    terms: list[Term]
    without: list[Term]
