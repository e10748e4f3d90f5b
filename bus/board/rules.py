"""Who may do which move, as data, and the pure decisions over it: no clock, no database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus.board.model import (
    AGENT,
    BACKLOG,
    BLOCKED,
    BLOCKER,
    DONE,
    HOLDER,
    IN_PROGRESS,
    LEAD,
    MAX_NOTE_BYTES,
    MAX_TITLE,
    OPEN,
    PERSON,
    REVIEW,
    STATUSES,
    Card,
    Move,
)
from bus.errors import InvalidRequestError, MoveRefusedError, NoSuchMoveError, TaskClaimedError
from bus.mail.rules import count_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

ANYBODY, CHIEFS = (AGENT, PERSON), (LEAD, PERSON)
MOVES = (
    Move("claim", BACKLOG, IN_PROGRESS, ANYBODY),
    Move("refresh", IN_PROGRESS, IN_PROGRESS, (HOLDER,)),
    Move("take over", IN_PROGRESS, IN_PROGRESS, CHIEFS, only="stale"),
    Move("hand in", IN_PROGRESS, REVIEW, (HOLDER,)),
    Move("finish", IN_PROGRESS, DONE, (HOLDER,), only="ops"),
    Move("give back", IN_PROGRESS, BACKLOG, (HOLDER, *CHIEFS)),
    Move("approve", REVIEW, DONE, CHIEFS),
    Move("send back", REVIEW, IN_PROGRESS, (HOLDER, *CHIEFS), needs_note=True),
    Move("reopen", DONE, BACKLOG, CHIEFS, needs_note=True),
    *(Move("block", start, BLOCKED, ANYBODY, needs_note=True) for start in (*OPEN[:-1], DONE)),
    *(
        Move("unblock", BLOCKED, to, (HOLDER, BLOCKER, *CHIEFS), only="back")
        for to in (*OPEN[:-1], DONE)
    ),
)
"""Every move there is. `docs/reference/board.md` is this table as a page."""
ONLY = {
    "ops": "an operations task",
    "stale": "a task whose claim is stale",
    "back": "a task that was there before",
}
ROLE_NAMES = {
    AGENT: "an agent of its compartment",
    PERSON: "a person",
    LEAD: "a lead",
    HOLDER: "its holder",
    BLOCKER: "who blocked it",
}
NOT_FOR_WORKERS = (
    "a worker moves no task: who dispatched it does, once it has verified the result; end your run "
    "and say there what came of it"
)


def fits(move: Move, card: Card) -> bool:
    """Say whether a move is one for this task as it is."""
    conditions = {
        "": True,
        "ops": card.is_ops,
        "stale": card.is_stale,
        "back": move.to == card.blocked_from,
    }
    return move.start == card.status and conditions[move.only]


def open_moves(card: Card, roles: Collection[str]) -> list[Move]:
    """List the moves that somebody may do now."""
    return [move for move in MOVES if fits(move, card) and set(move.who) & set(roles)]


def judge(
    card: Card,
    to: str,
    roles: Collection[str],
    note: str,
    names: Callable[[], Mapping[str, str]] = dict,
) -> Move:
    """Find the move that is asked for, or say why there is none.

    `roles` is what the mover is to the task, none for a worker; `names`, asked where it is refused,
    says who those are that may.

    Raises:
        MoveRefusedError: it is for others.
        TaskClaimedError: another has it, by a claim that is good.
        NoSuchMoveError: it is for nobody, as the task is.
        InvalidRequestError: its note is missing.
    """
    if not roles:
        raise MoveRefusedError(NOT_FOR_WORKERS, may=[])
    there = [move for move in MOVES if move.to == to and fits(move, card)]
    for move in there:
        if set(move.who) & set(roles):
            return check_note(move, note)
    if card.status == to == IN_PROGRESS:
        raise TaskClaimedError(why_claimed(card, names()), holder=card.holder)
    if not there:
        raise NoSuchMoveError(why_not_there(card, to, roles))
    may = in_order(role for move in there for role in move.who)
    known = names()
    told = " or ".join(shown_role(role, known) for role in may)
    raise MoveRefusedError(f"{card.status} -> {to} is for {told}", may=may)


def check_seen(status: str, seen: str, by: str) -> None:
    """Refuse a move of a task that was moved by another since its mover looked.

    Raises:
        NoSuchMoveError: it stands elsewhere now.
    """
    if seen and seen != status:
        raise NoSuchMoveError(
            f"it is in {status} by now, moved there by {by}, and not in {seen} any more: "
            "look at it again; nothing was done"
        )


def check_note(move: Move, note: str) -> Move:
    """Refuse a move that needs a word of why without one."""
    if move.needs_note and not note.strip():
        raise InvalidRequestError(
            f"{move.start} -> {move.to} needs a 'note': "
            + ("what it waits for" if move.to == BLOCKED else "why, for who has it next")
        )
    return move


def why_claimed(card: Card, names: Mapping[str, str]) -> str:
    """Say who has a task, and who may take it over."""
    if card.is_stale:
        chiefs = " or ".join(shown_role(role, names) for role in CHIEFS)
        return f"{card.holder} has it; its claim is stale, and {chiefs} may take it over"
    return f"{card.holder} has it; take another: GET /api/tasks?status=backlog&order=oldest"


def why_not_there(card: Card, to: str, roles: Collection[str]) -> str:
    """Say that there is no such move, and which there are."""
    if card.status == BLOCKED:
        return f"it is blocked, and goes back to where it was: {card.blocked_from}"
    if (card.status, to) == (IN_PROGRESS, DONE):
        return "it goes to review first; only an operations task goes straight to done"
    mine = in_order(move.to for move in open_moves(card, roles))
    return f"there is no move {card.status} -> {to}; you can move it to {', '.join(mine) or '-'}"


def shown_role(role: str, names: Mapping[str, str]) -> str:
    """Write a role, with who that is where it is known."""
    who = names.get(role)
    return f"{ROLE_NAMES[role]} ({who})" if who else ROLE_NAMES[role]


def in_order(words: Iterable[str]) -> list[str]:
    """Leave each word once, in its first place."""
    return list(dict.fromkeys(words))


def is_stale(status: str, refreshed_ms: int | None, now_ms: int, stale_s: int) -> bool:
    """Say whether a claim has not been refreshed for too long."""
    return status == IN_PROGRESS and now_ms - (refreshed_ms or 0) > stale_s * 1000


def check_title(title: str) -> str:
    """Refuse what is no title: one short line that says something."""
    if not title.strip() or len(title) > MAX_TITLE or not title.isprintable():
        raise InvalidRequestError(f"'title' is one line of 1 to {MAX_TITLE} characters")
    return title


def check_text(text: str, name: str, most_bytes: int) -> str:
    """Refuse a text that is too long, or is none."""
    size = count_bytes(text, repr(name))
    if size > most_bytes:
        raise InvalidRequestError(f"{name!r} has {size} bytes, at most {most_bytes}")
    return text


def check_note_text(text: str) -> str:
    """Refuse a note that is too long."""
    return check_text(text, "note", MAX_NOTE_BYTES)


def check_status(status: str) -> str:
    """Refuse what is no status."""
    if status not in STATUSES:
        raise InvalidRequestError(f"'status' is one of {', '.join(STATUSES)}, not {status[:40]!r}")
    return status


def choose_compartment(asked: str | None, mine: Collection[str]) -> str:
    """Find the one compartment that a new task is of: who is in several has to say."""
    if asked is not None:
        if asked not in mine:
            raise InvalidRequestError(f"you are in no compartment {asked[:70]!r}")
        return asked
    if len(mine) > 1:
        raise InvalidRequestError(
            f"say whose task it is: 'compartment' is one of {', '.join(sorted(mine))}"
        )
    return next(iter(mine))
