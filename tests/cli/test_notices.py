"""Notices by the command line: a person is told at a target of their own, tries it, and ends it."""

from __future__ import annotations

import pytest

from tests.conftest import Bus, serving
from tests.receivers import receiving


class TellingBus(Bus):
    hosts = ""

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | {"BUS_NOTICE_HOSTS": self.hosts}


@pytest.fixture
def receiver():
    with receiving() as one:
        yield one


@pytest.fixture
def bus(tmp_path, made_data, receiver):
    one = TellingBus(tmp_path / "data")
    one.hosts = f"{receiver.url},@example.org"
    with serving(one, made_data) as bus:
        yield bus


def test_a_person_is_told_at_a_target_tries_it_and_ends_it(as_admin, act_as, receiver, tmp_path):
    pia = act_as("pia", "person")
    assert "nothing tells you" in pia("notice", "list").out
    token = tmp_path / "ntfy.token"
    token.write_text("tk_secret\n")
    added = pia("notice", "add", "phone", "--ntfy", receiver.url, "--topic", "long-one",
                "--secret-file", str(token), "--events", "alert, approval")  # fmt: skip
    assert added.code == 0, added.err
    assert added.out == f"phone: ntfy {receiver.url} long-one\nbus notice test phone\n"
    tried = pia("notice", "test", "phone")
    assert tried.out.startswith("phone took it: HTTP 200 OK, ")
    (request,) = receiver.requests
    assert request.headers["authorization"] == "Bearer tk_secret"
    listed = pia("notice", "list").out
    assert "alert,approval" in listed
    assert f"allowed: {receiver.url}, @example.org" in listed
    assert "tk_secret" not in listed
    others = as_admin("notice", "list", "--of", "pia").out
    assert "long-one" not in others
    assert receiver.url.removeprefix("http://") in others
    assert pia("notice", "remove", "phone").out == "phone removed\n"
    assert as_admin("notice", "remove", "phone", "--of", "pia").code == 1


def test_a_webhooks_secret_is_written_once(act_as, receiver):
    pia = act_as("pia", "person")
    made = pia("notice", "add", "hook", "--webhook", receiver.url)
    assert "secret: whsec_" in made.out
    assert "whsec_" not in pia("notice", "add", "hook", "--webhook", receiver.url).out
    assert "whsec_" in pia("notice", "add", "hook", "--webhook", receiver.url, "--new-secret").out


def test_a_test_that_failed_says_why_and_is_no_success(act_as, receiver):
    pia = act_as("pia", "person")
    pia("notice", "add", "hook", "--webhook", receiver.url)
    receiver.status = 500
    tried = pia("notice", "test", "hook")
    assert tried.code == 1
    assert "hook did not take it: HTTP 500 Internal Server Error" in tried.err
    assert pia("notice", "test", "hook", "--json").code == 1
    assert "HTTP 500" in pia("notice", "list").out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["hook"], 2, "give one of --ntfy"),
        (["hook", "--webhook", "https://evil.example/"], 1, "has not allowed that host"),
        (["mail", "--email", "pia@example.org"], 1, "BUS_SMTP_HOST"),
        (["Hook!", "--webhook", "https://x"], 1, "cannot name a target"),
        (["phone", "--ntfy", "https://x", "--secret-file", "/nowhere"], 4, "cannot read"),
    ],
)
def test_what_is_wrong_is_said_with_what_is_right(act_as, words, code, said):
    pia = act_as("pia", "person")
    added = pia("notice", "add", *words)
    assert (added.code, said in added.err) == (code, True), added.err
