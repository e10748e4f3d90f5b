"""The household's shared secret serves only agents that have nothing of their own."""

from __future__ import annotations

import pytest

from bus.access import service
from bus.directory import service as directory
from bus.errors import ConflictError, UnauthorizedError


def enter(house, agent, secret=None):
    secret = house.config.shared_secret if secret is None else secret
    return house.read(service.authenticate, house.config, "", secret, agent)


def test_it_lets_an_agent_in_and_marks_it(house):
    house.add("bob")
    principal = enter(house, "bob")
    assert (principal.kind, principal.trust) == ("agent", "shared-secret")


def test_it_refuses_another_secret(house):
    house.add("bob")
    with pytest.raises(UnauthorizedError):
        enter(house, "bob", "another secret")


def test_it_refuses_a_secret_that_is_not_ascii_as_any_wrong_one(house):
    house.add("bob")
    with pytest.raises(UnauthorizedError):
        enter(house, "bob", "sécrèt")


@pytest.mark.parametrize("name", ["", "nobody", "admin"])
def test_it_refuses_a_name_that_is_no_agent(house, name):
    with pytest.raises(UnauthorizedError):
        enter(house, name)


def test_it_refuses_a_person(house):
    house.add("alice", kind="person")
    with pytest.raises(UnauthorizedError):
        enter(house, "alice")


def test_it_refuses_an_agent_with_a_token_also_when_that_is_revoked(house):
    bob = house.add("bob")
    token_id, _ = house.write(service.create_token, "agent", participant_id=bob.id)
    with pytest.raises(UnauthorizedError, match="use its token"):
        enter(house, "bob")
    house.write(service.revoke_token, token_id)
    with pytest.raises(UnauthorizedError, match="or had, a token"):
        enter(house, "bob")


@pytest.mark.parametrize("compartments", [["family"], ["family", "open"]])
def test_it_refuses_an_agent_of_a_compartment(house, compartments):
    house.add("charlie", compartments=compartments)
    with pytest.raises(UnauthorizedError):
        enter(house, "charlie")


def test_a_bearer_token_wins_over_it(house):
    house.add("bob")
    secret = house.config.shared_secret
    with pytest.raises(UnauthorizedError):
        house.read(service.authenticate, house.config, "Bearer no", secret, "bob")


def test_it_serves_an_agent_again_only_where_that_is_said(house):
    bob = house.add("bob")
    token_id, _ = house.write(service.create_token, "agent", participant_id=bob.id)
    with pytest.raises(ConflictError, match="revoke it first"):
        house.write(directory.change, "bob", {"shared_secret": True})
    house.write(service.revoke_token, token_id)
    house.write(directory.change, "bob", {"shared_secret": True})
    assert enter(house, "bob").trust == "shared-secret"


def test_an_agent_can_be_kept_from_it(house):
    house.add("bob")
    house.write(directory.change, "bob", {"shared_secret": False})
    with pytest.raises(UnauthorizedError):
        enter(house, "bob")


def test_a_new_agent_of_an_old_name_has_nothing_of_the_old_one(house):
    bob = house.add("bob")
    _, token = house.write(service.create_token, "agent", participant_id=bob.id)
    house.write(directory.remove, "bob")
    house.add("bob")
    with pytest.raises(UnauthorizedError):
        house.read(service.authenticate, house.config, f"Bearer {token}", "", "")
    assert enter(house, "bob").participant_id != bob.id
