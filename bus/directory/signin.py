"""How a person's browser comes to a token of its own: by a code that is good once, and not long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bus.access import service as access
from bus.clock import shown_time, to_text
from bus.directory import signin_queries as queries
from bus.directory.finding import find, get
from bus.directory.rules import grouped_code, name_browser, typed_code
from bus.errors import ForbiddenError, NotFoundError
from bus.ids import hash_secret

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bus.access.model import Principal
    from bus.directory.model import Participant
    from bus.store.transaction import Transaction

CODE_CHARS, CODE_GROUP = 10, 5
CODE_S = 600
"""Fifty bits for ten minutes: enough against guessing, where addresses are counted."""
IDLE_S = 90 * 86_400
"""A browser that was not used for so long must sign in again."""
PATH = "/sign-in"


def make_code(tx: Transaction, principal: Principal, name: str) -> dict[str, Any]:
    """Make a code for a person, by the administration or for oneself; the older unused ones end.

    Raises:
        ForbiddenError: a person asks for somebody else.
        NotFoundError: there is no such person.
    """
    if principal.kind != "admin" and principal.name != name:
        raise ForbiddenError("a person makes a code for itself; for others the administration does")
    one = find(tx.conn, name)
    if one is None or one.kind != "person":
        raise NotFoundError(f"no person {name[:70]!r} (bus person list)")
    queries.forget(tx.conn, one.id, tx.now_ms)
    code = tx.ids.secret(CODE_CHARS)
    expires_ms = tx.now_ms + CODE_S * 1000
    values = {
        "code_hash": hash_secret(code),
        "participant_id": one.id,
        "created_ms": tx.now_ms,
        "expires_ms": expires_ms,
    }
    queries.insert(tx.conn, values)
    tx.record("sign_in_offered", person=name, by=principal.name)
    shown = grouped_code(code, CODE_GROUP)
    return {
        "name": name,
        "code": shown,
        "link": f"{tx.config.url}{PATH}?code={shown}",
        "expires_at": to_text(expires_ms),
    }


def void_codes(tx: Transaction) -> None:
    """End every code: in a restored database one may have been used since."""
    queries.forget_all(tx.conn)


def find_person(conn: sa.Connection, code: str, now_ms: int) -> Participant:
    """Find whom a code is for; it stays good.

    Raises:
        NotFoundError: it is none, was used or is too old: which of them is not told.
    """
    row = queries.good(conn, hash_secret(typed_code(code)), now_ms)
    one = None if row is None else get(conn, row.participant_id)
    if one is None or one.removed:
        raise NotFoundError(
            f"this code is not good: it is used once, within {CODE_S // 60} minutes; "
            "a new one: bus person link NAME"
        )
    return one


def sign_in(tx: Transaction, code: str, agent: str, token_before: str) -> str:
    """Turn a code into a browser's token, once; the token that the browser had before ends."""
    one = find_person(tx.conn, code, tx.now_ms)
    queries.forget(tx.conn, one.id, tx.now_ms)
    if token_before:
        access.revoke_token(tx, token_before)
    label = f"browser {name_browser(agent)}"
    token_id, token = access.create_token(
        tx, "person", participant_id=one.id, label=label, idle_s=IDLE_S
    )
    tx.record("signed_in", person=one.name, token=token_id, browser=label)
    return token


def sign_out(tx: Transaction, principal: Principal, token_id: str) -> None:
    """End one of a person's own browsers' tokens.

    Raises:
        NotFoundError: it is none of them.
    """
    if token_id not in {row["id"] for row in browsers(tx.conn, principal)}:
        raise NotFoundError("no browser of yours has this token; it may be signed out already")
    access.revoke_token(tx, token_id)
    tx.record("signed_out", person=principal.name, token=token_id)


def browsers(conn: sa.Connection, principal: Principal) -> list[dict[str, Any]]:
    """List the browsers in which a person is signed in, the last used first."""
    return [
        {
            "id": row["id"],
            "browser": row["label"].removeprefix("browser "),
            "signed_in_at": to_text(row["created_ms"]),
            "last_used_at": shown_time(row["last_used_ms"]),
            "ends_at": shown_time(access.ends_ms_of(row)),
            "is_this": row["id"] == principal.token_id,
        }
        for row in access.idle_tokens(conn, principal.participant_id or 0)
    ]
