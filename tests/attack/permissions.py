"""Who may do what: every call, every kind of principal, as data.

A cell is what a principal gets: the status of a success, or the code of a refusal (whose status is
in `docs/reference/errors.md`). `-` behind a status: it succeeds and shows nothing of the subject.
`docs/reference/permissions.md` is this table as a page.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

PRINCIPALS = {
    "nobody": "no token, a wrong one, or one that was revoked",
    "agent": "the agent that it is about",
    "worker": "the same as a worker",
    "peer": "another agent of the same compartment",
    "stranger": "an agent of another compartment",
    "secret": "the household's shared secret, for an agent without a token of its own",
    "node": "the node that has the agent",
    "other": "another node",
    "person": "a person of the same compartment",
    "outsider": "a person of another compartment",
    "admin": "the administration",
}
UNAUTHORIZED = "unauthorized"
NO = "forbidden"
GONE = "not_found"
STAYS = "move_refused"


@dataclass(frozen=True)
class Row:
    """One call about one subject; `case` tells rows of the same call apart."""

    call: str
    case: str
    cells: dict[str, str]


def row(call: str, case: str, first: str = UNAUTHORIZED, *rest: str) -> Row:
    return Row(call, case, dict(zip(PRINCIPALS, (first, *rest), strict=True)))


def admin_only(call: str, case: str, status: str) -> Row:
    return row(call, case, UNAUTHORIZED, *[NO] * 9, status)


def open_to_all(call: str, case: str, status: str = "200") -> Row:
    return row(call, case, *[status] * 11)


def session(call: str, status: str, peer: str = "", case: str = "") -> Row:
    """Of a session nobody knows who is not in it, the administration neither."""
    known = f"{case}, of a session of it and its peer" if case else "of the agent and its peer"
    return row(
        *(call, known, UNAUTHORIZED, status, GONE, peer or status, GONE, GONE),
        *(NO, NO, GONE, GONE, NO),
    )


def mail(call: str, case: str, own: str, others: str) -> Row:
    """Of mail, its own reader's: the others hold a handle that is not theirs."""
    people = (NO, NO, others, others, NO)
    return row(call, case, UNAUTHORIZED, own, own, others, others, others, *people)


