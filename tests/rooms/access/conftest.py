"""A migrated database, and a way to write to it, for the use cases of access."""

from __future__ import annotations

import pytest

from tests.rooms.onestore import OneStore, running

SHARED_SECRET = "a household's long secret"


@pytest.fixture
def house(tmp_path):
    with running(OneStore, tmp_path / "data", shared_secret=SHARED_SECRET) as one:
        yield one
