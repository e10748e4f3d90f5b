"""Background runs: each with its ladder and its long texts, and the groups that report once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0005"
branch_labels = None
depends_on = None


def number(name: str, *, null: bool = False, default: int | None = None) -> sa.Column[int]:
    """Make an integer column."""
    given = None if default is None else sa.text(str(default))
    return sa.Column(name, sa.Integer(), nullable=null, server_default=given)


def text(name: str, *, null: bool = False, default: str | None = None) -> sa.Column[str]:
    """Make a text column."""
    given = None if default is None else sa.text(f"'{default}'")
    return sa.Column(name, sa.Text(), nullable=null, server_default=given)


def serial(name: str) -> sa.Column[int]:
    """Make a key whose numbers are never given twice."""
    return sa.Column(name, sa.Integer(), autoincrement=True, nullable=False)


def index(
    name: str, table: str, columns: list[str], where: str = "", *, unique: bool = False
) -> None:
    """Make an index, of only some rows where that is said."""
    some = sa.text(where) if where else None
    op.create_index(name, table, columns, unique=unique, sqlite_where=some, postgresql_where=some)


def upgrade() -> None:
    op.create_table(
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
        sa.PrimaryKeyConstraint("place", name=op.f("pk_runs")),
        sa.ForeignKeyConstraint(["parent_id"], ["participants.id"], name=op.f("fk_runs_parent_id")),
        sa.ForeignKeyConstraint(["worker_id"], ["participants.id"], name=op.f("fk_runs_worker_id")),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    index("uq_runs_id", "runs", ["id"], unique=True)
    index("ix_runs_parent", "runs", ["parent_id", "place"])
    index("ix_runs_worker", "runs", ["worker_id", "place"])
    index("ix_runs_children", "runs", ["parent_id", "place"], "ended_ms IS NULL")
    index("ix_runs_waiting", "runs", ["worker_id", "place"], "waits = 1")
    index("ix_runs_output", "runs", ["worker_id", "output"], "ended_ms IS NULL")
    index("ix_runs_taken", "runs", ["worker_id", "place"], "waits = 0 AND ended_ms IS NULL")
    index("ix_runs_group", "runs", ["group_id"], "group_id IS NOT NULL")
    index("ix_runs_due", "runs", ["due_ms"], "due_ms IS NOT NULL")
    index("ix_runs_ended", "runs", ["ended_ms"], "ended_ms IS NOT NULL")
    op.create_table(
        "run_texts",
        sa.Column("place", sa.Integer(), nullable=False),
        text("task"),
        text("output", default=""),
        text("verify_output", default=""),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_run_texts")),
        sa.ForeignKeyConstraint(["place"], ["runs.place"], name=op.f("fk_run_texts_place")),
        sqlite_autoincrement=False,
        sqlite_strict=True,
    )
    op.create_table(
        "run_ladder",
        serial("id"),
        number("place"),
        number("at_ms"),
        text("state"),
        text("reason", default=""),
        number("claim", default=0),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run_ladder")),
        sa.ForeignKeyConstraint(["place"], ["runs.place"], name=op.f("fk_run_ladder_place")),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    index("ix_run_ladder_place", "run_ladder", ["place", "id"])
    op.create_table(
        "run_groups",
        text("id"),
        number("parent_id"),
        text("report"),
        number("open"),
        number("reported_ms", null=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run_groups")),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["participants.id"], name=op.f("fk_run_groups_parent_id")
        ),
        sqlite_autoincrement=False,
        sqlite_strict=True,
    )


def downgrade() -> None:
    raise NotImplementedError("going back is restoring the backup that `bus migrate` made")
