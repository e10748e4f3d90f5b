"""Sessions: who is in each, what was said there, and an index of its words."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

WORDS = """
CREATE VIRTUAL TABLE entries_fts USING fts5(
    session_number, body,
    content='entries', content_rowid='number', tokenize='unicode61 remove_diacritics 2'
)
"""
"""A session's number is a word, too: so a search reads of the index what is its reader's."""


def upgrade() -> None:
    op.create_table(
        "sessions",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("thread", sa.Text(), nullable=False),
        sa.Column("creator_id", sa.Integer(), nullable=False),
        sa.Column("place", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_ms", sa.Integer(), nullable=False),
        sa.Column("changed_ms", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_sessions"),
        sa.ForeignKeyConstraint(["creator_id"], ["participants.id"], name="fk_sessions_creator_id"),
        sqlite_strict=True,
        sqlite_autoincrement=True,
    )
    op.create_index("uq_sessions_id", "sessions", ["id"], unique=True)
    make_members()
    make_entries()
    op.execute(WORDS)


def make_members() -> None:
    """Make who is in each session."""
    op.create_table(
        "session_members",
        sa.Column("session_number", sa.Integer(), nullable=False),
        sa.Column("participant_id", sa.Integer(), nullable=False),
        sa.Column("wake", sa.Text(), nullable=False),
        sa.Column("cursor", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("joined_ms", sa.Integer(), nullable=False),
        sa.Column("left_ms", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("session_number", "participant_id", name="pk_session_members"),
        sa.ForeignKeyConstraint(
            ["session_number"], ["sessions.number"], name="fk_session_members_session_number"
        ),
        sa.ForeignKeyConstraint(
            ["participant_id"], ["participants.id"], name="fk_session_members_participant_id"
        ),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_session_members_participant",
        "session_members",
        ["participant_id", "session_number"],
        sqlite_where=sa.text("left_ms IS NULL"),
        postgresql_where=sa.text("left_ms IS NULL"),
    )


def make_entries() -> None:
    """Make what was said."""
    op.create_table(
        "entries",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("session_number", sa.Integer(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("at_ms", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("author_id", sa.Integer(), nullable=True),
        sa.Column("author", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("trust", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("named", sa.Text(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("data", sa.Text(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("in_reply_to", sa.Text(), nullable=True),
        sa.Column("reply_key", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("number", name="pk_entries"),
        sa.ForeignKeyConstraint(
            ["session_number"], ["sessions.number"], name="fk_entries_session_number"
        ),
        sa.ForeignKeyConstraint(["author_id"], ["participants.id"], name="fk_entries_author_id"),
        sqlite_strict=True,
        sqlite_autoincrement=True,
    )
    op.create_index("uq_entries_id", "entries", ["id"], unique=True)
    op.create_index("uq_entries_place", "entries", ["session_number", "place"], unique=True)
    known = sa.text("reply_key IS NOT NULL")
    op.create_index(
        "uq_entries_reply_key",
        "entries",
        ["reply_key"],
        unique=True,
        sqlite_where=known,
        postgresql_where=known,
    )


def downgrade() -> None:
    raise NotImplementedError("going back is restoring the backup that `bus migrate` made")
