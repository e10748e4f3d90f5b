"""New tokens for old ones: both good for a while, and none for who was not asked."""

from __future__ import annotations

import hashlib

import pytest

from bus.access import rotation, service
from bus.access.model import Principal
from bus.directory import nodes
from bus.errors import ConflictError, InvalidRequestError, UnauthorizedError

ADMIN = Principal("admin", "admin", "k_none")
NEW = "wb_agent_" + "n" * 40


def hash_of(token):
    return hashlib.sha256(token.encode()).hexdigest()


def enter(house, token):
    return house.read(service.authenticate, house.config, f"Bearer {token}", "", "")


def rotate(house, kind, subject="", grace_s=60, *, is_here=False, who=ADMIN):
    return house.write(rotation.rotate, who, kind, subject, grace_s, is_here=is_here)


def renew(house, node=1, *, own="", **agents):
    return house.write(rotation.renew, node, own, agents)


@pytest.fixture
def placed(house):
    """A node with bob, and their tokens."""
    house.write(nodes.add_node, "attic", ["bob"], "")
    _, own = house.write(service.create_token_for, "node", "attic", "")
    _, bobs = house.write(service.create_token_for, "agent", "bob", "")
    return own, bobs


def test_the_old_one_goes_on_for_its_grace_and_then_ends(house):
    house.add("alice", kind="person")
    _, old = house.write(service.create_token_for, "person", "alice", "")
    new = rotate(house, "person", "alice")["token"]
    assert enter(house, old).name == enter(house, new).name == "alice"
    house.clock.advance(59)
    assert house.write(rotation.end_old) == 0
    house.clock.advance(1)
    assert house.write(rotation.end_old) == 1
    with pytest.raises(UnauthorizedError):
        enter(house, old)
    assert enter(house, new).name == "alice"


def test_a_second_rotation_does_not_lengthen_the_first(house):
    house.add("alice", kind="person")
    _, old = house.write(service.create_token_for, "person", "alice", "")
    rotate(house, "person", "alice", 60)
    rotate(house, "person", "alice", 6000)
    house.clock.advance(61)
    house.write(rotation.end_old)
    with pytest.raises(UnauthorizedError):
        enter(house, old)


@pytest.mark.parametrize("is_here", [True, False])
def test_a_second_rotation_in_haste_ends_what_the_first_left_long(house, placed, is_here):
    _, old = placed
    rotate(house, "agent", "bob", 86_400, is_here=True)
    rotate(house, "agent", "bob", 60, is_here=is_here)
    if not is_here:
        renew(house, bob=hash_of(NEW))
    house.clock.advance(61)
    house.write(rotation.end_old)
    with pytest.raises(UnauthorizedError):
        enter(house, old)


def test_the_administration_rotates_the_token_that_it_uses(house):
    first, _ = house.write(service.create_token, "admin")
    _, other = house.write(service.create_token, "admin")
    rotate(house, "admin", who=Principal("admin", "admin", first))
    house.clock.advance(61)
    house.write(rotation.end_old)
    assert enter(house, other).kind == "admin"


def test_an_agent_s_token_is_made_by_its_node_and_the_bus_hears_only_its_hash(house, placed):
    assert rotate(house, "agent", "bob") == {"by": "node", "node": "attic", "grace_s": 60}
    assert house.read(rotation.to_renew, 1) == {"node": False, "agents": ["bob"]}
    assert renew(house, bob=hash_of(NEW)) == ["bob"]
    assert enter(house, NEW).name == enter(house, placed[1]).name == "bob"
    assert house.read(rotation.to_renew, 1) == {"node": False, "agents": []}


def test_an_agent_s_token_can_be_made_here(house, placed):
    assert enter(house, rotate(house, "agent", "bob", is_here=True)["token"]).name == "bob"


def test_a_lost_answer_costs_nothing(house, placed):
    rotate(house, "agent", "bob")
    renew(house, bob=hash_of(NEW))
    assert renew(house, bob=hash_of(NEW)) == ["bob"]
    assert len(house.read(service.list_tokens)) == 3


def test_a_node_makes_no_token_that_nobody_asked_for(house, placed):
    with pytest.raises(ConflictError, match="nobody asked"):
        renew(house, bob=hash_of(NEW))
    with pytest.raises(ConflictError, match="nobody asked"):
        renew(house, own=hash_of(NEW))
    rotate(house, "agent", "bob")
    renew(house, bob=hash_of(NEW))
    with pytest.raises(ConflictError, match="nobody asked"):
        renew(house, bob=hash_of(NEW + "x"))


def test_a_node_makes_no_token_for_an_agent_of_another(house, placed):
    house.write(nodes.add_node, "shed", ["dora"], "")
    house.write(service.create_token_for, "agent", "dora", "")
    rotate(house, "agent", "dora")
    with pytest.raises(ConflictError, match="no agent of this node"):
        renew(house, dora=hash_of(NEW))


def test_one_token_is_not_two_agents(house, placed):
    house.add("carl", node="attic")
    house.write(service.create_token_for, "agent", "carl", "")
    for name in ("bob", "carl"):
        rotate(house, "agent", name)
    renew(house, bob=hash_of(NEW))
    with pytest.raises(ConflictError):
        renew(house, carl=hash_of(NEW))


@pytest.mark.parametrize("wrong", ["", "short", NEW, "G" * 64])
def test_what_is_no_hash_is_refused(house, placed, wrong):
    rotate(house, "agent", "bob")
    with pytest.raises(InvalidRequestError):
        renew(house, bob=wrong)


def test_the_first_use_of_a_node_s_new_token_ends_the_old_one(house, placed):
    rotate(house, "node", "attic")
    new = "wb_node_" + "n" * 40
    renew(house, own=hash_of(new))
    assert enter(house, placed[0]).kind == "node"
    house.write(rotation.note_use, enter(house, placed[0]).token_id)
    assert enter(house, placed[0]).kind == "node", "its own use ends nothing"
    house.write(rotation.note_use, enter(house, new).token_id)
    with pytest.raises(UnauthorizedError):
        enter(house, placed[0])


def test_a_revocation_ends_a_renewal_that_was_asked_for(house, placed):
    rotate(house, "agent", "bob")
    house.write(service.revoke_token, enter(house, placed[1]).token_id)
    with pytest.raises(ConflictError):
        renew(house, bob=hash_of(NEW))


def test_who_has_no_token_has_none_to_rotate(house):
    house.add("bob")
    with pytest.raises(ConflictError, match="bus token new"):
        rotate(house, "agent", "bob")


def test_the_secret_before_is_taken_beside_the_new_one(house):
    import dataclasses  # noqa: PLC0415 - for this one

    house.add("bob")
    old, new = house.config.shared_secret, "another long secret of it"
    both = dataclasses.replace(house.config, shared_secret=new, shared_secret_before=old)
    for secret in (old, new):
        assert house.read(service.authenticate, both, "", secret, "bob").name == "bob"
    with pytest.raises(UnauthorizedError):
        house.read(service.authenticate, house.config, "", new, "bob")
