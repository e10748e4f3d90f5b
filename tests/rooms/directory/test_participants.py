"""Who is there: adding, changing, removing, and who may know of whom."""

from __future__ import annotations

import pytest

from bus.access import service as access
from bus.access.model import Principal
from bus.directory import nodes, service
from bus.errors import InvalidRequestError, NameTakenError, NotFoundError


def seen_by(house, *compartments):
    principal = Principal("agent", "x", "", 99, compartments=frozenset(compartments))
    return [one.name for one in house.read(service.visible, principal)]


def test_an_agent_gets_its_local_agent_and_session_key_from_its_name(house):
    bob = house.add("bob")
    assert (bob.local_agent, bob.session_key) == ("bob", "agent:bob:main")
    assert bob.accepts is None
    assert bob.compartments == {"open"}


def test_a_session_key_follows_a_given_local_agent(house):
    assert house.add("bob", local_agent="main").session_key == "agent:main:main"


@pytest.mark.parametrize(
    "name", ["", "Bob", "-bob", ".bob", "b b", "b/b", "b\n", "b" * 65, "all", "me", "wakebus"]
)
def test_it_refuses_what_cannot_be_a_name(house, name):
    with pytest.raises(InvalidRequestError):
        house.add(name)


def test_a_name_is_one_over_participants_and_groups(house):
    house.add("bob")
    house.write(service.set_group, "crew", ["bob"], new=True)
    with pytest.raises(NameTakenError):
        house.add("crew")
    with pytest.raises(NameTakenError):
        house.write(service.set_group, "bob", [], new=True)


def test_a_renamed_agent_is_the_same_agent(house):
    bob = house.add("bob")
    renamed = house.write(service.change, "bob", {"name": "robert"})
    assert renamed.id == bob.id
    assert house.read(service.find, "bob") is None


def test_a_lead_is_a_named_agent_that_the_administration_marked(house):
    assert not house.add("bob").is_lead
    assert house.write(service.change, "bob", {"lead": True}).is_lead
    house.add("apart", lead=True, compartments=["b"])
    assert [one.name for one in house.read(service.leads_of, "open")] == ["bob"]
    house.add("pia", kind="person")
    assert [one.name for one in house.read(service.people_of, "open")] == ["pia"]
    with pytest.raises(InvalidRequestError, match="worker"):
        house.add("wim", kind="worker", lead=True)
    with pytest.raises(InvalidRequestError, match="person"):
        house.write(service.change, "pia", {"lead": True})
    assert not house.write(service.change, "bob", {"lead": False}).is_lead


def test_a_removed_agent_loses_its_tokens_and_frees_its_name(house):
    bob = house.add("bob")
    house.write(access.create_token, "agent", participant_id=bob.id)
    house.write(service.remove, "bob")
    assert all(token["revoked_ms"] for token in house.read(access.list_tokens))
    assert house.add("bob").id != bob.id


def test_removal_and_change_are_announced(house):
    heard = []
    for event in ("participant_removed", "participant_changed"):
        house.store.hooks.on(
            event, lambda _tx, participant_id, event=event: heard.append((event, participant_id))
        )
    bob = house.add("bob")
    house.write(service.change, "bob", {"paused": True})
    house.write(service.remove, "bob")
    changed, removed = ("participant_changed", bob.id), ("participant_removed", bob.id)
    assert heard == [changed, removed, changed]


def test_pausing_can_be_undone(house):
    house.add("bob")
    assert house.write(service.change, "bob", {"paused": True}).paused
    assert not house.write(service.change, "bob", {"paused": False}).paused


def test_the_types_that_an_agent_takes_can_be_set_and_lifted(house):
    assert house.add("bob", accepts=["TASK", "STATUS"]).accepts == ("STATUS", "TASK")
    assert house.write(service.change, "bob", {"accepts": None}).accepts is None


def test_one_sees_who_shares_a_compartment(house):
    house.add("alice", kind="person", compartments=["family", "open"])
    house.add("bob")
    house.add("charlie", compartments=["shop"])
    assert seen_by(house, "open") == ["alice", "bob"]
    assert seen_by(house, "shop") == ["charlie"]
    assert seen_by(house) == []


def test_absent_and_invisible_are_alike(house):
    house.add("charlie", compartments=["shop"])
    bob = Principal("agent", "bob", "", 99, compartments=frozenset({"open"}))
    said = []
    for name in ("charlie", "nobody"):
        with pytest.raises(NotFoundError) as error:
            house.read(service.find_visible, bob, name)
        said.append(error.value.detail.replace(name, "NAME"))
    assert said[0] == said[1]


def test_a_reader_learns_the_address_by_which_its_node_enrolled(house):
    bob = house.add("bob")
    assert house.read(service.reach, bob.id, house.config).url == house.config.url
    house.write(nodes.add_node, "attic", ["bob"], "http://bus.lan:8091")
    reach = house.read(service.reach, bob.id, house.config)
    assert (reach.url, reach.header_path) == (
        "http://bus.lan:8091",
        "$HOME/.wakebus/bob.header",
    )


def test_a_group_shows_only_the_members_that_the_reader_may_know_of(house):
    house.add("bob")
    house.add("charlie", compartments=["shop"])
    house.write(service.set_group, "crew", ["bob", "charlie"], new=True)
    bob = Principal("agent", "bob", "", 1, compartments=frozenset({"open"}))
    assert house.read(service.list_groups, bob) == [{"name": "crew", "members": ["bob"]}]
    stranger = Principal("agent", "x", "", 99, compartments=frozenset({"far"}))
    assert house.read(service.list_groups, stranger) == []


def test_a_reader_learns_of_no_compartment_but_its_own(house):
    both = house.add("both", compartments=["red", "blue"])
    reader = Principal("person", "pat", "", 99, compartments=frozenset({"blue"}))
    assert house.read(service.show, reader, [both])[both.id]["compartments"] == ["blue"]
    house.write(nodes.add_node, "hidden", ["ron"], "")
    house.write(service.change, "ron", {"compartments": ["red"]})
    assert house.read(nodes.list_nodes, reader) == []
