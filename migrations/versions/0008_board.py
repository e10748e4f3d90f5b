"""The board: tasks and their history; who is a lead; whose compartment a fact of the log is of."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

PEOPLE = ("creator_id", "holder_id", "lead_id", "reviewer_id", "blocker_id")


def upgrade() -> None:
    op.add_column(
        "participants", sa.Column("lead", sa.Integer(), nullable=False, server_default="0")
    )
    op.add_column("log", sa.Column("compartment", sa.Text(), nullable=True))
    index_known("ix_log_compartment", "log", "compartment", "seq")
    make_tasks()
    make_history()


def make_tasks() -> None:
    """Make the cards, found by compartment and status, and by who holds, leads or reviews them."""
    op.create_table(
        "tasks",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("compartment", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("blocked_from", sa.Text(), nullable=True),
        sa.Column("ops", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("creator_id", sa.Integer(), nullable=False),
        sa.Column("holder_id", sa.Integer(), nullable=True),
        sa.Column("lead_id", sa.Integer(), nullable=True),
        sa.Column("reviewer_id", sa.Integer(), nullable=True),
        sa.Column("blocker_id", sa.Integer(), nullable=True),
        sa.Column("created_ms", sa.Integer(), nullable=False),
        sa.Column("changed_ms", sa.Integer(), nullable=False),
        sa.Column("refreshed_ms", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_tasks"),
        *(
            sa.ForeignKeyConstraint([name], ["participants.id"], name=f"fk_tasks_{name}")
            for name in PEOPLE
        ),
        sqlite_strict=True,
    )
    op.create_index("ix_tasks_status", "tasks", ["compartment", "status", "id"])
    for whose in ("holder", "lead", "reviewer"):
        index_known(f"ix_tasks_{whose}", "tasks", f"{whose}_id", "compartment", "status", "id")


def make_history() -> None:
    """Make what was done with each card and said of it."""
    op.create_table(
        "task_history",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("task_id", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("by_id", sa.Integer(), nullable=True),
        sa.Column("text", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("message_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_task_history"),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name="fk_task_history_task_id"),
        sa.ForeignKeyConstraint(["by_id"], ["participants.id"], name="fk_task_history_by_id"),
        sqlite_strict=True,
    )
    op.create_index("ix_task_history_task", "task_history", ["task_id", "id"])


def index_known(name: str, table: str, *columns: str) -> None:
    """Index the rows that have a value in the first column."""
    known = sa.text(f"{columns[0]} IS NOT NULL")
    op.create_index(name, table, list(columns), sqlite_where=known, postgresql_where=known)


def downgrade() -> None:
    raise NotImplementedError("going back is restoring the backup that `bus migrate` made")
