"""What a PostgreSQL says by its SQLSTATE, in the bus's own words."""

from __future__ import annotations

import pytest
from psycopg import errors

from bus.store.failing import words_of


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (errors.OperationalError, "the database cannot be reached"),
        (errors.ConnectionFailure, "the database cannot be reached"),
        (errors.ProtocolViolation, "the database cannot be reached"),  # a pooler without a server
        (errors.DiskFull, "the database's disk is full"),
        (errors.AdminShutdown, "the database is being restarted"),
        (errors.UniqueViolation, None),
    ],
)
def test_a_database_that_cannot_be_used_is_told_from_a_statement_that_was_wrong(error, words):
    assert words_of(error("said")) == words
