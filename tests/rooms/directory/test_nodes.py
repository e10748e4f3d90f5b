"""Nodes: given agents, moved, removed."""

from __future__ import annotations

import pytest

from bus.directory import nodes, queries, service
from bus.errors import (
    ConflictError,
    InvalidRequestError,
    MixedCompartmentsError,
    NameTakenError,
    NotFoundError,
    UnauthorizedError,
)


def test_a_node_makes_the_agents_that_are_not_there(house):
    house.add_node(agents=["bob", "winnie"])
    bob = house.read(service.find, "bob")
    assert bob.kind == "named"
    assert bob.node_id == house.read(service.find, "winnie").node_id is not None


def test_a_node_takes_an_agent_that_has_none(house):
    house.add("bob")
    house.add_node()
    assert house.read(service.find, "bob").node_id is not None


def test_a_node_does_not_take_an_agent_of_another(house):
    house.add_node()
    with pytest.raises(ConflictError, match="bus agent move"):
        house.add_node("cellar")


def test_a_refused_node_leaves_nothing(house):
    house.add_node()
    with pytest.raises(ConflictError):
        house.add_node("cellar", ["winnie", "bob"])
    assert house.read(service.find, "winnie") is None
    assert house.read(queries.node_named, "cellar") is None


def test_a_node_takes_no_person(house):
    house.add("alice", kind="person")
    with pytest.raises(InvalidRequestError):
        house.add_node(agents=["alice"])


def test_two_nodes_have_two_names(house):
    house.add_node()
    with pytest.raises(NameTakenError):
        house.add_node(agents=[])


def test_agents_of_different_compartments_do_not_share_a_node(house):
    house.add("bob")
    house.add("charlie", compartments=["shop"])
    with pytest.raises(MixedCompartmentsError):
        house.add_node(agents=["bob", "charlie"])


def test_sharing_one_compartment_is_not_enough_to_share_a_node(house):
    house.add("anna", compartments=["shop", "open"])
    house.add("bob")
    with pytest.raises(MixedCompartmentsError, match="use two nodes"):
        house.add_node(agents=["anna", "bob"])


def test_a_change_of_compartments_cannot_mix_a_node(house):
    house.add_node(agents=["bob", "winnie"])
    with pytest.raises(MixedCompartmentsError):
        house.write(service.change, "bob", {"compartments": ["shop"]})
    assert house.read(service.find, "bob").compartments == {"open"}


def test_a_node_with_agents_is_removed_only_by_force(house):
    answer = house.redeem(house.add_node())
    with pytest.raises(ConflictError, match="bob"):
        house.write(nodes.remove_node, "attic", force=False)
    house.write(nodes.remove_node, "attic", force=True)
    assert house.read(service.find, "bob").node_id is None
    for token in (answer["token"], answer["agents"][0]["token"]):
        with pytest.raises(UnauthorizedError):
            house.enter(token)


def test_a_node_that_is_removed_can_hand_its_agents_on(house):
    house.add_node()
    house.write(nodes.add_node, "shed", [], "")
    with pytest.raises(ConflictError, match="its own agents"):
        house.write(nodes.remove_node, "attic", force=False, move_to="attic")
    with pytest.raises(NotFoundError):
        house.write(nodes.remove_node, "attic", force=False, move_to="cellar")
    house.write(nodes.remove_node, "attic", force=False, move_to="shed")
    bob = house.read(service.find, "bob")
    assert house.read(queries.node, bob.node_id).name == "shed"


def test_a_moved_agents_old_machine_loses_its_token(house):
    answer = house.redeem(house.add_node())
    house.add_node("cellar", [])
    house.write(service.change, "bob", {"node": "cellar"})
    with pytest.raises(UnauthorizedError):
        house.enter(answer["agents"][0]["token"])


def test_a_node_speaks_only_of_its_own_agents(house):
    house.add_node()
    house.add_node("cellar", ["winnie"])
    cellar = house.read(service.find, "winnie").node_id
    said = {"bob": {"method": "hook", "why": ""}, "winnie": {"method": "cli", "why": "found"}}
    house.write(nodes.record_methods, cellar, "1.0", said)
    ids = [house.read(service.find, name).id for name in ("bob", "winnie")]
    assert [house.read(queries.participant, one).method for one in ids] == ["", "cli"]
