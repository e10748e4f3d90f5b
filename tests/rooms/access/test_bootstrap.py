"""A lost administration token is replaced with the service stopped."""

from __future__ import annotations

import os

import pytest

from bus.access import service
from bus.access.bootstrap import make_admin_token
from bus.errors import LockedError, UnauthorizedError
from bus.store.lock import take_lock


def test_it_makes_the_one_good_token(house):
    old = make_admin_token(house.config)
    new = make_admin_token(house.config)
    found = house.read(service.authenticate, house.config, f"Bearer {new}", "", "")
    assert found.kind == "admin"
    with pytest.raises(UnauthorizedError):
        house.read(service.authenticate, house.config, f"Bearer {old}", "", "")


def test_it_refuses_while_a_bus_has_the_database(house):
    lock = take_lock(house.config.db_path)
    try:
        with pytest.raises(LockedError):
            make_admin_token(house.config)
    finally:
        os.close(lock)


def test_it_gives_the_lock_back(house):
    make_admin_token(house.config)
    os.close(take_lock(house.config.db_path))
