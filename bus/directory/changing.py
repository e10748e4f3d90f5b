"""How agents and people come, change and go."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bus.access import service as access
from bus.clock import to_text
from bus.directory import queries
from bus.directory.apart import check_node
from bus.directory.chain import set_chain
from bus.directory.finding import find, find_node, get, is_visible
from bus.directory.model import KINDS
from bus.directory.quiet import no_such_sender, write_quiet
from bus.directory.rules import check_name
from bus.errors import ForbiddenError, InvalidRequestError, NameTakenError, NotFoundError
from bus.store.log import Concerns, append
from bus.store.transaction import RIGHTS, participant_topic

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import sqlalchemy as sa

    from bus.access.model import Principal
    from bus.directory.model import Participant
    from bus.store.transaction import Transaction


def add(tx: Transaction, fields: Mapping[str, Any]) -> Participant:
    """Add an agent or a person."""
    name = check_free(tx.conn, fields["name"])
    kind = fields.get("kind", "named")
    if kind not in KINDS:
        raise InvalidRequestError(f"'kind' is one of {', '.join(KINDS)}")
    if kind == "person" and fields.get("node"):
        raise InvalidRequestError("a person is on no node: leave 'node' out")
    local = fields.get("local_agent") or name
    values = {
        "name": name,
        "kind": kind,
        "local_agent": local,
        "session_key": fields.get("session_key") or f"agent:{local}:main",
        "display_name": fields.get("display_name", ""),
        "accepts": encode_types(fields.get("accepts")),
        "node_id": node_id_of(tx.conn, fields.get("node")),
        "lead": read_lead(kind, given=fields.get("lead", False)),
        "quiet": write_quiet(tx.conn, None, fields.get("quiet")),
        "created_ms": tx.now_ms,
    }
    participant_id = queries.insert_participant(tx.conn, values)
    access.set_compartments(tx, participant_id, check_names(fields.get("compartments") or ()))
    check_node(tx.conn, values["node_id"])
    one = get(tx.conn, participant_id)
    set_chain(tx, one, fields.get("escalate_to"))
    return one


def check_free(conn: sa.Connection, name: str) -> str:
    """Refuse a name that is in use or cannot be one."""
    check_name(name)
    if queries.named(conn, name) is not None or queries.group_named(conn, name) is not None:
        raise NameTakenError(f"{name!r} is in use")
    return name


def read_lead(kind: str, *, given: bool) -> int:
    """Read whether an agent decides over others' work; a person does without it, a worker never."""
    if given and kind != "named":
        raise InvalidRequestError(f"'lead' is for a named agent; this is a {kind}")
    return int(given)


def encode_types(accepts: Iterable[str] | None) -> str | None:
    """Store the types that an agent takes; None takes all."""
    return None if accepts is None else json.dumps(sorted(set(accepts)))


def check_names(names: Iterable[str]) -> list[str]:
    """Refuse compartment names that are none; `open` is one."""
    return [name if name == "open" else check_name(name) for name in names]


def node_id_of(conn: sa.Connection, name: str | None) -> int | None:
    """Find a node's id by its name; no name is no node."""
    return int(find_node(conn, name).id) if name else None


def change_by(
    tx: Transaction, principal: Principal, name: str, fields: Mapping[str, Any]
) -> Participant:
    """Change what is given as the one who asks: the administration, or a person its own night."""
    if principal.kind != "admin":
        check_own(tx.conn, principal, name, fields)
    return change(tx, name, fields)


def check_own(
    conn: sa.Connection, principal: Principal, name: str, fields: Mapping[str, Any]
) -> None:
    """Refuse a person all but its own quiet hours, and names in them that it cannot see."""
    if name != principal.name or set(fields) != {"quiet"}:
        raise ForbiddenError(
            "a person changes its own quiet hours, and nothing else: "
            f'PATCH /api/agents/{principal.name} {{"quiet": ...}}; the rest is for admin'
        )
    allowed = (fields["quiet"] or {}).get("urgent_from") or []
    unknown = next((one for one in allowed if not is_visible(conn, principal, one)), None)
    if unknown is not None:
        raise no_such_sender(unknown)


