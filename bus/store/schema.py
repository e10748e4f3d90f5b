"""The one picture of the database; `migrations/` must arrive at exactly this.

Times are integers: milliseconds since 1970, UTC. Booleans are 0 or 1. JSON is text. Nothing here
knows what a state means; the rooms' models do. On both engines numbers have 64 bits, and text is in
the order of its bytes.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = sa.MetaData(naming_convention=NAMING)
WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""SQLite counts its own keys in an INTEGER alone, which there has 64 bits."""
FRACTION: sa.Double[float] = sa.Double().with_variant(sa.REAL(), "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def number(name: str, *, default: int | None = None, null: bool = False) -> sa.Column[int]:
    """Make an integer column."""
    given = None if default is None else sa.text(str(default))
    return sa.Column(name, WHOLE, nullable=null, server_default=given)


def text(name: str, *, default: str | None = None, null: bool = False) -> sa.Column[str]:
    """Make a text column."""
    given = None if default is None else sa.text(f"'{default}'")
    return sa.Column(name, TEXT, nullable=null, server_default=given)


def real(name: str, *, null: bool = False) -> sa.Column[float]:
    """Make a column of fractions."""
    return sa.Column(name, FRACTION, nullable=null)


def serial(name: str = "id") -> sa.Column[int]:
    """Make a key whose numbers are never given twice (see `sqlite_autoincrement` below)."""
    return sa.Column(name, WHOLE, primary_key=True, autoincrement=True)


def key(name: str) -> sa.Column[str]:
    """Make a text key."""
    return sa.Column(name, TEXT, primary_key=True)


def table(name: str, *parts: sa.schema.SchemaItem, serial_key: bool = False) -> sa.Table:
    """Make a STRICT table: SQLite then refuses a text in a number's place."""
    return sa.Table(name, metadata, *parts, sqlite_strict=True, sqlite_autoincrement=serial_key)


def unique_open(name: str, column: sa.Column[str] | sa.Column[int], end: str) -> sa.Index:
    """Make values unique among rows that have not ended."""
    return sa.Index(
        name,
        column,
        unique=True,
        sqlite_where=sa.text(f"{end} IS NULL"),
        postgresql_where=sa.text(f"{end} IS NULL"),
    )


def index_known(
    name: str, column: sa.Column[int] | sa.Column[str], *more: sa.Column[Any], unique: bool = False
) -> sa.Index:
    """Index the rows that have a value there; the others, which are most, cost nothing."""
    return sa.Index(
        name,
        column,
        *more,
        unique=unique,
        sqlite_where=sa.text(f"{column.name} IS NOT NULL"),
        postgresql_where=sa.text(f"{column.name} IS NOT NULL"),
    )


meta = table("meta", key("key"), text("value"))

log = table(
    "log",
    serial("seq"),
    number("at_ms"),
    text("kind"),
    number("participant_id", null=True),
    number("sender_id", null=True),
    number("node_id", null=True),
    text("compartment", null=True),
    text("data"),
    serial_key=True,
)
index_known("ix_log_participant", log.c.participant_id, log.c.seq)
sa.Index("ix_log_sender", log.c.sender_id, log.c.seq)
index_known("ix_log_node", log.c.node_id, log.c.seq)
index_known("ix_log_compartment", log.c.compartment, log.c.seq)

nodes = table(
    "nodes",
    serial(),
    text("name"),
    text("url", default=""),
    text("header_dir", default="$HOME/.wakebus"),
    text("version", default=""),
    text("instance", default=""),
    number("seen_ms", null=True),
    number("created_ms"),
    number("removed_ms", null=True),
    serial_key=True,
)
unique_open("uq_nodes_name", nodes.c.name, "removed_ms")

participants = table(
    "participants",
    serial(),
    text("name"),
    text("kind"),
    number("node_id", null=True),
    text("local_agent", default=""),
    text("session_key", default=""),
    text("display_name", default=""),
    text("accepts", null=True),
    number("paused", default=0),
    number("paused_ms", null=True),
    number("lead", default=0),
    text("escalate_to", null=True),
    number("open_to_secret", default=1),
    text("quiet", null=True),
    number("brief_ms", null=True),
    text("method", default=""),
    text("method_why", default=""),
    number("generation", default=0),
    number("wake_failures", default=0),
    number("last_read_ms", null=True),
    number("last_woken_ms", null=True),
    number("created_ms"),
    number("removed_ms", null=True),
    sa.ForeignKeyConstraint(["node_id"], ["nodes.id"]),
    serial_key=True,
)
unique_open("uq_participants_name", participants.c.name, "removed_ms")
sa.Index("ix_participants_session_key", participants.c.session_key)
sa.Index("ix_participants_node", participants.c.node_id)

memberships = table(
    "memberships",
    sa.Column("participant_id", WHOLE, sa.ForeignKey("participants.id"), primary_key=True),
    key("compartment"),
)
sa.Index("ix_memberships_compartment", memberships.c.compartment)
COMPARTMENTS = (
    sa.select(sa.func.aggregate_strings(memberships.c.compartment, " "))
    .where(memberships.c.participant_id == participants.c.id)
    .correlate(participants)
    .scalar_subquery()
    .label("compartments")
)
"""The compartments of a participant as words, or nothing; a name has no space in it."""

groups = table("groups", serial(), text("name"), number("created_ms"), serial_key=True)
sa.Index("uq_groups_name", groups.c.name, unique=True)
group_members = table(
    "group_members",
    sa.Column("group_id", WHOLE, sa.ForeignKey("groups.id"), primary_key=True),
    sa.Column("participant_id", WHOLE, sa.ForeignKey("participants.id"), primary_key=True),
)

tokens = table(
    "tokens",
    key("id"),
    text("kind"),
    number("participant_id", null=True),
    number("node_id", null=True),
    text("label", default=""),
    text("hash"),
    number("created_ms"),
    number("revoked_ms", null=True),
    number("last_used_ms", null=True),
    number("ends_ms", null=True),
    number("renew", default=0),
    number("idle_s", default=0),
    sa.ForeignKeyConstraint(["participant_id"], ["participants.id"]),
    sa.ForeignKeyConstraint(["node_id"], ["nodes.id"]),
)
sa.Index("uq_tokens_hash", tokens.c.hash, unique=True)
sa.Index("ix_tokens_participant", tokens.c.participant_id)
sa.Index("ix_tokens_node", tokens.c.node_id)

enrolments = table(
    "enrolments",
    key("code_hash"),
    number("node_id"),
    text("salt"),
    number("created_ms"),
    number("expires_ms"),
    number("used_ms", null=True),
    text("nonce_hash", default=""),
    text("agents", default="[]"),
    sa.ForeignKeyConstraint(["node_id"], ["nodes.id"]),
)

messages = table(
    "messages",
    key("id"),
    text("thread"),
    number("hops"),
    text("path"),
    number("sender_id", null=True),
    text("trust"),
    text("type"),
    text("subject", default=""),
    text("body"),
    text("in_reply_to", null=True),
    number("priority"),
    number("reply_expected"),
    number("wake"),
    text("reply_key", null=True),
    number("created_ms"),
    number("deliver_ms", null=True),
    number("expires_ms", null=True),
    sa.ForeignKeyConstraint(["sender_id"], ["participants.id"]),
)
sa.Index("ix_messages_sender", messages.c.sender_id, messages.c.created_ms)
sa.Index("ix_messages_thread", messages.c.thread, messages.c.created_ms)
index_known("ix_messages_in_reply_to", messages.c.in_reply_to)
index_known("uq_messages_reply_key", messages.c.reply_key, unique=True)
BEGUN_BY_BUS = '["wakebus"]'
"""The path of what the bus wrote by itself: of no chain. What it tells of another's deed is."""
RESULT_KEY = "run "
"""How the key of what the bus wrote at a run's end begins: a type can be claimed, this cannot."""

deliveries = table(
    "deliveries",
    serial(),
    text("message_id"),
    number("recipient_id"),
    text("state"),
    text("reason", default=""),
    number("seen", default=1),
    number("priority"),
    number("seq", null=True),
    number("attempt", default=0),
    number("failed_attempts", default=0),
    number("lease_until_ms", null=True),
    text("lease_wake", null=True),
    text("wake_id", null=True),
    number("wakes", default=1),
    number("until_ms", null=True),
    number("quiet_ms", null=True),
    number("due_ms", null=True),
    number("queued_ms", null=True),
    number("delayed_ms", null=True),
    number("replied_ms", null=True),
    number("ended_ms", null=True),
    sa.ForeignKeyConstraint(["message_id"], ["messages.id"]),
    sa.ForeignKeyConstraint(["recipient_id"], ["participants.id"]),
    serial_key=True,
)
sa.Index("uq_deliveries_message", deliveries.c.message_id, deliveries.c.recipient_id, unique=True)
sa.Index(
    "ix_deliveries_open",
    deliveries.c.recipient_id,
    deliveries.c.priority,
    deliveries.c.seq,
    sqlite_where=sa.text("ended_ms IS NULL"),
    postgresql_where=sa.text("ended_ms IS NULL"),
)
sa.Index(
    "ix_deliveries_recipient",
    deliveries.c.recipient_id,
    deliveries.c.ended_ms,
    sqlite_where=sa.text("ended_ms IS NOT NULL"),
    postgresql_where=sa.text("ended_ms IS NOT NULL"),
)
sa.Index(
    "ix_deliveries_held",
    deliveries.c.message_id,
    sqlite_where=sa.text("state = 'held'"),
    postgresql_where=sa.text("state = 'held'"),
)
sa.Index(
    "ix_deliveries_leased",
    deliveries.c.recipient_id,
    sqlite_where=sa.text("state = 'read'"),
    postgresql_where=sa.text("state = 'read'"),
)
IS_FAILED = sa.text("(state = 'dead' OR state = 'expired' OR state = 'refused')")
"""Not by IN, for which SQLite makes a table of its own at each new row."""
sa.Index(
    "ix_deliveries_failed",
    deliveries.c.id,
    sqlite_where=IS_FAILED,
    postgresql_where=IS_FAILED,
)
index_known("ix_deliveries_due", deliveries.c.due_ms)
index_known("ix_deliveries_quiet", deliveries.c.quiet_ms)
index_known("ix_deliveries_ended", deliveries.c.ended_ms)

ladder = table(
    "ladder",
    serial(),
    number("delivery_id"),
    number("at_ms"),
    text("state"),
    number("attempt"),
    text("reason", default=""),
    text("wake_id", null=True),
    text("turn_id", null=True),
    number("seen", default=1),
    sa.ForeignKeyConstraint(["delivery_id"], ["deliveries.id"]),
)
sa.Index("ix_ladder_delivery", ladder.c.delivery_id, ladder.c.id)

wakes = table(
    "wakes",
    key("id"),
    number("participant_id"),
    number("node_id", null=True),
    number("generation"),
    text("state"),
    number("attempt", default=1),
    text("method", default=""),
    text("turn_id", null=True),
    text("result", default=""),
    text("reason", default=""),
    number("asked_ms"),
    number("received_ms", null=True),
    number("admitted_ms", null=True),
    number("read_ms", null=True),
    number("closed_ms", null=True),
    number("due_ms", null=True),
    number("tokens_in", null=True),
    number("tokens_out", null=True),
    real("cost_usd", null=True),
    text("session", null=True),
    number("shown", default=0),
    sa.ForeignKeyConstraint(["participant_id"], ["participants.id"]),
)
unique_open("uq_wakes_open", wakes.c.participant_id, "closed_ms")
sa.Index("uq_wakes_generation", wakes.c.participant_id, wakes.c.generation, unique=True)
index_known("ix_wakes_due", wakes.c.due_ms)
index_known("ix_wakes_closed", wakes.c.closed_ms)
sa.Index(
    "ix_wakes_admitted",
    wakes.c.participant_id,
    wakes.c.admitted_ms,
    sqlite_where=sa.text("admitted_ms IS NOT NULL"),
    postgresql_where=sa.text("admitted_ms IS NOT NULL"),
)

holds = table(
    "holds",
    key("thread"),
    number("at_ms"),
    text("reason"),
    number("released_ms", null=True),
    number("from_hops", default=0),
    number("warned_ms", null=True),
    number("wakes", default=0),
    number("wakes_ms", default=0),
)
IS_HELD = sa.text("released_ms IS NULL AND reason <> ''")
sa.Index("ix_holds_held", holds.c.at_ms, sqlite_where=IS_HELD, postgresql_where=IS_HELD)

wake_budgets = table(
    "wake_budgets",
    sa.Column("participant_id", WHOLE, sa.ForeignKey("participants.id"), primary_key=True),
    number("from_ms", default=0),
    number("warned_ms", default=0),
    number("told_ms", default=0),
)

costs = table(
    "costs",
    key("day"),
    sa.Column("participant_id", WHOLE, sa.ForeignKey("participants.id"), primary_key=True),
    key("thread"),
    number("turns"),
    number("tokens_in"),
    number("tokens_out"),
    real("cost_usd"),
)

idempotency = table(
    "idempotency",
    key("principal"),
    key("route"),
    key("key"),
    text("request_hash"),
    number("status"),
    text("answer"),
    number("created_ms"),
)
sa.Index("ix_idempotency_created", idempotency.c.created_ms)

tasks = table(
    "tasks",
    key("id"),
    text("compartment"),
    text("title"),
    text("body", default=""),
    text("status"),
    text("blocked_from", null=True),
    number("ops", default=0),
    number("creator_id"),
    number("holder_id", null=True),
    number("lead_id", null=True),
    number("reviewer_id", null=True),
    number("blocker_id", null=True),
    number("created_ms"),
    number("changed_ms"),
    number("refreshed_ms", null=True),
    *(
        sa.ForeignKeyConstraint([name], ["participants.id"])
        for name in ("creator_id", "holder_id", "lead_id", "reviewer_id", "blocker_id")
    ),
)
sa.Index("ix_tasks_status", tasks.c.compartment, tasks.c.status, tasks.c.id)
for whose in (tasks.c.holder_id, tasks.c.lead_id, tasks.c.reviewer_id):
    place = (tasks.c.compartment, tasks.c.status, tasks.c.id)
    index_known(f"ix_tasks_{whose.name.removesuffix('_id')}", whose, *place)

task_history = table(
    "task_history",
    serial(),
    text("task_id"),
    number("at_ms"),
    text("kind"),
    text("status"),
    number("by_id", null=True),
    text("text", default=""),
    text("run_id", null=True),
    text("message_id", null=True),
    sa.ForeignKeyConstraint(["task_id"], ["tasks.id"]),
    sa.ForeignKeyConstraint(["by_id"], ["participants.id"]),
)
sa.Index("ix_task_history_task", task_history.c.task_id, task_history.c.id)
runs = table(
    "runs",
    serial("place"),
    text("id"),
    text("group_id", null=True),
    number("parent_id"),
    number("worker_id"),
    number("node_id", null=True),
    number("depth"),
    text("thread"),
    number("hops"),
    text("path"),
    text("label"),
    number("limit_s"),
    text("cleanup"),
    text("output"),
    text("model", default=""),
    text("verify", default=""),
    text("task_id", null=True),
    text("notify"),
    text("state"),
    text("reason", default=""),
    number("waits", default=0),
    number("claim", default=0),
    text("instance", default=""),
    text("turn_id", default=""),
    text("session_key", default=""),
    number("created_ms"),
    number("offered_ms", null=True),
    number("claimed_ms", null=True),
    number("lease_until_ms", null=True),
    number("deadline_ms", null=True),
    number("cancel_ms", null=True),
    number("cancel_by", null=True),
    number("ended_ms", null=True),
    number("due_ms", null=True),
    text("result", default="{}"),
    number("tokens_in", null=True),
    number("tokens_out", null=True),
    number("cost_microusd", null=True),
    text("message_id", null=True),
    text("session_id", null=True),
    text("entry_id", null=True),
    sa.ForeignKeyConstraint(["parent_id"], ["participants.id"]),
    sa.ForeignKeyConstraint(["worker_id"], ["participants.id"]),
    serial_key=True,
)
sa.Index("uq_runs_id", runs.c.id, unique=True)
sa.Index("ix_runs_parent", runs.c.parent_id, runs.c.place)
sa.Index("ix_runs_worker", runs.c.worker_id, runs.c.place)
for name, columns, which in (
    ("ix_runs_children", [runs.c.parent_id, runs.c.place], "ended_ms IS NULL"),
    ("ix_runs_waiting", [runs.c.worker_id, runs.c.place], "waits = 1"),
    ("ix_runs_output", [runs.c.worker_id, runs.c.output], "ended_ms IS NULL"),
    ("ix_runs_taken", [runs.c.worker_id, runs.c.place], "waits = 0 AND ended_ms IS NULL"),
):
    some = sa.text(which)
    sa.Index(name, *columns, sqlite_where=some, postgresql_where=some)
index_known("ix_runs_group", runs.c.group_id)
index_known("ix_runs_due", runs.c.due_ms)
index_known("ix_runs_ended", runs.c.ended_ms)
index_known("ix_runs_session", runs.c.session_id)

run_texts = table(
    "run_texts",
    sa.Column("place", WHOLE, sa.ForeignKey("runs.place"), primary_key=True),
    text("task"),
    text("output", default=""),
    text("verify_output", default=""),
)
"""The long texts of a run, apart: a row is written anew with all it has at each heartbeat."""

run_ladder = table(
    "run_ladder",
    serial(),
    number("place"),
    number("at_ms"),
    text("state"),
    text("reason", default=""),
    number("claim", default=0),
    sa.ForeignKeyConstraint(["place"], ["runs.place"]),
)
sa.Index("ix_run_ladder_place", run_ladder.c.place, run_ladder.c.id)

run_groups = table(
    "run_groups",
    key("id"),
    number("parent_id"),
    text("report"),
    number("open"),
    number("reported_ms", null=True),
    sa.ForeignKeyConstraint(["parent_id"], ["participants.id"]),
)

alerts = table(
    "alerts",
    key("id"),
    text("severity"),
    text("subject"),
    text("body", default=""),
    text("about", default=""),
    text("cause"),
    text("compartment", null=True),
    number("for_id"),
    text("chain"),
    number("place", default=0),
    text("state"),
    text("reason", default=""),
    number("created_ms"),
    number("due_ms", null=True),
    number("ended_ms", null=True),
    sa.ForeignKeyConstraint(["for_id"], ["participants.id"]),
)
sa.Index("ix_alerts_for", alerts.c.for_id, alerts.c.state, alerts.c.id)
sa.Index("ix_alerts_about", alerts.c.about, alerts.c.state)
sa.Index("ix_alerts_state", alerts.c.state, alerts.c.id)
index_known("ix_alerts_due", alerts.c.due_ms)
index_known("ix_alerts_ended", alerts.c.ended_ms)

alert_steps = table(
    "alert_steps",
    serial(),
    text("alert_id"),
    number("to_id"),
    text("message_id"),
    number("at_ms"),
    number("waiting_id", null=True),
    sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"]),
    sa.ForeignKeyConstraint(["to_id"], ["participants.id"]),
)
sa.Index("ix_alert_steps_alert", alert_steps.c.alert_id, alert_steps.c.id)
sa.Index("ix_alert_steps_to", alert_steps.c.to_id, alert_steps.c.alert_id)
index_known("ix_alert_steps_waiting", alert_steps.c.waiting_id)

notice_people = table(
    "notice_people",
    sa.Column("id", WHOLE, sa.ForeignKey("participants.id"), primary_key=True),
    number("seq"),
    number("due_ms", null=True),
    number("window_ms", default=0),
    number("in_window", default=0),
)
"""Those who have targets: up to where their mail was looked at, and when notices may go."""
index_known("ix_notice_people_due", notice_people.c.due_ms)

notice_targets = table(
    "notice_targets",
    serial(),
    number("participant_id"),
    text("name"),
    text("kind"),
    text("address"),
    text("topic", default=""),
    text("secret", default=""),
    text("events"),
    number("previews", default=0),
    number("created_ms"),
    number("ok_ms", null=True),
    number("error_ms", null=True),
    text("error", default=""),
    number("failing_ms", null=True),
    number("told_ms", null=True),
    sa.ForeignKeyConstraint(["participant_id"], ["participants.id"]),
    serial_key=True,
)
sa.Index(
    "uq_notice_targets_name", notice_targets.c.participant_id, notice_targets.c.name, unique=True
)

notices = table(
    "notices",
    serial(),
    number("participant_id"),
    text("about"),
    number("count", default=1),
    number("sender_id", null=True),
    text("facts"),
    number("created_ms"),
    number("seen_ms", null=True),
    sa.ForeignKeyConstraint(["participant_id"], ["participants.id"]),
    serial_key=True,
)
"""What somebody is to be told: one row for a message, and one for what comes in a session."""
sa.Index("uq_notices_about", notices.c.participant_id, notices.c.about, unique=True)

notice_sends = table(
    "notice_sends",
    key("id"),
    number("target_id"),
    text("facts"),
    number("attempts", default=0),
    number("created_ms"),
    number("due_ms", null=True),
    sa.ForeignKeyConstraint(["target_id"], ["notice_targets.id"]),
)
"""What goes to a target; one without a time is on its way."""
sa.Index("ix_notice_sends_target", notice_sends.c.target_id, notice_sends.c.id)
streams = table(
    "streams",
    serial("place"),
    text("id"),
    number("owner_id"),
    text("session_id", null=True),
    text("content_type"),
    number("ttl_s", null=True),
    number("expires_ms", null=True),
    number("lease_s", null=True),
    number("source", null=True),
    number("fork_at", null=True),
    number("fork_sub", default=0),
    number("era"),
    number("era_from", default=0),
    number("size", default=0),
    number("last_at", default=0),
    text("last_seq", null=True),
    text("how", default=""),
    number("created_ms"),
    number("touched_ms"),
    number("heard_ms"),
    number("closed_ms", null=True),
    number("deleted_ms", null=True),
    number("due_ms", null=True),
    sa.ForeignKeyConstraint(["owner_id"], ["participants.id"]),
    serial_key=True,
)
sa.Index("uq_streams_id", streams.c.id, unique=True)
sa.Index("ix_streams_owner", streams.c.owner_id)
index_known("ix_streams_source", streams.c.source)
index_known("ix_streams_session", streams.c.session_id)
index_known("ix_streams_due", streams.c.due_ms)
stream_chunks = table(
    "stream_chunks",
    sa.Column("stream", WHOLE, sa.ForeignKey("streams.place"), primary_key=True),
    sa.Column("at", WHOLE, primary_key=True),
    sa.Column("data", sa.LargeBinary, nullable=False),
)
stream_producers = table(
    "stream_producers",
    sa.Column("stream", WHOLE, sa.ForeignKey("streams.place"), primary_key=True),
    key("producer"),
    number("epoch"),
    number("seq"),
)
sessions = table(
    "sessions",
    serial("number"),
    text("id"),
    text("title"),
    text("state"),
    text("thread"),
    number("creator_id"),
    number("place", default=0),
    number("created_ms"),
    number("changed_ms"),
    sa.ForeignKeyConstraint(["creator_id"], ["participants.id"]),
    serial_key=True,
)
sa.Index("uq_sessions_id", sessions.c.id, unique=True)

session_members = table(
    "session_members",
    sa.Column("session_number", WHOLE, sa.ForeignKey("sessions.number"), primary_key=True),
    sa.Column("participant_id", WHOLE, sa.ForeignKey("participants.id"), primary_key=True),
    text("wake"),
    number("cursor", default=0),
    number("joined_ms"),
    number("left_ms", null=True),
)
"""Who is in a session, and who was: `left_ms` says since when no more."""
sa.Index(
    "ix_session_members_participant",
    session_members.c.participant_id,
    session_members.c.session_number,
    sqlite_where=sa.text("left_ms IS NULL"),
    postgresql_where=sa.text("left_ms IS NULL"),
)

entries = table(
    "entries",
    serial("number"),
    text("id"),
    number("session_number"),
    number("place"),
    number("at_ms"),
    text("kind"),
    number("author_id", null=True),
    text("author", default=""),
    text("trust"),
    text("body"),
    text("named", default="[]"),
    text("data", default="{}"),
    text("in_reply_to", null=True),
    text("reply_key", null=True),
    sa.ForeignKeyConstraint(["session_number"], ["sessions.number"]),
    sa.ForeignKeyConstraint(["author_id"], ["participants.id"]),
    serial_key=True,
)
"""What was said in sessions. Its index of words, `entries_fts`, is kept by whoever writes here:
SQLite lets no trigger do it where the schema is not trusted. On PostgreSQL it is a plain table."""
sa.Index("uq_entries_id", entries.c.id, unique=True)
sa.Index("uq_entries_place", entries.c.session_number, entries.c.place, unique=True)
index_known("uq_entries_reply_key", entries.c.reply_key, unique=True)
ENTRIES_FTS = "entries_fts"
signins = table(
    "signins",
    key("code_hash"),
    number("participant_id"),
    number("created_ms"),
    number("expires_ms"),
    sa.ForeignKeyConstraint(["participant_id"], ["participants.id"]),
)

approvals = table(
    "approvals",
    serial("number"),
    text("id"),
    number("session_number"),
    text("entry_id"),
    number("asker_id"),
    text("run_id", null=True),
    text("title"),
    text("body", default=""),
    text("options"),
    text("who", default="[]"),
    text("on_expiry"),
    text("state"),
    text("answer", null=True),
    number("answered_by_id", null=True),
    text("note", default=""),
    text("reason", default=""),
    number("created_ms"),
    number("expires_ms"),
    number("due_ms", null=True),
    number("ended_ms", null=True),
    sa.ForeignKeyConstraint(["session_number"], ["sessions.number"]),
    sa.ForeignKeyConstraint(["asker_id"], ["participants.id"]),
    sa.ForeignKeyConstraint(["answered_by_id"], ["participants.id"]),
    serial_key=True,
)
"""What was asked of people first. `who` has the ids of those who may answer; none means anyone in
the session."""
sa.Index("uq_approvals_id", approvals.c.id, unique=True)
sa.Index("ix_approvals_session", approvals.c.session_number, approvals.c.number)
sa.Index("ix_approvals_asker", approvals.c.asker_id, approvals.c.number)
index_known("ix_approvals_due", approvals.c.due_ms)
index_known("ix_approvals_ended", approvals.c.ended_ms)

processes = table(
    "processes",
    key("id"),
    text("host"),
    number("pid"),
    number("started_ms"),
    number("heard_ms"),
    text("state", default="{}"),
)
"""The bus processes on this database, and what each of them holds now."""

leases = table("leases", key("name"), text("holder"), number("until_ms"))
"""What one process of all does at a time: by name, who, and until when unless it says so again."""
