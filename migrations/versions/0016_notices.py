"""Telling people who are away: where to, what waits for it, and what is on its way."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    make_people()
    make_targets()
    op.create_table(
        "notices",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("participant_id", sa.Integer(), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("count", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("sender_id", sa.Integer(), nullable=True),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.Integer(), nullable=False),
        sa.Column("seen_ms", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_notices"),
        sa.ForeignKeyConstraint(
            ["participant_id"], ["participants.id"], name="fk_notices_participant_id"
        ),
        sqlite_strict=True,
        sqlite_autoincrement=True,
    )
    op.create_index("uq_notices_about", "notices", ["participant_id", "about"], unique=True)
    op.create_table(
        "notice_sends",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("target_id", sa.Integer(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_ms", sa.Integer(), nullable=False),
        sa.Column("due_ms", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_notice_sends"),
        sa.ForeignKeyConstraint(
            ["target_id"], ["notice_targets.id"], name="fk_notice_sends_target_id"
        ),
        sqlite_strict=True,
    )
    op.create_index("ix_notice_sends_target", "notice_sends", ["target_id", "id"])


def make_people() -> None:
    """Make who is told, and when."""
    op.create_table(
        "notice_people",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("due_ms", sa.Integer(), nullable=True),
        sa.Column("window_ms", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("in_window", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_notice_people"),
        sa.ForeignKeyConstraint(["id"], ["participants.id"], name="fk_notice_people_id"),
        sqlite_strict=True,
    )
    known = sa.text("due_ms IS NOT NULL")
    op.create_index(
        "ix_notice_people_due",
        "notice_people",
        ["due_ms"],
        sqlite_where=known,
        postgresql_where=known,
    )


def make_targets() -> None:
    """Make where they are told, and how that went."""
    empty, none = sa.text("''"), sa.text("0")
    op.create_table(
        "notice_targets",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("participant_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), server_default=empty, nullable=False),
        sa.Column("secret", sa.Text(), server_default=empty, nullable=False),
        sa.Column("events", sa.Text(), nullable=False),
        sa.Column("previews", sa.Integer(), server_default=none, nullable=False),
        sa.Column("created_ms", sa.Integer(), nullable=False),
        sa.Column("ok_ms", sa.Integer(), nullable=True),
        sa.Column("error_ms", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), server_default=empty, nullable=False),
        sa.Column("failing_ms", sa.Integer(), nullable=True),
        sa.Column("told_ms", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_notice_targets"),
        sa.ForeignKeyConstraint(
            ["participant_id"], ["participants.id"], name="fk_notice_targets_participant_id"
        ),
        sqlite_strict=True,
        sqlite_autoincrement=True,
    )
    op.create_index(
        "uq_notice_targets_name", "notice_targets", ["participant_id", "name"], unique=True
    )


def downgrade() -> None:
    raise NotImplementedError("going back is restoring the backup that `bus migrate` made")
