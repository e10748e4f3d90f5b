"""What the watcher reads out of OpenClaw's own configuration, however a person wrote it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher import openclaw, relaxedjson
from watcher.settings import OpenClawSettings

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture
def read(tmp_path):
    """Read a configuration: `read({...}, VARIABLE="value")`."""

    def write_and_read(raw, **environment):
        path = tmp_path / "openclaw.json"
        path.write_text(raw if isinstance(raw, str) else json.dumps(raw))
        return openclaw.read(OpenClawSettings(config=path), environment)

    return write_and_read


# ------------------------------------------------------------------------------- where it is


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"OPENCLAW_CONFIG_PATH": "/etc/oc.json", "HOME": "/home/a"}, "/etc/oc.json"),
        ({"OPENCLAW_STATE_DIR": "/var/oc", "HOME": "/home/a"}, "/var/oc/openclaw.json"),
        ({"HOME": "/home/a"}, "/home/a/.openclaw/openclaw.json"),
    ],
)
def test_it_looks_where_openclaw_looks(environment, expected):
    assert openclaw.find(OpenClawSettings(), environment) == Path(expected)


def test_what_is_set_wins():
    settings = OpenClawSettings(config=Path("/x.json"))
    assert openclaw.find(settings, {"OPENCLAW_CONFIG_PATH": "/y.json"}) == Path("/x.json")


def test_a_file_that_is_absent_is_a_sentence(tmp_path):
    with pytest.raises(openclaw.ConfigurationError, match=r"set openclaw\.config"):
        openclaw.read(OpenClawSettings(config=tmp_path / "none.json"), {})


def test_with_an_address_no_file_is_needed(tmp_path):
    settings = OpenClawSettings(config=tmp_path / "none.json", gateway_url="gw.lan:1234")
    found = openclaw.read(settings, {"OPENCLAW_GATEWAY_TOKEN": "t"})
    assert (found.gateway_url, found.gateway_auth()) == ("ws://gw.lan:1234", {"token": "t"})


@pytest.mark.parametrize(
    "text",
    ["", "[1]", "{", "{a b}", '{"a": 1} x', "{" * 100_000, "[" * 100_000, "//\n" + "[" * 100_000],
)
def test_a_file_that_cannot_be_read_is_a_sentence(read, text):
    with pytest.raises(openclaw.ConfigurationError, match="cannot be read"):
        read(text)


def test_a_file_that_is_far_too_big_is_not_read(read, monkeypatch):
    monkeypatch.setattr(openclaw, "MAX_CONFIG_BYTES", 10)
    with pytest.raises(openclaw.ConfigurationError, match="over 10 bytes"):
        read('{"gateway": {}}')


# ------------------------------------------------------------------------------- how it is written


def test_comments_bare_keys_single_quotes_and_trailing_commas_are_read():
    text = """
    // the gateway
    {
      gateway: { port: 19000, /* not 18789 */ auth: { token: 'it\\'s "so"', }, },
      "url": "http://not/a/comment", list: [1, -2.5e3, true, null,],
    }
    """
    assert relaxedjson.loads(text) == {
        "gateway": {"port": 19000, "auth": {"token": 'it\'s "so"'}},
        "url": "http://not/a/comment",
        "list": [1, -2500.0, True, None],
    }


@given(JSON)
def test_json_is_read_as_json(value):
    assert relaxedjson.loads(json.dumps(value)) == value
    assert relaxedjson.loads("// so\n" + json.dumps(value, indent=1) + "/* it ends */") == value


@given(st.text(alphabet="{}[],:'\"/*\\ab1 \n", max_size=40))
def test_whatever_is_written_is_read_or_refused(text):
    try:
        relaxedjson.loads(text)
    except ValueError:
        return


# ------------------------------------------------------------------------------- the gateway


@pytest.mark.parametrize(
    ("raw", "environment", "url"),
    [
        ({}, {}, "ws://127.0.0.1:18789"),
        ({"gateway": {"port": 19001}}, {}, "ws://127.0.0.1:19001"),
        ({"gateway": {"port": 1}}, {"OPENCLAW_GATEWAY_PORT": "19002"}, "ws://127.0.0.1:19002"),
        ({"gateway": {"tls": {"enabled": True}}}, {}, "wss://127.0.0.1:18789"),
        (
            {"gateway": {"mode": "remote", "remote": {"url": "wss://gw.ts.net/"}}},
            {},
            "wss://gw.ts.net",
        ),
        ({"gateway": "what?"}, {}, "ws://127.0.0.1:18789"),
    ],
)
def test_it_gives_the_gateways_address(read, raw, environment, url):
    assert read(raw, **environment).gateway_url == url


def test_the_hooks_are_on_the_same_port(read):
    assert read({"gateway": {"tls": {"enabled": True}}}).http_url == "https://127.0.0.1:18789"


@pytest.mark.parametrize(
    ("gateway", "auth"),
    [
        ({"auth": {"token": "plain"}}, {"token": "plain"}),
        ({"auth": {"token": "${GW}"}}, {"token": "from-env"}),
        ({"auth": {"token": {"source": "env", "id": "GW"}}}, {"token": "from-env"}),
        ({}, {"token": "fallback"}),
        ({"auth": {"mode": "password", "password": "p"}}, {"password": "p"}),
        ({"auth": {"mode": "none", "token": "unused"}}, {}),
        (
            {"mode": "remote", "auth": {"token": "local"}, "remote": {"token": "far"}},
            {"token": "far"},
        ),
    ],
)
def test_it_gives_the_gateways_secret(read, gateway, auth):
    found = read({"gateway": gateway}, GW="from-env", OPENCLAW_GATEWAY_TOKEN="fallback")
    assert found.gateway_auth() == auth


def test_a_secret_may_stand_in_openclaws_env_file(read, tmp_path):
    (tmp_path / ".env").write_text("# keys\nexport GW='from file'\n")
    assert read({"gateway": {"auth": {"token": "$GW"}}}).gateway_auth() == {"token": "from file"}


def test_a_secret_may_stand_in_a_file(read, tmp_path):
    path = tmp_path / "secrets.json"
    path.write_text('{"gateway": {"to/ken": "deep"}}')
    path.chmod(0o600)
    raw = {
        "gateway": {
            "auth": {"token": {"source": "file", "provider": "f", "id": "/gateway/to~1ken"}}
        },
        "secrets": {"providers": {"f": {"source": "file", "path": str(path)}}},
    }
    assert read(raw).gateway_auth() == {"token": "deep"}
    path.chmod(0o644)
    with pytest.raises(openclaw.ConfigurationError, match="chmod 600"):
        read(raw).gateway_auth()


def test_a_secret_that_only_openclaw_can_open_is_a_sentence(read):
    token = {"source": "exec", "provider": "vault", "id": "x"}
    with pytest.raises(openclaw.ConfigurationError, match="by OpenClaw alone"):
        read({"gateway": {"auth": {"token": token}}}).gateway_auth()


def test_no_secret_is_in_what_is_printed(read):
    found = read({"gateway": {"auth": {"token": "s3cret"}}, "hooks": {"token": "s3cret"}})
    assert "s3cret" not in repr(found) + repr(found.hooks())


# ------------------------------------------------------------------------------- agents and hooks


@pytest.mark.parametrize(
    ("raw", "agents"),
    [
        ({"agents": {"entries": {"Alpha": {}, "beta": {}}}}, {"alpha", "beta"}),
        ({"agents": {"list": [{"id": "alpha"}, {"id": "beta"}]}}, {"alpha", "beta"}),
        ({}, {"main"}),
        ({"agents": {"$include": "./agents.json5"}}, None),
        ({"$include": "./all.json5"}, None),
    ],
)
def test_it_knows_the_agents_or_says_that_it_does_not(read, raw, agents):
    assert read(raw).known_agents() == agents


def test_the_main_session_may_have_another_name(read):
    assert read({}).main_session("alpha") == "agent:alpha:main"
    assert read({"session": {"mainKey": "home"}}).main_session("alpha") == "agent:alpha:home"


def test_a_mapping_counts_only_if_it_starts_a_trusted_turn_with_our_text(read):
    good = {
        "match": {"path": "bus-alpha"},
        "action": "agent",
        "agentId": "alpha",
        "sessionKey": "agent:alpha:main",
        "messageTemplate": "{{text}}",
        "allowUnsafeExternalContent": True,
    }
    for change in (
        {},
        {"action": "wake"},
        {"agentId": "beta"},
        {"sessionKey": "agent:alpha:other"},
        {"messageTemplate": "New mail: {{subject}}"},
        {"allowUnsafeExternalContent": False},
    ):
        found = read({"hooks": {"mappings": [{**good, **change}]}}).hooks()
        mapping = found.find_mapping("alpha", "agent:alpha:main")
        assert (mapping is not None) is (not change), change
