"""What is refused of an import leaves the bus as it was; all of it is tried on one bus."""

from __future__ import annotations

import json

import pytest

from bus.cli.openclawfile import read_agents

AGENTS = {"alpha": {"identity": {"name": "Alpha"}}, "beta": {}, "builder": {}}


@pytest.fixture(scope="module")
def bus(shared_bus):
    return shared_bus


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "openclaw.json"
    path.write_text(json.dumps({"agents": {"entries": AGENTS}}))
    return str(path)


@pytest.fixture
def family(as_admin):
    """Who is there: a person in a group; both are kept from test to test."""
    as_admin("agent", "add", "maria", "--kind", "person")
    as_admin("group", "add", "family", "maria")
    (maria,) = there = as_admin("agent", "list", "--json").json["agents"]
    assert maria["name"] == "maria"
    return there


@pytest.mark.parametrize(
    "text", ["", "[]", "{agents: ", '{"a": "b', "{" * 100_000, '{"agents": {"$include": "a.json"}}']
)
def test_what_is_no_configuration_is_refused_with_where_it_lies(as_admin, text):
    with pytest.raises(ValueError, match=r"."):
        read_agents(text)
    got = as_admin("agent", "import", "-", stdin=text)
    assert got.code == 4
    assert "~/.openclaw/openclaw.json" in got.err
    assert "Traceback" not in got.err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--node", "nowhere"), 1, "bus node add nowhere"),
        (("nobody",), 2, "alpha, beta, builder"),
        (("alpha", "--worker", "beta"), 2, "no 'beta' among alpha"),
        (("--as", "alpha"), 2, "ID=NAME"),
        (("--as", "alpha=beta"), 2, "one name"),
        (("--as", "alpha=No Name"), 1, "--as ID=NAME"),
        (("--as", "alpha=family"), 1, "family is a group"),
        (("--as", "alpha=maria"), 1, "as a person"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_done(
    as_admin, family, file, words, code, said
):
    got = as_admin("agent", "import", file, *words)
    assert got.code == code
    assert said in got.err
    assert as_admin("agent", "list", "--json").json["agents"] == family
