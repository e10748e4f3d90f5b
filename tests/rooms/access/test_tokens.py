"""Tokens: whose they are, how they end, what is kept of them."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from bus.access import service
from bus.directory import nodes
from bus.errors import NotFoundError, UnauthorizedError
from bus.store.schema import tokens
from bus.store.transaction import token_topic


def enter(house, authorization="", secret="", agent=""):
    return house.read(service.authenticate, house.config, authorization, secret, agent)


def holds(conn, token_id):
    """Say whether a token would still let somebody in."""
    return any(one["id"] == token_id and not one["revoked_ms"] for one in service.list_tokens(conn))


def token_for(house, name):
    one = house.add(name)
    return one, *house.write(service.create_token, "agent", participant_id=one.id)


def test_a_token_lets_its_agent_in(house):
    bob, token_id, token = token_for(house, "bob")
    principal = enter(house, f"Bearer {token}")
    assert (principal.kind, principal.name, principal.id) == ("agent", "bob", f"agent:{bob.id}")
    assert (principal.token_id, principal.trust) == (token_id, "peer")
    assert principal.compartments == {"open"}


def test_a_person_is_trusted_as_a_person(house):
    alice = house.add("alice", kind="person")
    _, token = house.write(service.create_token, "person", participant_id=alice.id)
    assert enter(house, f"Bearer {token}").trust == "person"


def test_a_node_and_the_administration_have_tokens_of_their_own(house):
    house.write(nodes.add_node, "attic", [], "")
    _, node = house.write(service.create_token, "node", node_id=1)
    admin_id, admin = house.write(service.create_token, "admin")
    assert enter(house, f"Bearer {node}").id == "node:1"
    assert enter(house, f"Bearer {admin}").id == f"admin:{admin_id}"
    assert node.startswith("wb_node_")
    assert admin.startswith("wb_admin_")


def test_the_database_holds_no_token(house):
    _, _, token = token_for(house, "bob")
    rows = house.read(lambda conn: conn.execute(sa.select(tokens)).all())
    assert token not in str(rows)
    assert token not in str(house.read(service.list_tokens))


@pytest.mark.parametrize("header", ["wb_agent_x", "Basic abc", "Bearer", "Bearer ", "Bearer no"])
def test_it_refuses_what_is_not_a_good_bearer_token(house, header):
    with pytest.raises(UnauthorizedError):
        enter(house, header)


def test_it_refuses_a_request_with_nothing(house):
    with pytest.raises(UnauthorizedError, match="Authorization"):
        enter(house)


def test_a_revoked_token_is_out_and_its_streams_look_again(house):
    _, token_id, token = token_for(house, "bob")
    house.write(service.revoke_token, token_id)
    assert token_topic(token_id) in house.topics
    assert not house.read(holds, token_id)
    with pytest.raises(UnauthorizedError, match="revoked"):
        enter(house, f"Bearer {token}")


def test_a_token_is_revoked_once(house):
    _, token_id, _ = token_for(house, "bob")
    house.write(service.revoke_token, token_id)
    with pytest.raises(NotFoundError):
        house.write(service.revoke_token, token_id)


def test_revoking_all_of_one_leaves_the_others(house):
    bob, bobs, _ = token_for(house, "bob")
    _, charlies, _ = token_for(house, "charlie")
    house.write(service.revoke_all_of, participant_id=bob.id)
    assert not house.read(holds, bobs)
    assert house.read(holds, charlies)


def test_revoking_all_of_nobody_revokes_nothing(house):
    _, token_id, _ = token_for(house, "bob")
    house.write(service.revoke_all_of)
    assert house.read(holds, token_id)


def test_a_new_administration_token_ends_the_old_ones(house):
    old = house.write(service.replace_admin_token)
    new = house.write(service.replace_admin_token)
    assert enter(house, f"Bearer {new}").kind == "admin"
    with pytest.raises(UnauthorizedError):
        enter(house, f"Bearer {old}")
