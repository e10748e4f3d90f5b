"""Tokens over a restore: what was made or ended since the backup stays as it is now.

Without this a token that was revoked because it leaked would be good again, and a machine that
enrolled since would be locked out.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bus.access import queries
from bus.access.service import revoke_token
from bus.errors import ConfigError, StorageFailedError
from bus.store import facts
from bus.store.beside import connect
from bus.store.looking import Looking

if TYPE_CHECKING:
    from pathlib import Path

    from bus.store.connecting import Place
    from bus.store.transaction import Transaction


@dataclass(frozen=True)
class Carried:
    """How many tokens stay ended, and how many stay good, that the backup knew otherwise."""

    ended: int
    kept: int


def read_tokens(db_path: Path) -> list[dict[str, Any]] | None:
    """Read the tokens of a database that may be broken, or None where it does not give them."""
    if not db_path.exists():
        return None
    try:
        with closing(connect(db_path)) as old:
            return facts.tokens_and_holders(Looking(old))
    except sqlite3.DatabaseError:
        return None


def read_server_tokens(place: Place) -> list[dict[str, Any]] | None:
    """Read those of a PostgreSQL, or None where it does not give them."""
    from bus.store import connecting  # noqa: PLC0415 - psycopg may be missing

    try:
        with connecting.connected(place) as old:
            return facts.tokens_and_holders(Looking(old))
    except (ConfigError, StorageFailedError):
        return None


def carry_tokens(tx: Transaction, newer: list[dict[str, Any]]) -> Carried:
    """Have the tokens be as they were last: those of whoever is still there."""
    there = {row.id: row for row in queries.list_tokens(tx.conn)}
    ended = kept = 0
    for token in newer:
        holder_since_ms = token.pop("holder_since_ms")
        known, is_same = there.get(token["id"]), is_same_holder(tx, token, holder_since_ms)
        if known is None and is_same and token["participant_id"] is not None:
            # It was no longer the household's secret that spoke for its agent.
            queries.close_to_secret(tx.conn, token["participant_id"])
        if known is None:
            if is_same and token["revoked_ms"] is None:
                queries.insert_token(tx.conn, token)
                kept += 1
        elif known.revoked_ms is None and token["revoked_ms"] is not None:
            revoke_token(tx, token["id"])
            ended += 1
        elif known.revoked_ms is None and "ends_ms" in token:
            rotated = {key: token[key] for key in ("ends_ms", "renew")}
            queries.set_rotated(tx.conn, token["id"], rotated)
    return Carried(ended, kept)


def is_same_holder(tx: Transaction, token: dict[str, Any], since_ms: int) -> bool:
    """Say whether whose token it is was there at the time of the backup, and is no other."""
    if token["kind"] == "admin":
        return True
    return queries.holder_since_ms(tx.conn, token) == since_ms
