"""Enrolment: a code is turned once into the tokens of a node, and of nobody else."""

from __future__ import annotations

import pytest

from bus.directory import enrolment, nodes, service
from bus.errors import (
    CodeExpiredError,
    CodeUsedError,
    InvalidRequestError,
    MixedCompartmentsError,
    NotFoundError,
    OtherNodeError,
    UnauthorizedError,
)


def test_a_code_gives_working_tokens(house):
    answer = house.redeem(house.add_node())
    assert house.enter(answer["token"]).name == "attic"
    assert [one["name"] for one in answer["agents"]] == ["bob"]
    assert house.enter(answer["agents"][0]["token"]).name == "bob"


@pytest.mark.parametrize("typed", [str.lower, lambda code: code.replace("-", "")])
def test_a_code_may_be_typed_in_any_case_and_without_dashes(house, typed):
    code = house.add_node()
    assert len(code) == 19
    assert house.redeem(typed(code))["node"] == "attic"


def test_a_lost_answer_can_be_asked_for_again(house):
    code = house.add_node()
    first = house.redeem(code)
    house.clock.advance(house.config.code_s * 2)
    again = house.redeem(code)
    assert first["token"] == again["token"]
    assert first["agents"] == again["agents"]
    assert house.enter(again["agents"][0]["token"]).name == "bob"


def test_a_used_code_is_nothing_to_another_machine(house):
    code = house.add_node()
    house.redeem(code)
    with pytest.raises(CodeUsedError):
        house.redeem(code, "m" * 32)


def test_a_code_expires(house):
    code = house.add_node()
    house.clock.advance(house.config.code_s)
    with pytest.raises(CodeExpiredError):
        house.redeem(code)


def test_an_unknown_code_is_not_found(house):
    with pytest.raises(NotFoundError):
        house.redeem("AAAA-AAAA-AAAA-AAAA")


def test_a_new_code_voids_the_old_one(house):
    old = house.add_node()
    new = house.write(enrolment.make_code, "attic")["code"]
    with pytest.raises(NotFoundError):
        house.redeem(old)
    assert house.redeem(new)["node"] == "attic"


def test_a_new_enrolment_ends_the_tokens_of_the_old_one(house):
    old = house.redeem(house.add_node())
    new = house.redeem(house.write(enrolment.make_code, "attic")["code"])
    for token in (old["token"], old["agents"][0]["token"]):
        with pytest.raises(UnauthorizedError):
            house.enter(token)
    assert house.enter(new["agents"][0]["token"]).name == "bob"


def test_a_repeat_never_answers_with_tokens_that_do_not_work(house):
    code = house.add_node()
    house.redeem(code)
    house.redeem(house.write(enrolment.make_code, "attic")["code"], "m" * 32)
    with pytest.raises(CodeUsedError):
        house.redeem(code)


def test_a_repeat_gives_no_token_of_an_agent_that_came_later(house):
    code = house.add_node()
    house.redeem(code)
    house.add("winnie", node="attic")
    for agent in house.redeem(code)["agents"]:
        assert house.enter(agent["token"]).name == agent["name"]


def test_a_code_gives_nothing_of_an_agent_that_was_put_on_the_node_after_it(house):
    code = house.add_node()
    house.add("winnie", node="attic")
    assert [agent["name"] for agent in house.redeem(code)["agents"]] == ["bob"]
    later = house.write(enrolment.make_code, "attic")["code"]
    got = house.redeem(later, "m" * 32)["agents"]
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
    code = house.add_node()
    with pytest.raises(InvalidRequestError):
        house.redeem(code, **wrong)
    assert house.redeem(code)["node"] == "attic"


def test_enrolment_sets_how_agents_reach_the_bus(house):
    house.redeem(house.add_node(), header_dir="/srv/wakebus/")
    reach = house.read(service.reach, house.read(service.find, "bob").id, house.config)
    assert (reach.url, reach.header_path) == ("http://bus.lan:8091", "/srv/wakebus/bob.header")


def test_a_removed_nodes_code_is_nothing(house):
    code = house.add_node()
    house.write(nodes.remove_node, "attic", force=True)
    with pytest.raises(NotFoundError):
        house.redeem(code)


def test_the_folder_of_another_node_spends_no_code_and_ends_no_token(house):
    token = house.redeem(house.add_node())["token"]
    code = house.add_node("cellar", ["winnie"])
    with pytest.raises(OtherNodeError):
        house.redeem(code, present_node="attic")
    assert house.enter(token).kind == "node"
    assert house.redeem(code)["node"] == "cellar"


def test_a_unix_user_is_not_given_a_second_node_with_agents_of_other_compartments(house):
    house.add("charlie", compartments=["shop"])
    house.add_node()
    code = house.add_node("cellar", ["charlie"])
    with pytest.raises(MixedCompartmentsError, match="a Unix user of its own"):
        house.redeem(code, neighbours=["attic"])
    assert house.redeem(code, neighbours=["nowhere", "cellar"])["node"] == "cellar"


def test_a_unix_user_may_have_two_nodes_of_the_same_compartments(house):
    house.add_node()
    code = house.add_node("cellar", ["winnie"])
    assert house.redeem(code, neighbours=["attic"])["node"] == "cellar"


def test_a_renamed_node_is_enrolled_again_in_its_own_folder(house):
    house.redeem(house.add_node())
    house.write(nodes.rename_node, "attic", "loft")
    code = house.write(enrolment.make_code, "loft")["code"]
    assert house.redeem(code, present_node="attic")["node"] == "loft"
