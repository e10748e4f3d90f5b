"""Wrong settings are refused in a sentence that says what to write."""

from __future__ import annotations

from pathlib import Path

import pytest

from watcher.settings import Folder, SettingsError, is_name
from watcher.settingscheck import build

FOLDER = Folder(Path("/nowhere"))
GOOD = {"url": "http://bus:8091", "node": "pi"}


def make(**more):
    return build({**GOOD, **more}, FOLDER)


def agent(**settings):
    return make(agents={"beta": settings}).agents["beta"]


def test_an_agent_without_settings_has_the_defaults():
    beta = agent()
    assert (beta.name, beta.method, beta.limit_s, beta.retries) == ("beta", "auto", 300, 0)
    assert beta.argv == ()


def test_all_that_can_be_set():
    settings = make(
        turns_at_once=2,
        ca_file="/ca.pem",
        agents={
            "beta": {
                "method": "program",
                "argv": ["claude", "-p", "{text}"],
                "limit_s": 30,
                "retries": 2,
                "cwd": "/work",
                "env": {"A": "b"},
                "local_agent": "main",
                "session_key": "agent:main:main",
            }
        },
        openclaw={"config": "/c.json", "gateway_url": "ws://h:1", "argv": ["npx", "openclaw"]},
        webhook={"allowed_hosts": ["hook.lan"]},
    )
    beta = settings.agents["beta"]
    assert beta.argv == ("claude", "-p", "{text}")
    assert (beta.limit_s, beta.retries, beta.cwd) == (30, 2, Path("/work"))
    assert settings.openclaw.argv == ("npx", "openclaw")
    assert settings.webhook.allowed_hosts == ("hook.lan",)
    assert (settings.turns_at_once, settings.ca_file) == (2, Path("/ca.pem"))


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"turns_at_onec": 4}, "unknown setting turns_at_onec; did you mean turns_at_once?"),
        ({"agents": {"beta": {"methd": "auto"}}}, "agents.beta.methd; did you mean method?"),
        ({"agents": {"beta": {"xyzzy": 1}}}, "known are local_agent"),
        ({"openclaw": {"gateway": "x"}}, "openclaw.gateway; did you mean gateway_url?"),
        ({"webhook": {"hosts": []}}, "webhook.hosts; did you mean allowed_hosts?"),
        ({"agents": {"beta": {"method": "cron"}}}, "agents.beta.method must be one of auto"),
        ({"agents": {"beta": {"limit_s": 0}}}, "a number of seconds above 0"),
        ({"agents": {"beta": {"limit_s": True}}}, "a number of seconds above 0"),
        ({"agents": {"beta": {"retries": 5}}}, "a whole number from 0 to 4"),
        ({"agents": {"beta": {"argv": "cat"}}}, "a list of texts"),
        ({"agents": {"beta": {"argv": ["a\0b"]}}}, "free of NUL"),
        ({"agents": {"beta": {"argv": ["echo", "say {text}"]}}}, "an argument of its own"),
        ({"agents": {"beta": {"argv": ["sh", "-c", "{text}"]}}}, "would be run as code"),
        ({"agents": {"beta": {"env": {"A": 1}}}}, "an object of texts"),
        ({"agents": {"beta": {"env": {"A=B": "x"}}}}, "name environment variables"),
        ({"agents": {"../etc": {}}}, "an object of names on the bus"),
        ({"agents": {"beta": 1}}, "agents.beta must be an object"),
        ({"turns_at_once": 0}, "a whole number from 1 to 64"),
        ({"url": ""}, "url must be a text"),
    ],
)
def test_it_says_what_is_wrong(more, sentence):
    with pytest.raises(SettingsError) as refusal:
        make(**more)
    assert sentence in str(refusal.value)


@pytest.mark.parametrize("key", ["url", "node"])
def test_it_says_what_is_missing(key):
    raw = {name: value for name, value in GOOD.items() if name != key}
    with pytest.raises(SettingsError, match=f"setting {key} is missing"):
        build(raw, FOLDER)


@pytest.mark.parametrize("name", ["a", "beta-2", "pi.home_1", "0" * 64])
def test_a_name(name):
    assert is_name(name)


@pytest.mark.parametrize("name", ["", "A", ".a", "a/b", "../a", "a\n", "a" * 65, "é", None, 1])
def test_no_name(name):
    assert not is_name(name)
