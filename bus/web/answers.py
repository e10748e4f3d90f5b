"""What the good answer of each call always has, for `/openapi.json`: one row a call. Pure data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """Its statuses, the fields that its JSON always has, and the texts that it may be instead."""

    statuses: tuple[int, ...]
    has: str = ""
    texts: tuple[str, ...] = ()


def done(has: str) -> Answer:
    return Answer((200,), has)


def made(has: str) -> Answer:
    return Answer((201,), has)


TASK = "id title status holder stale"
SESSION = "session_id title state last_place cursor unread participants"
OUTPUT = "session_id entry_id place stream url state bytes content_type lease_s epoch"
ENTRY = "session_id entry_id place deliveries deduplicated"
ASKED = "approval_id session_id entry_id place state expires_at deduplicated"
APPROVAL = "approval_id session_id title state options may_answer answer answered_by reason"
AGENT = "name kind node compartments"
CODE = "name code expires_at enrol"
ANSWERS = {
    "POST /api/send": Answer((202,), "status deduplicated"),
    "GET /api/inbox": Answer((200,), "agent items more", ("text/plain",)),
    "POST /api/ack": done("results"),
    "POST /api/release": done("results"),
    "POST /api/extend": done("results"),
    "POST /api/messages/<handle>/reply": Answer((200, 202), "status"),
    "GET /api/messages/<message_id>": done("id from thread hops path type deliveries"),
    "GET /api/messages": done("messages"),
    "POST /api/messages/<message_id>/cancel": done("id results"),
    "POST /api/messages/<message_id>/redrive": done("id results"),
    "GET /api/deliveries": done("deliveries next"),
    "POST /api/deliveries/redrive": done("results next"),
    "POST /api/threads/<thread>/release": done("thread released"),
    "GET /api/brief": Answer((200,), "since until sections threads", ("text/plain",)),
    "POST /api/brief": done("seen_until"),
    "GET /api/held": done("threads agents"),
    "GET /api/cost": done("by since until costs total"),
    "GET /api/stream": Answer((200,), texts=("text/event-stream",)),
    "GET /api/wakes": done("wakes"),
    "POST /api/wakes/<wake_id>": done("wake_id state open next_wake"),
    "GET /api/tasks": done("tasks next"),
    "POST /api/tasks": made(f"{TASK} deduplicated"),
    "GET /api/tasks/<task_id>": done(f"{TASK} body moves runs messages history earlier"),
    "PATCH /api/tasks/<task_id>": done(f"{TASK} already told"),
    "POST /api/tasks/<task_id>/notes": made("id at what by note"),
    "POST /api/runs": Answer((202,), "status deduplicated"),
    "GET /api/runs": done("runs next"),
    "GET /api/runs/<run_id>": done("run_id parent worker state ladder"),
    "POST /api/runs/<run_id>/cancel": done("run_id state result"),
    "POST /api/runs/<run_id>/claim": done("run_id claim worker task limit_s lease_until"),
    "POST /api/runs/<run_id>/alive": done("state cancel lease_until"),
    "POST /api/runs/<run_id>/end": done("state already"),
    "POST /api/alerts": made("id severity state told next deduplicated"),
    "GET /api/alerts": done("alerts next"),
    "GET /api/alerts/<alert_id>": done("id severity state told next body"),
    "POST /api/alerts/<alert_id>/settle": done("id state reason already"),
    "GET /api/people/<name>/notices": done("person targets waiting allowed email events away"),
    "PUT /api/people/<name>/notices/<target>": Answer((200, 201), "name kind events previews"),
    "DELETE /api/people/<name>/notices/<target>": done("name removed"),
    "POST /api/people/<name>/notices/<target>/test": done("name ok said took_ms"),
    "GET /api/sessions": done("sessions next"),
    "POST /api/sessions": made(f"{SESSION} deduplicated"),
    "POST /api/sessions/import": made(f"{SESSION} imported deduplicated"),
    "GET /api/sessions/<session_id>/export": Answer((200,), texts=("application/x-ndjson",)),
    "GET /api/sessions/search": done("entries next sessions"),
    "GET /api/sessions/<session_id>/search": done("entries next"),
    "GET /api/sessions/<session_id>": done(f"{SESSION} me thread"),
    "PATCH /api/sessions/<session_id>": done(f"{SESSION} me thread"),
    "POST /api/sessions/<session_id>/participants": Answer(
        (200, 201), "session_id invited already"
    ),
    "PATCH /api/sessions/<session_id>/participants/<name>": done("session_id name wake"),
    "DELETE /api/sessions/<session_id>/participants/<name>": done("session_id left"),
    "POST /api/sessions/<session_id>/entries": made(ENTRY),
    "GET /api/sessions/<session_id>/entries": Answer(
        (200,), "session_id entries before after last_place cursor unread", ("text/plain",)
    ),
    "POST /api/sessions/<session_id>/outputs": Answer((200, 201), OUTPUT),
    "POST /api/sessions/<session_id>/outputs/<entry_id>/end": done(OUTPUT),
    "POST /api/sessions/<session_id>/cursor": done("session_id cursor unread"),
    "POST /api/sessions/<session_id>/approvals": made(ASKED),
    "POST /api/approvals": made(ASKED),
    "GET /api/approvals": done("approvals next"),
    "GET /api/approvals/<approval_id>": done(APPROVAL),
    "POST /api/approvals/<approval_id>/answer": done(f"{APPROVAL} already"),
    "POST /api/approvals/<approval_id>/withdraw": done(f"{APPROVAL} already"),
    "POST /api/sessions/<session_id>/steer": made(
        "session_id entry_id place told deliveries deduplicated"
    ),
    "GET /api/whoami": done("kind name compartments epoch"),
    "GET /api/agents": done("agents"),
    "GET /api/agents/<name>": done(AGENT),
    "POST /api/agents": made(AGENT),
    "PATCH /api/agents/<name>": done(AGENT),
    "DELETE /api/agents/<name>": done("name removed"),
    "POST /api/agents/<name>/release": done("agent released"),
    "POST /api/people/<name>/sign-in": made("name code link expires_at"),
    "GET /api/groups": done("groups"),
    "POST /api/groups": made("name members"),
    "PUT /api/groups/<name>": done("name members"),
    "DELETE /api/groups/<name>": done("name removed"),
    "GET /api/nodes": done("nodes"),
    "POST /api/nodes": made(CODE),
    "POST /api/nodes/<name>/code": made(CODE),
    "PATCH /api/nodes/<name>": done("name"),
    "DELETE /api/nodes/<name>": done("name removed"),
    "POST /api/nodes/self": done("node"),
    "GET /api/nodes/self/roster": done("node agents renew"),
    "POST /api/nodes/self/tokens": done("taken"),
    "POST /api/enrol": done("node token url agents server_time"),
    "GET /api/tokens": done("tokens"),
    "POST /api/tokens": made("id token kind subject"),
    "POST /api/tokens/rotate": done("by grace_s"),
    "DELETE /api/tokens/<token_id>": done("id revoked"),
    "GET /api/compartments": done("compartments"),
    "PUT /streams/<stream_id>": Answer((200, 201)),
    "POST /streams/<stream_id>": Answer((200, 204)),
    "HEAD /streams/<stream_id>": Answer((200,)),
    "GET /streams/<stream_id>": Answer((200, 204, 304), texts=("*/*",)),
    "DELETE /streams/<stream_id>": Answer((204,)),
    "OPTIONS /streams/<stream_id>": Answer((204,)),
    "GET /metrics": Answer((200,), texts=("text/plain",)),
    "GET /healthz": done("status version"),
    "GET /readyz": done("status epoch"),
    "GET /openapi.json": done("openapi info paths components"),
}
