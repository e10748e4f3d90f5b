"""Approvals: what agents asked people first, and what came of it; and the session of a run."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "approvals",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("session_number", sa.Integer(), nullable=False),
        sa.Column("entry_id", sa.Text(), nullable=False),
        sa.Column("asker_id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("options", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("on_expiry", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("answered_by_id", sa.Integer(), nullable=True),
        sa.Column("note", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("reason", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("created_ms", sa.Integer(), nullable=False),
        sa.Column("expires_ms", sa.Integer(), nullable=False),
        sa.Column("due_ms", sa.Integer(), nullable=True),
        sa.Column("ended_ms", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("number", name="pk_approvals"),
        sa.ForeignKeyConstraint(
            ["session_number"], ["sessions.number"], name="fk_approvals_session_number"
        ),
        sa.ForeignKeyConstraint(["asker_id"], ["participants.id"], name="fk_approvals_asker_id"),
        sa.ForeignKeyConstraint(
            ["answered_by_id"], ["participants.id"], name="fk_approvals_answered_by_id"
        ),
        sqlite_strict=True,
        sqlite_autoincrement=True,
    )
    op.create_index("uq_approvals_id", "approvals", ["id"], unique=True)
    op.create_index("ix_approvals_session", "approvals", ["session_number", "number"])
    op.create_index("ix_approvals_asker", "approvals", ["asker_id", "number"])
    for name in ("due_ms", "ended_ms"):
        known = sa.text(f"{name} IS NOT NULL")
        op.create_index(
            f"ix_approvals_{name.removesuffix('_ms')}",
            "approvals",
            [name],
            sqlite_where=known,
            postgresql_where=known,
        )
    add_sessions_of_runs()


def add_sessions_of_runs() -> None:
    """Add to runs in which session they began, and the entry there that tells of their end."""
    op.add_column("runs", sa.Column("session_id", sa.Text(), nullable=True))
    op.add_column("runs", sa.Column("entry_id", sa.Text(), nullable=True))
    known = sa.text("session_id IS NOT NULL")
    op.create_index(
        "ix_runs_session", "runs", ["session_id"], sqlite_where=known, postgresql_where=known
    )


def downgrade() -> None:
    raise NotImplementedError("going back is restoring the backup that `bus migrate` made")
