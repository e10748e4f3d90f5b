"""A lost administration token is replaced with the service stopped."""

from __future__ import annotations

import pytest

from bus.access import service
from bus.access.bootstrap import make_admin_token
from bus.errors import LockedError, UnauthorizedError
from bus.store import lock


def make(house, *, only_first: bool = False) -> str:
    kept: list[str] = []
    make_admin_token(house.config, kept.append, only_first=only_first)
    return "".join(kept)


def kind_of(house, token: str) -> str:
    return house.read(service.authenticate, house.config, f"Bearer {token}", "", "").kind


def test_it_makes_the_one_good_token(house):
    old = make(house)
    assert make_admin_token(house.config, [].append, only_first=True) is None
    assert kind_of(house, old) == "admin"
    new = make(house)
    assert kind_of(house, new) == "admin"
    with pytest.raises(UnauthorizedError):
        kind_of(house, old)


def test_a_disk_that_does_not_take_the_new_one_does_not_cost_the_old_one(house):
    old = make(house)

    def refuse(_token: str) -> None:
        raise OSError(28, "no space left on device")

    with pytest.raises(OSError, match="no space"):
        make_admin_token(house.config, refuse, only_first=False)
    assert kind_of(house, old) == "admin"


@pytest.mark.sqlite_only("the lock beside its file")
def test_it_refuses_while_a_bus_has_the_database(house):
    with lock.held(house.config.db_path), pytest.raises(LockedError):
        make(house)


@pytest.mark.sqlite_only("the lock beside its file")
def test_it_gives_the_lock_back(house):
    make(house)
    with lock.held(house.config.db_path):
        pass
