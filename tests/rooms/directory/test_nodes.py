"""Nodes: given agents, enrolled by a code, removed."""

from __future__ import annotations

import pytest

from bus.access import service as access
from bus.directory import enrolment, nodes, queries, service
from bus.errors import (
    CodeExpiredError,
    CodeUsedError,
    ConflictError,
    InvalidRequestError,
    MixedCompartmentsError,
    NameTakenError,
    NotFoundError,
    OtherNodeError,
    UnauthorizedError,
)

NONCE = "n" * 32


def add_node(house, name="attic", agents=("bob",)):
    return house.write(nodes.add_node, name, list(agents), "")["code"]


def redeem(house, code, nonce=NONCE, **more):
    given = {
        "code": code,
        "nonce": nonce,
        "url": "http://bus.lan:8091",
        "instance": "i",
        "header_dir": "$HOME/.wakebus",
    }
    return house.write(enrolment.redeem, given | more)


def enter(house, token):
    return house.read(access.authenticate, house.config, f"Bearer {token}", "", "")


def test_a_node_makes_the_agents_that_are_not_there(house):
    add_node(house, agents=["bob", "winnie"])
    bob = house.read(service.find, "bob")
    assert bob.kind == "named"
    assert bob.node_id == house.read(service.find, "winnie").node_id is not None


def test_a_node_takes_an_agent_that_has_none(house):
    house.add("bob")
    add_node(house)
    assert house.read(service.find, "bob").node_id is not None


def test_a_node_does_not_take_an_agent_of_another(house):
    add_node(house)
    with pytest.raises(ConflictError, match="bus agent move"):
        add_node(house, "cellar")


def test_a_refused_node_leaves_nothing(house):
    add_node(house)
    with pytest.raises(ConflictError):
        add_node(house, "cellar", ["winnie", "bob"])
    assert house.read(service.find, "winnie") is None
    assert house.read(queries.node_named, "cellar") is None


def test_a_node_takes_no_person(house):
    house.add("alice", kind="person")
    with pytest.raises(InvalidRequestError):
        add_node(house, agents=["alice"])


def test_two_nodes_have_two_names(house):
    add_node(house)
    with pytest.raises(NameTakenError):
        add_node(house, agents=[])


def test_agents_of_different_compartments_do_not_share_a_node(house):
    house.add("bob")
    house.add("charlie", compartments=["shop"])
    with pytest.raises(MixedCompartmentsError):
        add_node(house, agents=["bob", "charlie"])


def test_sharing_one_compartment_is_not_enough_to_share_a_node(house):
    house.add("anna", compartments=["shop", "open"])
    house.add("bob")
    with pytest.raises(MixedCompartmentsError, match="use two nodes"):
        add_node(house, agents=["anna", "bob"])


def test_a_change_of_compartments_cannot_mix_a_node(house):
    add_node(house, agents=["bob", "winnie"])
    with pytest.raises(MixedCompartmentsError):
        house.write(service.change, "bob", {"compartments": ["shop"]})
    assert house.read(service.find, "bob").compartments == {"open"}


def test_a_code_gives_working_tokens(house):
    answer = redeem(house, add_node(house))
    assert enter(house, answer["token"]).name == "attic"
    assert [one["name"] for one in answer["agents"]] == ["bob"]
    assert enter(house, answer["agents"][0]["token"]).name == "bob"


@pytest.mark.parametrize("typed", [str.lower, lambda code: code.replace("-", "")])
def test_a_code_may_be_typed_in_any_case_and_without_dashes(house, typed):
    code = add_node(house)
    assert len(code) == 19
    assert redeem(house, typed(code))["node"] == "attic"


def test_a_lost_answer_can_be_asked_for_again(house):
    code = add_node(house)
    first = redeem(house, code)
    house.clock.advance(house.config.code_s * 2)
    again = redeem(house, code)
    assert first["token"] == again["token"]
    assert first["agents"] == again["agents"]
    assert enter(house, again["agents"][0]["token"]).name == "bob"


def test_a_used_code_is_nothing_to_another_machine(house):
    code = add_node(house)
    redeem(house, code)
    with pytest.raises(CodeUsedError):
        redeem(house, code, "m" * 32)


def test_a_code_expires(house):
    code = add_node(house)
    house.clock.advance(house.config.code_s)
    with pytest.raises(CodeExpiredError):
        redeem(house, code)


def test_an_unknown_code_is_not_found(house):
    with pytest.raises(NotFoundError):
        redeem(house, "AAAA-AAAA-AAAA-AAAA")


def test_a_new_code_voids_the_old_one(house):
    old = add_node(house)
    new = house.write(enrolment.make_code, "attic")["code"]
    with pytest.raises(NotFoundError):
        redeem(house, old)
    assert redeem(house, new)["node"] == "attic"


def test_a_new_enrolment_ends_the_tokens_of_the_old_one(house):
    old = redeem(house, add_node(house))
    new = redeem(house, house.write(enrolment.make_code, "attic")["code"])
    for token in (old["token"], old["agents"][0]["token"]):
        with pytest.raises(UnauthorizedError):
            enter(house, token)
    assert enter(house, new["agents"][0]["token"]).name == "bob"


