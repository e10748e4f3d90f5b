"""The use cases of the directory: who is there, who is meant by an address, who may see whom."""

from __future__ import annotations

import difflib
import itertools
import json
from typing import TYPE_CHECKING, Any

from bus.access import service as access
from bus.access.rules import OPEN, may_see
from bus.clock import shown_time, to_text
from bus.directory import queries
from bus.directory.model import KINDS, Participant, Reach, Recipients
from bus.directory.rules import check_name
from bus.errors import (
    InvalidRequestError,
    MixedCompartmentsError,
    NameTakenError,
    NotFoundError,
    UnknownRecipientError,
)
from bus.store.log import Concerns, append
from bus.store.transaction import RIGHTS, participant_topic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import sqlalchemy as sa

    from bus.access.model import Principal
    from bus.config import Config
    from bus.store.transaction import Transaction

SESSION_PARTS = 3


def shape(conn: sa.Connection, row: sa.Row[Any]) -> Participant:
    """Make a participant of a row."""
    return make(row, access.compartments_of(conn, row.id))


def shape_all(conn: sa.Connection, rows: Iterable[sa.Row[Any]]) -> list[Participant]:
    """Make the participants of several rows, with one look at the compartments."""
    known = access.compartments_of_all(conn)
    return [make(row, known.get(row.id, frozenset({OPEN}))) for row in rows]


def make(row: sa.Row[Any], compartments: frozenset[str]) -> Participant:
    """Make a participant of a row and its compartments."""
    return Participant(
        row.id,
        row.name,
        row.kind,
        row.node_id,
        row.local_agent,
        row.session_key,
        row.display_name,
        None if row.accepts is None else tuple(json.loads(row.accepts)),
        bool(row.paused),
        compartments,
        row.removed_ms is not None,
        row.paused_ms,
    )


def find(conn: sa.Connection, name: str) -> Participant | None:
    """Find a participant by name."""
    row = queries.named(conn, name)
    return None if row is None else shape(conn, row)


def get(conn: sa.Connection, participant_id: int) -> Participant:
    """Get a participant that is known to exist, removed or not."""
    row = queries.participant(conn, participant_id)
    if row is None:
        raise NotFoundError
    return shape(conn, row)


def sees(principal: Principal, participant: Participant) -> bool:
    """Say whether a principal may know of a participant."""
    if principal.kind == "admin":
        return True
    if principal.kind == "node":
        return participant.node_id == principal.node_id
    return may_see(principal.compartments, participant.compartments)


def visible(conn: sa.Connection, principal: Principal) -> list[Participant]:
    """List everyone a principal may know of."""
    everyone = shape_all(conn, queries.everyone(conn))
    return [one for one in everyone if sees(principal, one)]


def show(
    conn: sa.Connection, principal: Principal, several: Iterable[Participant]
) -> dict[int, dict[str, Any]]:
    """Show what is kept of agents and people; of their compartments only the reader's own."""
    by_id, nodes = {one.id: one for one in several}, queries.node_names(conn)
    rows = queries.with_ids(conn, list(by_id))
    return {row.id: show_one(principal, by_id[row.id], row, nodes) for row in rows}


def show_one(
    principal: Principal, one: Participant, row: sa.Row[Any], nodes: Mapping[int, str]
) -> dict[str, Any]:
    """Show one of them."""
    return {
        "name": one.name,
        "kind": one.kind,
        "node": nodes.get(one.node_id) if one.node_id is not None else None,
        "local_agent": one.local_agent,
        "session_key": one.session_key,
        "display_name": one.display_name,
        "accepts": list(one.accepts) if one.accepts is not None else None,
        "compartments": sorted(
            one.compartments
            if principal.kind == "admin"
            else one.compartments & principal.compartments
        ),
        "paused": one.paused,
        "paused_at": shown_time(one.paused_ms),
        "shared_secret": bool(row.open_to_secret),
        "method": row.method,
        "method_why": row.method_why,
        "created_at": to_text(row.created_ms),
        "last_read_at": shown_time(row.last_read_ms),
        "last_woken_at": shown_time(row.last_woken_ms),
    }