U = UNAUTHORIZED
# fmt: off
TABLE = [
    # nobody, agent, worker, peer, stranger, secret, node, other, person, outsider, admin
    row("POST /api/send", "to a third agent of the compartment",
        U, "202", "202", "202", "unknown_recipient", "unknown_recipient", NO, NO,
        "202", "unknown_recipient", NO),
    row("POST /api/send", "in the agent's name",
        U, "202", "202", *["sender_mismatch"] * 3, NO, NO, *["sender_mismatch"] * 2, NO),
    row("POST /api/send", "in answer to the agent's mail",
        U, "202", "202", GONE, "unknown_recipient", "unknown_recipient", NO, NO,
        GONE, "unknown_recipient", NO),
    row("GET /api/inbox", "what waits for the agent",
        U, "200", "200", "200 -", "200 -", "200 -", NO, NO, "200 -", "200 -", NO),
    mail("POST /api/ack", "the agent's item", "200", "unknown_handle"),
    mail("POST /api/release", "the agent's item", "200", "unknown_handle"),
    mail("POST /api/extend", "the agent's item", "200", "unknown_handle"),
    mail("POST /api/messages/<handle>/reply", "the agent's item", "202", "unknown_handle"),
    row("GET /api/messages/<message_id>", "between the agent and its peer",
        U, "200", "200", "200", GONE, GONE, NO, NO, "200", GONE, "200"),
    row("GET /api/messages", "what the agent and its peer wrote",
        U, "200", "200", "200 -", GONE, GONE, NO, NO, "200 -", GONE, NO),
    row("POST /api/messages/<message_id>/cancel", "from the agent to its peer",
        U, "200", "200", NO, GONE, GONE, NO, NO, "200", GONE, "200"),
    row("POST /api/messages/<message_id>/cancel", "from the agent to a third one",
        U, "200", "200", GONE, GONE, GONE, NO, NO, "200", GONE, "200"),
    row("POST /api/messages/<message_id>/redrive", "from the agent, dead at its peer",
        U, "200", "200", NO, GONE, GONE, NO, NO, "200", GONE, "200"),
    row("POST /api/messages/<message_id>/redrive", "from the agent, dead at a third one",
        U, "200", "200", GONE, GONE, GONE, NO, NO, "200", GONE, "200"),
    row("GET /api/deliveries", "from the agent, dead at its peer",
        U, "200", "200", "200", "200 -", "200 -", NO, NO, "200", "200 -", "200"),
    row("GET /api/deliveries", "from the agent, dead at a third one",
        U, "200", "200", "200 -", "200 -", "200 -", NO, NO, "200", "200 -", "200"),
    row("POST /api/deliveries/redrive", "from the agent, dead at its peer",
        U, "200", "200", "200 -", "200 -", "200 -", NO, NO, "200", "200 -", "200"),
    row("POST /api/threads/<thread>/release", "between the agent and its peer",
        U, NO, NO, NO, NO, NO, NO, NO, "200", GONE, "200"),
    row("GET /api/brief", "from the agent, dead at its peer",
        U, "200", "200", "200", "200 -", "200 -", NO, NO, "200", "200 -", "200"),
    row("POST /api/brief", "its own, until now", U, *["200"] * 5, NO, NO, "200", "200", NO),
    row("GET /api/held", "held between the agent and its peer",
        U, "200", "200", "200", "200 -", "200 -", NO, NO, "200", "200 -", "200"),
    row("POST /api/agents/<name>/release", "the agent",
        U, NO, NO, NO, NO, NO, NO, NO, "200", GONE, "200"),
    row("GET /api/cost", "what the agent's turns cost",
        U, "200", "200 -", "200 -", "200 -", "200 -", NO, NO, "200", "200 -", "200"),
    row("GET /api/stream", "what becomes of mail to the agent",
        U, "200", "200", "200", "200 -", "200 -", "200", "200 -", "200", "200 -", "200"),
    row("GET /api/wakes", "the agent's wake",
        U, "200", "200 -", "200 -", "200 -", "200 -", "200", "200 -", "200", "200 -", "200"),
    row("POST /api/wakes/<wake_id>", "the agent's wake",
        U, NO, NO, NO, NO, NO, "200", GONE, NO, NO, NO),
    row("GET /api/tasks", "a task of the agent's compartment",
        U, "200", "200", "200", "200 -", "200 -", NO, NO, "200", "200 -", "200"),
    row("POST /api/tasks", "a new task",
        U, "201", NO, "201", "201", "201", NO, NO, "201", "201", NO),
    row("GET /api/tasks/<task_id>", "a task of the agent's compartment",
        U, "200", "200", "200", GONE, GONE, NO, NO, "200", GONE, "200"),
    row("PATCH /api/tasks/<task_id>", "to claim one of the backlog",
        U, "200", STAYS, "200", GONE, GONE, NO, NO, "200", GONE, NO),
    row("PATCH /api/tasks/<task_id>", "to hand in the agent's own",
        U, "200", STAYS, STAYS, GONE, GONE, NO, NO, STAYS, GONE, NO),
    row("PATCH /api/tasks/<task_id>", "to approve the agent's own",
        U, STAYS, STAYS, STAYS, GONE, GONE, NO, NO, "200", GONE, NO),
    row("PATCH /api/tasks/<task_id>", "to block one of the backlog",
        U, "200", STAYS, "200", GONE, GONE, NO, NO, "200", GONE, NO),
    row("PATCH /api/tasks/<task_id>", "to change its title, added by the agent",
        U, "200", NO, NO, GONE, GONE, NO, NO, "200", GONE, NO),
    row("PATCH /api/tasks/<task_id>", "to move it in the agent's name",
        U, "200", *["sender_mismatch"] * 4, NO, NO, *["sender_mismatch"] * 2, NO),
    row("POST /api/tasks/<task_id>/notes", "a task of the agent's compartment",
        U, "201", "201", "201", GONE, GONE, NO, NO, "201", GONE, NO),
    row("GET /api/stream", "a task that the agent holds",
        U, "200", "200 -", "200 -", "200 -", "200 -", "200 -", "200 -", "200", "200 -", "200"),
    row("POST /api/runs", "to a worker of the compartment",
        U, "202", "202", "202", "unknown_recipient", "unknown_recipient", NO, NO,
        "202", "unknown_recipient", NO),
    row("GET /api/runs", "dispatched by the agent",
        U, "200", "200", "200 -", "200 -", "200 -", "200", "200 -", "200", "200 -", "200"),
    row("GET /api/runs/<run_id>", "dispatched by the agent",
        U, "200", "200", GONE, GONE, GONE, NO, NO, "200", GONE, "200"),
    row("POST /api/runs/<run_id>/cancel", "dispatched by the agent",
        U, "200", "200", GONE, GONE, GONE, NO, NO, "200", GONE, "200"),
    row("POST /api/runs/<run_id>/cancel", "for the worker",
        U, GONE, NO, GONE, GONE, GONE, NO, NO, "200", GONE, "200"),
    row("POST /api/runs/<run_id>/claim", "dispatched by the agent",
        U, NO, NO, GONE, GONE, GONE, NO, NO, NO, NO, NO),
    *(row(f"POST /api/runs/<run_id>/{word}", "for the worker",
          U, GONE, "200", GONE, GONE, GONE, NO, NO, NO, NO, NO)
      for word in ("claim", "alive", "end")),
    row("POST /api/alerts", "an alert of its own",
        U, "201", "201", "201", "201", "conflict", NO, NO, "conflict", "conflict", NO),
    row("GET /api/alerts", "raised by the agent",
        U, "200", "200", "200 -", "200 -", "200 -", NO, NO, "200", "200 -", "200"),
    row("GET /api/alerts/<alert_id>", "raised by the agent",
        U, "200", "200", GONE, GONE, GONE, NO, NO, "200", GONE, "200"),
    row("POST /api/alerts/<alert_id>/settle", "raised by the agent",
        U, "200", "200", GONE, GONE, GONE, NO, NO, "200", GONE, "200"),
    row("GET /api/people/<name>/notices", "the person's targets",
        U, NO, NO, NO, NO, NO, NO, NO, "200", GONE, "200"),
    row("PUT /api/people/<name>/notices/<target>", "the person's",
        U, NO, NO, NO, NO, NO, NO, NO, "200", GONE, NO),
    row("DELETE /api/people/<name>/notices/<target>", "the person's",
        U, NO, NO, NO, NO, NO, NO, NO, "200", GONE, "200"),
    row("POST /api/people/<name>/notices/<target>/test", "the person's",
        U, NO, NO, NO, NO, NO, NO, NO, "200", GONE, NO),
    row("POST /api/sessions", "with a third agent of the compartment",
        U, "201", NO, "201", "unknown_recipient", "unknown_recipient", NO, NO,
        "201", "unknown_recipient", NO),
    row("GET /api/sessions", "of the agent and its peer",
        U, "200", "200 -", "200", "200 -", "200 -", NO, NO, "200 -", "200 -", NO),
    session("GET /api/sessions/<session_id>", "200"),
    session("PATCH /api/sessions/<session_id>", "200"),
    session("POST /api/sessions/<session_id>/participants", "201"),
    session("PATCH /api/sessions/<session_id>/participants/<name>", "200", NO, "the agent"),
    session("DELETE /api/sessions/<session_id>/participants/<name>", "200", NO, "the agent"),
    session("POST /api/sessions/<session_id>/entries", "201"),
    session("GET /api/sessions/<session_id>/entries", "200"),
    session("POST /api/sessions/<session_id>/outputs", "201"),
    session("POST /api/sessions/<session_id>/outputs/<entry_id>/end", "200", NO, "of the agent"),
    session("POST /api/sessions/<session_id>/cursor", "200"),
    session("GET /api/sessions/<session_id>/search", "200"),
    session("GET /api/sessions/<session_id>/export", "200"),
    row("POST /api/sessions/import", "a file",
        U, "201", NO, "201", "201", "201", NO, NO, "201", "201", NO),
    row("GET /api/sessions/search", "of the agent and its peer",
        U, "200", "200 -", "200", "200 -", "200 -", NO, NO, "200 -", "200 -", NO),
    row("POST /api/sessions/<session_id>/approvals", "of the agent, its peer and the person",
        U, "201", GONE, "201", GONE, GONE, NO, NO, "conflict", GONE, NO),
    row("POST /api/approvals", "of the person",
        U, "201", NO, "201", "unknown_recipient", "unknown_recipient", NO, NO,
        "invalid_request", "unknown_recipient", NO),
    row("GET /api/approvals", "asked by the agent of the person",
        U, "200", "200 -", "200 -", "200 -", "200 -", NO, NO, "200", "200 -", NO),
    row("GET /api/approvals/<approval_id>", "asked by the agent of the person",
        U, "200", GONE, "200", GONE, GONE, NO, NO, "200", GONE, NO),
    row("POST /api/approvals/<approval_id>/answer", "asked by the agent of the person",
        U, NO, GONE, NO, GONE, GONE, NO, NO, "200", GONE, NO),
    row("POST /api/approvals/<approval_id>/withdraw", "asked by the agent of the person",
        U, "200", GONE, NO, GONE, GONE, NO, NO, NO, GONE, NO),
    row("POST /api/sessions/<session_id>/steer", "made by the agent, of its peer and the person",
        U, "201", GONE, NO, GONE, GONE, NO, NO, "201", GONE, NO),
    row("GET /api/stream", "said in a session of the agent and its peer",
        U, "200", "200 -", "200", *["200 -"] * 7),
    row("GET /api/messages/<message_id>", "told of a session of the agent and its peer",
        U, "200", GONE, "200", GONE, GONE, NO, NO, GONE, GONE, "200"),
    row("GET /api/whoami", "itself", U, *["200"] * 10),
    row("GET /api/agents", "the agent among them",
        U, "200", "200", "200", "200 -", "200 -", NO, NO, "200", "200 -", "200"),
    row("GET /api/agents/<name>", "the agent",
        U, "200", "200", "200", GONE, GONE, NO, NO, "200", GONE, "200"),
    admin_only("POST /api/agents", "a new agent", "201"),
    admin_only("PATCH /api/agents/<name>", "any agent", "200"),
    row("PATCH /api/agents/<name>", "the person's quiet hours",
        U, NO, NO, NO, NO, NO, NO, NO, "200", NO, "200"),
    row("PATCH /api/agents/<name>", "the person's quiet hours, and its name",
        U, NO, NO, NO, NO, NO, NO, NO, NO, NO, "200"),
    admin_only("DELETE /api/agents/<name>", "any agent", "200"),
    row("POST /api/people/<name>/sign-in", "the person",
        U, NO, NO, NO, NO, NO, NO, NO, "201", NO, "201"),
    row("GET /api/groups", "a group of the agent and its peer",
        U, "200", "200", "200", "200 -", "200 -", NO, NO, "200", "200 -", "200"),
    admin_only("POST /api/groups", "a new group", "201"),
    admin_only("PUT /api/groups/<name>", "any group", "200"),
    admin_only("DELETE /api/groups/<name>", "any group", "200"),
    row("GET /api/nodes", "the agent's node among them",
        U, NO, NO, NO, NO, NO, NO, NO, "200", "200 -", "200"),
    admin_only("POST /api/nodes", "a new node", "201"),
    admin_only("POST /api/nodes/<name>/code", "any node", "201"),
    admin_only("PATCH /api/nodes/<name>", "any node", "200"),
    admin_only("DELETE /api/nodes/<name>", "any node", "200"),
    row("POST /api/nodes/self", "how it reaches its agents",
        U, NO, NO, NO, NO, NO, "200", "200", NO, NO, NO),
    row("GET /api/nodes/self/roster", "the agent among the node's",
        U, NO, NO, NO, NO, NO, "200", "200 -", NO, NO, NO),
    row("POST /api/nodes/self/tokens", "an agent's of the node, asked for",
        U, NO, NO, NO, NO, NO, "200", "conflict", NO, NO, NO),
    row("POST /api/nodes/self/tokens", "an agent's of the node, asked for by nobody",
        U, NO, NO, NO, NO, NO, "conflict", "conflict", NO, NO, NO),
    row("POST /api/nodes/self/tokens", "an agent's of the node, asked for and revoked since",
        U, NO, NO, NO, NO, NO, "conflict", "conflict", NO, NO, NO),
    row("POST /api/nodes/self/tokens", "the node's own, asked for by nobody",
        U, NO, NO, NO, NO, NO, "conflict", "conflict", NO, NO, NO),
    open_to_all("POST /api/enrol", "with a good code"),
    open_to_all("POST /api/enrol", "with a wrong code", GONE),
    admin_only("GET /api/tokens", "all tokens, without the secrets", "200"),
    admin_only("POST /api/tokens", "for anybody", "201"),
    admin_only("POST /api/tokens/rotate", "of anybody", "200"),
    admin_only("DELETE /api/tokens/<token_id>", "any token", "200"),
    admin_only("GET /api/compartments", "all compartments", "200"),
    row("PUT /streams/<stream_id>", "a new stream",
        U, *["201"] * 5, NO, NO, "201", "201", NO),
    row("POST /streams/<stream_id>", "the agent's stream",
        U, "204", "204", NO, GONE, GONE, NO, NO, NO, GONE, NO),
    *(row(f"{word} /streams/<stream_id>", "the agent's stream",
          U, "200", "200", "200", GONE, GONE, NO, NO, "200", GONE, NO)
      for word in ("HEAD", "GET")),
    row("DELETE /streams/<stream_id>", "the agent's stream",
        U, "204", "204", NO, GONE, GONE, NO, NO, NO, GONE, NO),
    open_to_all("OPTIONS /streams/<stream_id>", "whether there is one or not", "204"),
    row("GET /metrics", "counts, no names", U, NO, NO, NO, NO, NO, NO, NO, "200", "200", "200"),
    open_to_all("GET /healthz", "the process lives"),
    open_to_all("GET /readyz", "the database answers"),
    open_to_all("GET /openapi.json", "the description"),
]
# fmt: on


def shown(call: str) -> str:
    """Write a call as the references do: what stands for a name in capitals."""
    return re.sub(r"<(\w+)>", lambda part: part[1].upper(), call)