def change(tx: Transaction, name: str, fields: Mapping[str, Any]) -> Participant:
    """Change what is given of an agent or a person; a new `name` renames it, its mail stays."""
    one = find(tx.conn, name)
    if one is None:
        raise NotFoundError(f"no agent or person {name[:70]!r}")
    check_change(one, fields)
    values = read_change(tx, one, fields)
    if values:
        queries.update_participant(tx.conn, one.id, values)
    if one.node_id is not None and values.get("node_id", one.node_id) != one.node_id:
        # The old machine has the agent's token on its disk.
        access.revoke_all_of(tx, participant_id=one.id)
    if "compartments" in fields:
        access.set_compartments(tx, one.id, check_names(fields["compartments"]))
    now = get(tx.conn, one.id)
    if "escalate_to" in fields:
        set_chain(tx, now, fields["escalate_to"])
    check_node(tx.conn, now.node_id)
    if (now.name, now.node_id) != (one.name, one.node_id):
        for node_id in {one.node_id, now.node_id}:
            if node_id is not None:
                tell_node(tx, node_id)
    tx.look_again(RIGHTS, participant_topic(one.id))
    tx.announce("participant_changed", participant_id=one.id)
    return now


def check_change(one: Participant, fields: Mapping[str, Any]) -> None:
    """Refuse what an agent or a person cannot become."""
    if fields.get("kind", one.kind) != one.kind:
        raise InvalidRequestError(f"{one.name} stays a {one.kind}: remove it and add it anew")
    if one.kind == "person" and fields.get("node"):
        raise InvalidRequestError(f"{one.name} is a person, and a person is on no node")
    for key in ("local_agent", "session_key"):
        if fields.get(key) == "":
            raise InvalidRequestError(f"{key!r} cannot be empty")


def read_change(tx: Transaction, one: Participant, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Give the columns that change."""
    conn = tx.conn
    plain = ("local_agent", "session_key", "display_name")
    values: dict[str, Any] = {key: fields[key] for key in plain if key in fields}
    if fields.get("name", one.name) != one.name:
        values["name"] = check_free(conn, fields["name"])
    if "paused" in fields and fields["paused"] != one.paused:
        since = tx.now_ms if fields["paused"] else None
        # Whoever lets an agent go on wants to see it woken now, whatever failed before.
        values |= {"paused": int(fields["paused"]), "paused_ms": since, "wake_failures": 0}
    if "shared_secret" in fields:
        if fields["shared_secret"]:
            access.check_open(conn, one.id, one.name)
        values["open_to_secret"] = int(fields["shared_secret"])
    if "lead" in fields:
        values["lead"] = read_lead(one.kind, given=fields["lead"])
    if "accepts" in fields:
        values["accepts"] = encode_types(fields["accepts"])
    if "quiet" in fields:
        values["quiet"] = write_quiet(conn, one.quiet, fields["quiet"])
    if "node" in fields:
        values["node_id"] = node_id_of(conn, fields["node"])
    return values


def remove(tx: Transaction, name: str) -> None:
    """Remove an agent or a person: its tokens end, its waiting mail's senders are told."""
    one = find(tx.conn, name)
    if one is None:
        raise NotFoundError(f"no agent or person {name[:70]!r}")
    access.revoke_all_of(tx, participant_id=one.id)
    queries.update_participant(tx.conn, one.id, {"removed_ms": tx.now_ms})
    if one.node_id is not None:
        tell_node(tx, one.node_id)
    # Who came by the household's secret has no token whose end would tell its streams.
    tx.look_again(RIGHTS, participant_topic(one.id))
    tx.announce("participant_removed", participant_id=one.id)
    tx.announce("participant_changed", participant_id=one.id)


def tell_node(tx: Transaction, node_id: int) -> None:
    """Have a node's watcher look at its roster again: names, agents, tokens to renew."""
    append(tx, "roster", {"to_agent": None, "at": to_text(tx.now_ms)}, Concerns(node_id=node_id))
