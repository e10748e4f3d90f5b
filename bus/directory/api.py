"""The routes of the directory: agents, people, groups, nodes, enrolment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from flask import request

from bus.clock import shown_time
from bus.directory import enrolment, nodes, service
from bus.web.calls import Calls
from bus.web.request import read_json, read_query
from bus.web.runtime import runtime

if TYPE_CHECKING:
    from bus.access.model import Principal
    from bus.directory.model import Participant

calls = Calls("directory")
ADMIN = ("admin",)
READERS = ("agent", "person", "admin")


class QuietBody(msgspec.Struct, forbid_unknown_fields=True):
    """Quiet hours, or what is to change of them."""

    zone: str | msgspec.UnsetType = msgspec.UNSET
    windows: list[str] | msgspec.UnsetType = msgspec.UNSET
    urgent_from: list[str] | msgspec.UnsetType | None = msgspec.UNSET


class AgentBody(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """An agent or a person, or what is to change of one."""

    name: str | msgspec.UnsetType = msgspec.UNSET
    kind: str | msgspec.UnsetType = msgspec.UNSET
    node: str | msgspec.UnsetType | None = msgspec.UNSET
    local_agent: str | msgspec.UnsetType = msgspec.UNSET
    session_key: str | msgspec.UnsetType = msgspec.UNSET
    display_name: str | msgspec.UnsetType = msgspec.UNSET
    accepts: list[str] | msgspec.UnsetType | None = msgspec.UNSET
    compartments: list[str] | msgspec.UnsetType = msgspec.UNSET
    paused: bool | msgspec.UnsetType = msgspec.UNSET
    shared_secret: bool | msgspec.UnsetType = msgspec.UNSET
    lead: bool | msgspec.UnsetType = msgspec.UNSET
    quiet: QuietBody | msgspec.UnsetType | None = msgspec.UNSET
    escalate_to: list[str] | msgspec.UnsetType | None = msgspec.UNSET

    def given(self) -> dict[str, Any]:
        """List what was given."""
        fields = given_of(self)
        if isinstance(self.quiet, QuietBody):
            fields["quiet"] = given_of(self.quiet)
        return fields


def given_of(body: msgspec.Struct) -> dict[str, Any]:
    """List what a body gives."""
    fields = msgspec.structs.asdict(body)
    return {name: value for name, value in fields.items() if value is not msgspec.UNSET}


class GroupBody(msgspec.Struct, forbid_unknown_fields=True):
    """A group."""

    members: list[str]
    name: str = ""


class NodeBody(msgspec.Struct, forbid_unknown_fields=True):
    """A node and the agents that are given to it."""

    name: str
    agents: list[str] = []
    url: str = ""


class NameBody(msgspec.Struct, forbid_unknown_fields=True):
    """Another name."""

    name: str


class EnrolBody(msgspec.Struct, forbid_unknown_fields=True):
    """What a watcher hands in for its tokens."""

    code: str
    nonce: str
    url: str
    instance: str = ""
    header_dir: str = "$HOME/.wakebus"
    present_node: str = ""
    neighbours: list[str] = []


class SelfBody(msgspec.Struct, forbid_unknown_fields=True):
    """What a watcher says of itself."""

    version: str
    methods: dict[str, dict[str, str]] = {}


def show(conn: Any, principal: Principal, one: Participant) -> dict[str, Any]:
    """Show an agent or a person."""
    return show_all(conn, principal, [one])[0]


def show_all(conn: Any, principal: Principal, several: list[Participant]) -> list[dict[str, Any]]:
    """Show agents and people, with what only the running bus knows of them.

    As many statements for a thousand as for one.
    """
    run = runtime()
    shown = service.show(conn, principal, several)
    told = [
        describe(conn, [one.id for one in several])
        for describe in run.store.hooks.called("describe_participants")
    ]
    for one in several:
        online = one.node_id is not None and run.presence.is_online(one.node_id)
        shown[one.id]["node_online"] = online
        until = None if one.quiet is None else service.quiet_until(one.quiet, run.clock.now_ms())
        shown[one.id]["quiet_until"] = shown_time(until)
        for facts in told:
            shown[one.id] |= facts[one.id]
    return [shown[one.id] for one in several]


@calls.add("GET", "/api/agents", who=READERS, summary="Whom you can reach")
def agents(principal: Principal) -> dict[str, Any]:
    with runtime().store.read() as conn:
        return {"agents": show_all(conn, principal, service.visible(conn, principal))}


@calls.add("GET", "/api/agents/<name>", who=READERS, summary="One agent or person")
def agent(principal: Principal, name: str) -> dict[str, Any]:
    with runtime().store.read() as conn:
        return show(conn, principal, service.find_visible(conn, principal, name))


@calls.add("POST", "/api/agents", who=ADMIN, summary="Add an agent or a person", body=AgentBody)
def add_agent(principal: Principal) -> tuple[dict[str, Any], int]:
    fields = {"name": "", **read_json(AgentBody).given()}
    one = runtime().store.write(lambda tx: service.add(tx, fields), principal.id)
    with runtime().store.read() as conn:
        return show(conn, principal, one), 201


@calls.add(
    "PATCH",
    "/api/agents/<name>",
    who=("person", "admin"),
    summary="Change one, or your own quiet hours",
    body=AgentBody,
)
def change_agent(principal: Principal, name: str) -> dict[str, Any]:
    fields = read_json(AgentBody).given()
    one = runtime().store.write(
        lambda tx: service.change_by(tx, principal, name, fields), principal.id
    )
    with runtime().store.read() as conn:
        return show(conn, principal, one)


@calls.add("DELETE", "/api/agents/<name>", who=ADMIN, summary="Remove one")
def remove_agent(principal: Principal, name: str) -> dict[str, Any]:
    runtime().store.write(lambda tx: service.remove(tx, name), principal.id)
    return {"name": name, "removed": True}


@calls.add("GET", "/api/groups", who=READERS, summary="Groups")
def groups(principal: Principal) -> dict[str, Any]:
    with runtime().store.read() as conn:
        return {"groups": service.list_groups(conn, principal)}


@calls.add("POST", "/api/groups", who=ADMIN, summary="Make a group", body=GroupBody)
def add_group(principal: Principal) -> tuple[dict[str, Any], int]:
    body = read_json(GroupBody)
    runtime().store.write(
        lambda tx: service.set_group(tx, body.name, body.members, new=True), principal.id
    )
    return {"name": body.name, "members": body.members}, 201


@calls.add("PUT", "/api/groups/<name>", who=ADMIN, summary="Set its members", body=GroupBody)
def set_group(principal: Principal, name: str) -> dict[str, Any]:
    body = read_json(GroupBody)
    runtime().store.write(
        lambda tx: service.set_group(tx, name, body.members, new=False), principal.id
    )
    return {"name": name, "members": body.members}


@calls.add("DELETE", "/api/groups/<name>", who=ADMIN, summary="Remove a group")
def remove_group(principal: Principal, name: str) -> dict[str, Any]:
    runtime().store.write(lambda tx: service.remove_group(tx, name), principal.id)
    return {"name": name, "removed": True}


@calls.add("GET", "/api/nodes", who=("person", "admin"), summary="Nodes")
def list_nodes(principal: Principal) -> dict[str, Any]:
    run = runtime()
    with run.store.read() as conn:
        shown = nodes.list_nodes(conn, principal)
    return {"nodes": [one | {"online": run.presence.is_online(one.pop("id"))} for one in shown]}


@calls.add("POST", "/api/nodes", who=ADMIN, summary="Add a node and its code", body=NodeBody)
def add_node(principal: Principal) -> tuple[dict[str, Any], int]:
    body = read_json(NodeBody)
    answer = runtime().store.write(
        lambda tx: nodes.add_node(tx, body.name, body.agents, body.url), principal.id
    )
    return answer, 201


@calls.add("POST", "/api/nodes/<name>/code", who=ADMIN, summary="A new code for a node")
def new_code(principal: Principal, name: str) -> tuple[dict[str, Any], int]:
    return runtime().store.write(lambda tx: enrolment.make_code(tx, name), principal.id), 201


@calls.add("PATCH", "/api/nodes/<name>", who=ADMIN, summary="Rename a node", body=NameBody)
def rename_node(principal: Principal, name: str) -> dict[str, Any]:
    new = read_json(NameBody).name
    runtime().store.write(lambda tx: nodes.rename_node(tx, name, new), principal.id)
    return {"name": new}


class RemovalQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Whether to remove a node that still has agents, and to which node those move."""

    force: bool = False
    move_to: str = ""


