"""The routes of access: who am I, tokens, compartments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from bus.access import rotation, service
from bus.clock import shown_time, to_text
from bus.store.log import read_bounds
from bus.web.calls import Calls
from bus.web.request import read_json
from bus.web.runtime import runtime

if TYPE_CHECKING:
    from bus.access.model import Principal

calls = Calls("access")


class TokenBody(msgspec.Struct, forbid_unknown_fields=True):
    """A token to make: for an agent or a person by name, for a node by name, or to administer."""

    kind: str
    subject: str = ""
    label: str = ""


@calls.add("GET", "/api/whoami", who=("agent", "person", "node", "admin"), summary="Whose token")
def whoami(principal: Principal) -> dict[str, Any]:
    with runtime().store.read() as conn:
        shown: dict[str, Any] = {
            "kind": principal.kind,
            "name": principal.name,
            "compartments": sorted(principal.compartments),
            "epoch": read_bounds(conn).epoch,
        }
        shown |= service.place_of(conn, principal)
    return shown


@calls.add("GET", "/api/tokens", who=("admin",), summary="All tokens, without the tokens")
def tokens(_principal: Principal) -> dict[str, Any]:
    with runtime().store.read() as conn:
        rows = service.list_tokens(conn)
    shown = [
        {
            "id": row["id"],
            "kind": row["kind"],
            "subject": row["subject"],
            "label": row["label"],
            "created_at": to_text(row["created_ms"]),
            "revoked_at": shown_time(row["revoked_ms"]),
            "last_used_at": shown_time(row["last_used_ms"]),
            "ends_at": shown_time(service.ends_ms_of(row)),
            "renewing": row["renew"] > 0 and row["revoked_ms"] is None,
        }
        for row in rows
    ]
    return {"tokens": shown}


@calls.add("POST", "/api/tokens", who=("admin",), summary="Make a token", body=TokenBody)
def make_token(principal: Principal) -> tuple[dict[str, Any], int]:
    body = read_json(TokenBody)
    token_id, token = runtime().store.write(
        lambda tx: service.create_token_for(tx, body.kind, body.subject, body.label), principal.id
    )
    shown = {"id": token_id, "token": token, "kind": body.kind, "subject": body.subject}
    return shown, 201


class RotationBody(msgspec.Struct, forbid_unknown_fields=True):
    """Whose tokens to replace, how long the old ones go on, whether to make the new one here."""

    kind: str
    subject: str = ""
    grace_s: int = 86_400
    here: bool = False


@calls.add("POST", "/api/tokens/rotate", who=("admin",), summary="New for old", body=RotationBody)
def rotate(principal: Principal) -> dict[str, Any]:
    body = read_json(RotationBody)
    return runtime().store.write(
        lambda tx: rotation.rotate(
            tx, principal, body.kind, body.subject, body.grace_s, is_here=body.here
        ),
        principal.id,
    )


class RenewalBody(msgspec.Struct, forbid_unknown_fields=True):
    """The SHA-256 of new tokens that a watcher made: its own, and its agents' by name."""

    node: str = ""
    agents: dict[str, str] = {}


@calls.add(
    "POST", "/api/nodes/self/tokens", who=("node",), summary="Renew tokens", body=RenewalBody
)
def renew(principal: Principal) -> dict[str, Any]:
    body, node_id = read_json(RenewalBody), principal.node_id or 0
    taken = runtime().store.write(
        lambda tx: rotation.renew(tx, node_id, body.node, body.agents), principal.id
    )
    return {"taken": taken}


@calls.add("DELETE", "/api/tokens/<token_id>", who=("admin",), summary="End a token at once")
def revoke(principal: Principal, token_id: str) -> dict[str, Any]:
    runtime().store.write(lambda tx: service.revoke_token(tx, token_id), principal.id)
    return {"id": token_id, "revoked": True}


@calls.add("GET", "/api/compartments", who=("admin",), summary="Compartments and their members")
def compartments(_principal: Principal) -> dict[str, Any]:
    with runtime().store.read() as conn:
        found = service.list_compartments(conn)
    return {"compartments": [{"name": name, "members": found[name]} for name in sorted(found)]}
