"""People come to the page by what the command line prints."""

from __future__ import annotations

import re


def test_a_person_is_added_let_in_and_listed(bus, as_admin, act_as):
    added = as_admin("person", "add", "maria", "--compartments", "family")
    assert added.code == 0, added.err
    link, code = re.search(r"(http\S+\?code=(\S+))", added.out).groups()
    assert link == f"{bus.url}/sign-in?code={code}"
    assert f"this code: {code}" in added.out
    assert as_admin("person", "add", "maria").code == 1
    listed = as_admin("person", "list")
    assert re.search(r"maria +family +0", listed.out)
    (maria,) = as_admin("person", "list", "--json").json["people"]
    assert maria["browsers"] == 0


def test_another_link_ends_the_one_before_and_a_person_makes_their_own(as_admin, act_as):
    nina = act_as("nina", "person")
    first = as_admin("person", "link", "nina", "--json").json
    second = nina("person", "link", "nina", "--json").json
    assert first["code"] != second["code"]
    refused = act_as("otto", "person")("person", "link", "nina")
    assert refused.code == 4
    assert "for itself" in refused.err


def test_an_agent_is_no_person(as_admin):
    as_admin("agent", "add", "anna")
    assert "no person 'anna'" in as_admin("person", "link", "anna").err