def why_unreached(
    conn: sa.Connection, participant_id: int, is_online: Callable[[int], bool]
) -> str:
    """Say why mail for an agent waits, as far as it is the agent's or its node's doing."""
    agent = get(conn, participant_id)
    if agent.kind != "named":
        return ""
    if agent.paused:
        return why_paused(agent)
    node = queries.node(conn, agent.node_id) if agent.node_id is not None else None
    if node is None:
        return "waiting: the agent has no node"
    if is_online(node.id):
        return ""
    since = f"offline since {to_text(node.seen_ms)}" if node.seen_ms else "has not been there yet"
    return f"waiting: node {node.name} {since}"


def why_paused(one: Participant) -> str:
    """Say since when an agent is not woken; nothing where it is."""
    if not one.paused:
        return ""
    since = f" since {to_text(one.paused_ms)}" if one.paused_ms is not None else ""
    return f"waiting: paused by the administration{since}"


def find_visible(conn: sa.Connection, principal: Principal, name: str) -> Participant:
    """Find a participant that the principal may know of; absent and invisible are alike."""
    one = find(conn, name)
    if one is None or not sees(principal, one):
        raise NotFoundError(f"no agent or person {name[:70]!r} that you can see")
    return one


def people_who_see(conn: sa.Connection, pair: tuple[int, int]) -> list[Participant]:
    """List the people who share a compartment with each of a pair."""
    ends = [access.compartments_of(conn, who) for who in pair if who]
    everyone = shape_all(conn, (row for row in queries.everyone(conn) if row.kind == "person"))
    return [one for one in everyone if all(may_see(one.compartments, end) for end in ends)]


def resolve(conn: sa.Connection, principal: Principal, address: str) -> Recipients:
    """Find who an address stands for: a name, a group, or a session key."""
    one = find(conn, address)
    if one is not None and sees(principal, one):
        return Recipients("one", [one])
    group = queries.group_named(conn, address)
    if group is not None:
        members = shape_all(conn, queries.members(conn, group.id))
        seen = [one for one in members if sees(principal, one)]
        if seen:
            return Recipients("group", [one for one in seen if one.name != principal.name])
    if address.startswith("agent:"):
        return resolve_session_key(conn, principal, address)
    raise unknown(address)


def resolve_session_key(conn: sa.Connection, principal: Principal, key: str) -> Recipients:
    """Find the one visible agent behind `agent:<id>:<rest>`."""
    rows = shape_all(conn, queries.with_session_key(conn, key))
    seen = [one for one in rows if sees(principal, one)]
    if len(seen) == 1:
        return Recipients("one", seen)
    if seen:
        names = ", ".join(one.name for one in seen)
        raise UnknownRecipientError(f"{key!r} is the session key of {names}: use a name")
    parts = key.split(":")
    named = find(conn, parts[1]) if len(parts) >= SESSION_PARTS else None
    if named is not None and sees(principal, named):
        return Recipients("one", [named])
    raise unknown(key)


def unknown(address: str) -> UnknownRecipientError:
    """Say that there is nobody."""
    return UnknownRecipientError(f"no recipient {address[:70]!r}", address=address[:70])


def hint(conn: sa.Connection, principal: Principal, address: str) -> str:
    """Say who was perhaps meant."""
    names = [one.name for one in visible(conn, principal)]
    near = difflib.get_close_matches(address, names, n=1)
    return f"did you mean {near[0]}?" if near else "GET /api/agents lists those you can reach"


def is_visible(conn: sa.Connection, principal: Principal, name: str) -> bool:
    """Say whether a principal may know of someone by that name."""
    one = find(conn, name)
    return one is not None and sees(principal, one)


def reach(conn: sa.Connection, participant_id: int, config: Config) -> Reach:
    """Find how a participant's own commands reach the bus: as its node enrolled."""
    row = queries.participant(conn, participant_id)
    node = queries.node(conn, row.node_id) if row is not None and row.node_id else None
    name = row.name if row is not None else "me"
    if node is None:
        return Reach(config.url, f"$HOME/.wakebus/{name}.header")
    return Reach(node.url or config.url, f"{node.header_dir}/{name}.header")