def test_a_repeat_never_answers_with_tokens_that_do_not_work(house):
    code = add_node(house)
    redeem(house, code)
    redeem(house, house.write(enrolment.make_code, "attic")["code"], "m" * 32)
    with pytest.raises(CodeUsedError):
        redeem(house, code)


def test_a_repeat_gives_no_token_of_an_agent_that_came_later(house):
    code = add_node(house)
    redeem(house, code)
    house.add("winnie", node="attic")
    for agent in redeem(house, code)["agents"]:
        assert enter(house, agent["token"]).name == agent["name"]


def test_a_code_gives_nothing_of_an_agent_that_was_put_on_the_node_after_it(house):
    code = add_node(house)
    house.add("winnie", node="attic")
    assert [agent["name"] for agent in redeem(house, code)["agents"]] == ["bob"]
    later = house.write(enrolment.make_code, "attic")["code"]
    got = redeem(house, later, "m" * 32)["agents"]
    assert [agent["name"] for agent in got] == ["bob", "winnie"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "http://bus.lan/$(id)"},
        {"url": "ftp://bus.lan"},
        {"url": "http://bus.lan/\n"},
        {"header_dir": "/tmp/a b"},
        {"header_dir": "/tmp/`id`"},
        {"header_dir": "$(id)"},
        {"header_dir": ""},
        {"nonce": "short"},
    ],
)
def test_it_refuses_what_could_not_stand_in_a_command_and_keeps_the_code(house, wrong):
    code = add_node(house)
    with pytest.raises(InvalidRequestError):
        redeem(house, code, **wrong)
    assert redeem(house, code)["node"] == "attic"


def test_enrolment_sets_how_agents_reach_the_bus(house):
    redeem(house, add_node(house), header_dir="/srv/wakebus/")
    reach = house.read(service.reach, house.read(service.find, "bob").id, house.config)
    assert (reach.url, reach.header_path) == ("http://bus.lan:8091", "/srv/wakebus/bob.header")


def test_a_node_with_agents_is_removed_only_by_force(house):
    answer = redeem(house, add_node(house))
    with pytest.raises(ConflictError, match="bob"):
        house.write(nodes.remove_node, "attic", force=False)
    house.write(nodes.remove_node, "attic", force=True)
    assert house.read(service.find, "bob").node_id is None
    for token in (answer["token"], answer["agents"][0]["token"]):
        with pytest.raises(UnauthorizedError):
            enter(house, token)


def test_a_node_that_is_removed_can_hand_its_agents_on(house):
    add_node(house)
    house.write(nodes.add_node, "shed", [], "")
    with pytest.raises(ConflictError, match="its own agents"):
        house.write(nodes.remove_node, "attic", force=False, move_to="attic")
    with pytest.raises(NotFoundError):
        house.write(nodes.remove_node, "attic", force=False, move_to="cellar")
    house.write(nodes.remove_node, "attic", force=False, move_to="shed")
    bob = house.read(service.find, "bob")
    assert house.read(queries.node, bob.node_id).name == "shed"


def test_a_removed_nodes_code_is_nothing(house):
    code = add_node(house)
    house.write(nodes.remove_node, "attic", force=True)
    with pytest.raises(NotFoundError):
        redeem(house, code)


def test_a_moved_agents_old_machine_loses_its_token(house):
    answer = redeem(house, add_node(house))
    add_node(house, "cellar", [])
    house.write(service.change, "bob", {"node": "cellar"})
    with pytest.raises(UnauthorizedError):
        enter(house, answer["agents"][0]["token"])


def test_a_node_speaks_only_of_its_own_agents(house):
    add_node(house)
    add_node(house, "cellar", ["winnie"])
    cellar = house.read(service.find, "winnie").node_id
    said = {"bob": {"method": "hook", "why": ""}, "winnie": {"method": "cli", "why": "found"}}
    house.write(nodes.record_methods, cellar, "1.0", said)
    ids = [house.read(service.find, name).id for name in ("bob", "winnie")]
    assert [house.read(queries.participant, one).method for one in ids] == ["", "cli"]


def test_the_folder_of_another_node_spends_no_code_and_ends_no_token(house):
    token = redeem(house, add_node(house))["token"]
    code = add_node(house, "cellar", ["winnie"])
    with pytest.raises(OtherNodeError):
        redeem(house, code, present_node="attic")
    assert enter(house, token).kind == "node"
    assert redeem(house, code)["node"] == "cellar"


def test_a_unix_user_is_not_given_a_second_node_with_agents_of_other_compartments(house):
    house.add("charlie", compartments=["shop"])
    add_node(house)
    code = add_node(house, "cellar", ["charlie"])
    with pytest.raises(MixedCompartmentsError, match="a Unix user of its own"):
        redeem(house, code, neighbours=["attic"])
    assert redeem(house, code, neighbours=["nowhere", "cellar"])["node"] == "cellar"


def test_a_unix_user_may_have_two_nodes_of_the_same_compartments(house):
    add_node(house)
    code = add_node(house, "cellar", ["winnie"])
    assert redeem(house, code, neighbours=["attic"])["node"] == "cellar"


def test_a_renamed_node_is_enrolled_again_in_its_own_folder(house):
    redeem(house, add_node(house))
    house.write(nodes.rename_node, "attic", "loft")
    code = house.write(enrolment.make_code, "loft")["code"]
    assert redeem(house, code, present_node="attic")["node"] == "loft"