@calls.add("DELETE", "/api/nodes/<name>", who=ADMIN, summary="Remove a node", query=RemovalQuery)
def remove_node(principal: Principal, name: str) -> dict[str, Any]:
    query = read_query(RemovalQuery)
    runtime().store.write(
        lambda tx: nodes.remove_node(tx, name, force=query.force, move_to=query.move_to),
        principal.id,
    )
    return {"name": name, "removed": True}


@calls.add("GET", "/api/nodes/self/roster", who=("node",), summary="A node's roster")
def node_roster(principal: Principal) -> dict[str, Any]:
    with runtime().store.read() as conn:
        return nodes.roster(conn, principal)


@calls.add("POST", "/api/nodes/self", who=("node",), summary="A watcher's word", body=SelfBody)
def node_self(principal: Principal) -> dict[str, Any]:
    body, node_id = read_json(SelfBody), principal.node_id or 0
    runtime().store.write(
        lambda tx: nodes.record_methods(tx, node_id, body.version, body.methods), principal.id
    )
    return {"node": principal.name}


@calls.add("POST", "/api/enrol", who=(), summary="A code for tokens, once", body=EnrolBody)
def enrol() -> dict[str, Any]:
    # No token is asked for: the code is the credential, so the caller's address has the limit.
    runtime().limits.take(f"enrol {request.remote_addr}")
    given = msgspec.structs.asdict(read_json(EnrolBody))
    return runtime().store.write(lambda tx: enrolment.redeem(tx, given), "enrol")