def check_free(conn: sa.Connection, name: str) -> str:
    """Refuse a name that is in use or cannot be one."""
    check_name(name)
    if queries.named(conn, name) is not None or queries.group_named(conn, name) is not None:
        raise NameTakenError(f"{name!r} is in use")
    return name


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
        "created_ms": tx.now_ms,
    }
    participant_id = queries.insert_participant(tx.conn, values)
    access.set_compartments(tx, participant_id, check_names(fields.get("compartments") or ()))
    check_node(tx.conn, values["node_id"])
    return get(tx.conn, participant_id)


def encode_types(accepts: Iterable[str] | None) -> str | None:
    """Store the types that an agent takes; None takes all."""
    return None if accepts is None else json.dumps(sorted(set(accepts)))


def check_names(names: Iterable[str]) -> list[str]:
    """Refuse compartment names that are none; `open` is one."""
    return [name if name == "open" else check_name(name) for name in names]


def node_id_of(conn: sa.Connection, name: str | None) -> int | None:
    """Find a node by name; no name is no node."""
    if not name:
        return None
    node = queries.node_named(conn, name)
    if node is None:
        raise NotFoundError(f"no node {name[:70]!r} (bus node list)")
    return int(node.id)


def check_node(conn: sa.Connection, node_id: int | None) -> None:
    """Refuse agents of different compartments on one node: they share a Unix user.

    Sharing one compartment is not enough: what only one of them may see, both could read.
    """
    if node_id is not None:
        check_together(conn, node_id)


def check_together(conn: sa.Connection, *node_ids: int) -> None:
    """Refuse agents of different compartments on nodes that one Unix user has."""
    agents = [shape(conn, row) for node_id in node_ids for row in queries.on_node(conn, node_id)]
    for one, other in itertools.combinations(agents, 2):
        if one.compartments != other.compartments:
            raise MixedCompartmentsError(
                f"{one.name} and {other.name} are in different compartments; on one node they run "
                "under one Unix user and could read each other's files and tokens: use two nodes, "
                "each with a Unix user of its own"
            )


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
    if "accepts" in fields:
        values["accepts"] = encode_types(fields["accepts"])
    if "node" in fields:
        values["node_id"] = node_id_of(conn, fields["node"])
    return values


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
    check_node(tx.conn, now.node_id)
    if (now.name, now.node_id) != (one.name, one.node_id):
        for node_id in {one.node_id, now.node_id}:
            if node_id is not None:
                tell_node(tx, node_id)
    tx.look_again(RIGHTS, participant_topic(one.id))
    tx.announce("participant_changed", participant_id=one.id)
    return now


def tell_node(tx: Transaction, node_id: int) -> None:
    """Have a node's watcher look at its roster again: names, agents, tokens to renew."""
    append(tx, "roster", {"to_agent": None, "at": to_text(tx.now_ms)}, Concerns(node_id=node_id))


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


def set_group(tx: Transaction, name: str, members: list[str], *, new: bool) -> None:
    """Make a group, or give it other members."""
    ids = []
    for member in members:
        one = find(tx.conn, member)
        if one is None:
            raise UnknownRecipientError(f"no agent or person {member[:70]!r}")
        ids.append(one.id)
    if new:
        group_id = queries.insert_group(tx.conn, check_free(tx.conn, name), tx.now_ms)
    else:
        group_id = find_group(tx.conn, name)
    queries.set_members(tx.conn, group_id, sorted(set(ids)))


def find_group(conn: sa.Connection, name: str) -> int:
    """Find a group's id."""
    group = queries.group_named(conn, name)
    if group is None:
        raise NotFoundError(f"no group {name[:70]!r}")
    return int(group.id)


def remove_group(tx: Transaction, name: str) -> None:
    """Remove a group; its members stay."""
    queries.delete_group(tx.conn, find_group(tx.conn, name))


def list_groups(conn: sa.Connection, principal: Principal) -> list[dict[str, Any]]:
    """List groups with the members that the principal may know of."""
    shown = []
    for group in queries.all_groups(conn):
        members = [shape(conn, row) for row in queries.members(conn, group.id)]
        names = [one.name for one in members if sees(principal, one)]
        if names or principal.kind == "admin":
            shown.append({"name": group.name, "members": names})
    return shown
