"""Papers that were found good are not looked up again, and are worth nothing once they end."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from bus.access import service as access
from bus.errors import UnauthorizedError
from bus.live.hub import Hub
from bus.web import papers
from bus.web.papers import Known, Papers


class Counted:
    """A store that counts how often it is read, and lets something happen before that is over."""

    def __init__(self, store):
        self._store, self.reads, self.then = store, 0, lambda: None

    @contextmanager
    def read(self):
        self.reads += 1
        with self._store.read() as conn:
            yield conn
        self.then()


@pytest.fixture
def hub():
    return Hub()


@pytest.fixture
def store(house):
    return Counted(house.store)


@pytest.fixture
def known(store, hub):
    return Known(store, hub)


@pytest.fixture
def alice(house):
    one = house.add("alice")
    return house.write(access.create_token, "agent", participant_id=one.id)


@pytest.fixture
def bearer(house):
    return lambda token: Papers(house.config, f"Bearer {token}", "", "")


@pytest.fixture
def revoke(house, hub):
    """End a token, and tell the hub what its transaction tells."""

    def end(token_id):
        house.topics.clear()
        house.write(access.revoke_token, token_id)
        hub.look_again(house.topics)

    return end


def test_a_token_is_looked_up_once_as_long_as_no_rights_change(known, store, hub, alice, bearer):
    first = known.find(bearer(alice[1]))
    hub.look_again({"somebody's mail"})
    assert known.find(bearer(alice[1])) == first
    assert (first.name, store.reads) == ("alice", 1)


def test_a_token_that_was_revoked_is_refused_however_often_it_was_good(
    known, alice, bearer, revoke
):
    for _ in range(3):
        known.find(bearer(alice[1]))
    revoke(alice[0])
    with pytest.raises(UnauthorizedError):
        known.find(bearer(alice[1]))


def test_a_token_that_ends_while_it_is_looked_up_is_not_taken_for_a_good_one(
    known, store, alice, bearer, revoke
):
    store.then = lambda: revoke(alice[0])
    known.find(bearer(alice[1]))
    store.then = lambda: None
    with pytest.raises(UnauthorizedError):
        known.find(bearer(alice[1]))


def test_what_was_refused_is_looked_up_each_time(known, store, bearer):
    for _ in range(2):
        with pytest.raises(UnauthorizedError):
            known.find(bearer("wb_agent_NOTONE"))
    assert store.reads == 2


def test_who_comes_by_the_household_s_secret_is_known_by_secret_and_name(known, house):
    config, secret = house.config, house.config.shared_secret
    for name in ("bob", "carol"):
        house.add(name)
    asked = [Papers(config, "", secret, name) for name in ("bob", "carol", "bob")]
    assert [known.find(one).name for one in asked] == ["bob", "carol", "bob"]
    for wrong in (Papers(config, "", "another", "bob"), Papers(config, "", secret, "nobody")):
        with pytest.raises(UnauthorizedError):
            known.find(wrong)


def test_no_secret_stays_in_memory_for_it_and_it_has_an_end(known, alice, bearer, monkeypatch):
    monkeypatch.setattr(papers, "MOST_KNOWN", 2)
    for spaces in range(5):
        known.find(bearer(" " * spaces + alice[1]))
    kept = vars(known)["_found"]
    assert 0 < len(kept) <= 2
    assert alice[1] not in repr(kept)
