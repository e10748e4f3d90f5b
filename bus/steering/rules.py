"""Pure decisions of steering: what may be asked, what an answer is, what a session shows of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from bus.errors import InvalidRequestError
from bus.mail.rules import count_bytes
from bus.sessions.rules import check_title
from bus.steering.model import (
    EXPIRE,
    LONGEST_S,
    MAX_BODY_BYTES,
    MOST_OPTIONS,
    STOP,
    USUAL_OPTIONS,
    Ask,
    Steer,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OPTION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
"""A word that stands on a button, of letters that nobody can take for others."""
EVERYBODY = "all"


def read_ask(fields: Mapping[str, Any]) -> Ask:
    """Read what is to be asked, or say what is wrong with it."""
    options = read_options(fields["options"])
    on_expiry, expires_s = fields["on_expiry"], fields["expires_in"]
    if on_expiry not in {*options, EXPIRE}:
        raise InvalidRequestError(
            f"'on_expiry' is {', '.join((*options, EXPIRE))}, not {on_expiry[:40]!r}: what it "
            "comes to when nobody answers"
        )
    if not 1 <= expires_s <= LONGEST_S:
        raise InvalidRequestError(f"'expires_in' is 1 to {LONGEST_S} (30 days), in seconds")
    size = count_bytes(fields["body"], "'body'")
    if size > MAX_BODY_BYTES:
        raise InvalidRequestError(
            f"'body' has {size} bytes, at most {MAX_BODY_BYTES}: say where the rest lies"
        )
    return Ask(
        check_title(fields["title"]),
        fields["body"],
        options,
        expires_s,
        on_expiry,
        fields["run_id"],
        tuple(dict.fromkeys(name.lower() for name in fields["who"])),
    )


def read_options(given: Sequence[str]) -> tuple[str, ...]:
    """Read what can be answered: a few different words."""
    if not given:
        return USUAL_OPTIONS
    wrong = next((word for word in given if not OPTION.fullmatch(word)), None)
    if wrong is not None or EXPIRE in given:
        raise InvalidRequestError(
            f"'options' has {(wrong or EXPIRE)[:40]!r}: each is one word of 1 to 32 letters, "
            f"digits, . _ -, and none is {EXPIRE}"
        )
    if not 2 <= len(given) <= MOST_OPTIONS or len({word.lower() for word in given}) < len(given):
        raise InvalidRequestError(f"'options' are 2 to {MOST_OPTIONS} different words")
    return tuple(given)


def read_answer(answer: str, options: Sequence[str]) -> str:
    """Read an answer: one of the options, in whichever case."""
    found = next((word for word in options if word.lower() == answer.lower()), None)
    if found is None:
        raise InvalidRequestError(
            f"'answer' is one of {', '.join(options)}, not {answer[:40]!r}; say more in 'note'"
        )
    return found


def read_steer(fields: Mapping[str, Any]) -> Steer:
    """Read how work is to be steered, or say what is wrong with it."""
    what, body, to, run_id = (fields[name] for name in ("what", "body", "to", "run_id"))
    if what != STOP and not body.strip():
        raise InvalidRequestError("'body' says what is to be done also")
    if what != STOP and run_id is not None:
        raise InvalidRequestError(
            "'run_id' is for stop: a run hears nothing while it works. Say it to who dispatched "
            "it, with 'to'; or stop it, and have it dispatched anew"
        )
    names = (to,) if isinstance(to, str) else tuple(to)
    is_all = EVERYBODY in names
    if is_all and len(names) > 1:
        raise InvalidRequestError("'to' is all, or names agents of the session")
    if run_id is not None and names:
        raise InvalidRequestError("give 'run_id' (one run) or 'to' (agents), not both")
    return Steer(what, body, () if is_all else names, is_all, run_id, fields["entry"])
