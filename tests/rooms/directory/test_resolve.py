"""Who is meant by an address."""

from __future__ import annotations

import pytest

from bus.access.model import Principal
from bus.directory import service
from bus.errors import UnknownRecipientError

ME = Principal("agent", "me-agent", "", 99, compartments=frozenset({"open"}))


def resolve(house, address, principal=ME):
    found = house.read(service.resolve, principal, address)
    return found.kind, [one.name for one in found.participants]


def refusal(house, address):
    with pytest.raises(UnknownRecipientError) as error:
        resolve(house, address)
    return error.value.detail


def test_a_name_is_one(house):
    house.add("bob")
    assert resolve(house, "bob") == ("one", ["bob"])


def test_a_worker_has_an_address(house):
    house.add("digger", kind="worker")
    assert resolve(house, "digger") == ("one", ["digger"])


def test_a_session_key_is_its_agent(house):
    house.add("pm", session_key="agent:pm-frankel:main")
    assert resolve(house, "agent:pm-frankel:main") == ("one", ["pm"])


def test_a_session_key_that_nobody_has_is_read_as_a_name(house):
    house.add("pm-frankel", session_key="agent:other:main")
    assert resolve(house, "agent:pm-frankel:main") == ("one", ["pm-frankel"])


def test_a_session_key_of_several_names_them(house):
    for name in ("attic", "cellar"):
        house.add(name, local_agent="main")
    said = refusal(house, "agent:main:main")
    assert "attic" in said
    assert "cellar" in said


def test_a_session_key_of_one_visible_and_one_invisible_is_the_visible_one(house):
    house.add("attic", local_agent="main")
    house.add("secret", local_agent="main", compartments=["shop"])
    assert resolve(house, "agent:main:main") == ("one", ["attic"])


def test_a_group_is_its_visible_members_without_the_sender(house):
    for name in ("bob", "me-agent"):
        house.add(name)
    house.add("charlie", compartments=["shop"])
    house.write(service.set_group, "crew", ["bob", "charlie", "me-agent"], new=True)
    assert resolve(house, "crew") == ("group", ["bob"])


def test_a_group_of_strangers_does_not_exist(house):
    house.add("charlie", compartments=["shop"])
    house.write(service.set_group, "shop-crew", ["charlie"], new=True)
    assert refusal(house, "shop-crew").startswith("no recipient")


def test_it_names_a_near_one(house):
    house.add("winnie")
    refusal(house, "winie")
    assert house.read(service.hint, ME, "winie") == "did you mean winnie?"


@pytest.mark.parametrize("address", ["charlie", "agent:charlie:main", "charly"])
def test_it_never_names_one_that_is_not_visible(house, address):
    house.add("charlie", compartments=["shop"])
    assert "charlie" not in refusal(house, address).replace(repr(address), "")


@pytest.mark.parametrize("address", ["", "agent:", "agent::", "agent:a", "x" * 500, "a\nb", "%"])
def test_it_refuses_what_is_no_address(house, address):
    house.add("bob")
    assert len(refusal(house, address)) < 300


def test_a_removed_agent_has_no_address(house):
    house.add("bob")
    house.write(service.remove, "bob")
    refusal(house, "bob")
    refusal(house, "agent:bob:main")
