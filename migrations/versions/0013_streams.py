"""Durable streams: what they are, their bytes, and how far each of their producers has come."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "streams",
        sa.Column("place", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("session_id", sa.Text(), nullable=True),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("ttl_s", sa.Integer(), nullable=True),
        sa.Column("expires_ms", sa.Integer(), nullable=True),
        sa.Column("lease_s", sa.Integer(), nullable=True),
        sa.Column("source", sa.Integer(), nullable=True),
        sa.Column("fork_at", sa.Integer(), nullable=True),
        sa.Column("fork_sub", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("era", sa.Integer(), nullable=False),
        sa.Column("era_from", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("size", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_at", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_seq", sa.Text(), nullable=True),
        sa.Column("how", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("created_ms", sa.Integer(), nullable=False),
        sa.Column("touched_ms", sa.Integer(), nullable=False),
        sa.Column("heard_ms", sa.Integer(), nullable=False),
        sa.Column("closed_ms", sa.Integer(), nullable=True),
        sa.Column("deleted_ms", sa.Integer(), nullable=True),
        sa.Column("due_ms", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("place", name="pk_streams"),
        sa.ForeignKeyConstraint(["owner_id"], ["participants.id"], name="fk_streams_owner_id"),
        sqlite_strict=True,
        sqlite_autoincrement=True,
    )
    op.create_index("uq_streams_id", "streams", ["id"], unique=True)
    op.create_index("ix_streams_owner", "streams", ["owner_id"])
    for name, column in (("source", "source"), ("session", "session_id"), ("due", "due_ms")):
        known = sa.text(f"{column} IS NOT NULL")
        given = {"sqlite_where": known, "postgresql_where": known}
        op.create_index(f"ix_streams_{name}", "streams", [column], **given)
    make_of_a_stream("stream_chunks", sa.Column("at", sa.Integer(), nullable=False), "data")
    make_of_a_stream("stream_producers", sa.Column("producer", sa.Text(), nullable=False))


def make_of_a_stream(name: str, key: sa.Column, data: str = "") -> None:
    """Make a table of what belongs to a stream: its bytes, or its producers."""
    more = [sa.Column(number, sa.Integer(), nullable=False) for number in ("epoch", "seq")]
    op.create_table(
        name,
        sa.Column("stream", sa.Integer(), nullable=False),
        key,
        *([sa.Column(data, sa.LargeBinary(), nullable=False)] if data else more),
        sa.PrimaryKeyConstraint("stream", key.name, name=f"pk_{name}"),
        sa.ForeignKeyConstraint(["stream"], ["streams.place"], name=f"fk_{name}_stream"),
        sqlite_strict=True,
    )


def downgrade() -> None:
    raise NotImplementedError("going back is restoring the backup that `bus migrate` made")
