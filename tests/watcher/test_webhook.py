"""The `webhook` method: signed, to allowed hosts only, and never elsewhere."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading

import pytest
from fakebus import ProblemError

from watcher import privatefile
from watcher.methods import Methods
from watcher.methods.base import Outcome, Wake

KEY = b"k" * 32
WAKE = Wake("w_1", 1, "beta", "main", "agent:main:main", "you have mail", 3, 1)


@pytest.fixture
def run(enrolled, clock, bus, tmp_path):
    """Run a turn by webhook; the fake bus also plays the receiver."""
    secret = tmp_path / "hook.secret"
    privatefile.write(secret, "whsec_" + base64.b64encode(KEY).decode() + "\n")

    def start(path="/hook?a=b", allowed=("127.0.0.1",), secret_file=secret):
        beta = {"url": bus.url + path, "secret_file": str(secret_file)}
        settings = enrolled(agents={"beta": beta}, webhook={"allowed_hosts": list(allowed)})
        agent = settings.agents["beta"]
        method = Methods(settings, clock).find(agent)
        return method.run(WAKE, agent, None, threading.Event()), method.probe(agent)

    return start


def test_a_taken_call_is_requested_and_no_more(run, bus):
    bus.answers["/hook"] = lambda _: {}
    outcome, probe = run()
    assert outcome == Outcome("requested")
    assert probe.works


def test_it_carries_counts_and_a_signature_and_no_token(run, bus):
    bus.answers["/hook"] = lambda _: {}
    run()
    (request,) = bus.requests
    assert request.query == {"a": "b"}
    assert request.json == {
        "type": "wake",
        "wake_id": "w_1",
        "agent": "beta",
        "pending": {"total": 3, "urgent": 1},
        "inbox_url": f"{bus.url}/api/inbox",
        "text": "you have mail",
    }
    at = request.headers["webhook-timestamp"]
    signed = f"w_1.{at}.".encode() + request.raw
    expected = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    assert request.headers["webhook-id"] == "w_1"
    assert request.headers["webhook-signature"] == f"v1,{expected}"
    assert "Authorization" not in request.headers
    assert json.dumps(request.json).find("wb_") == -1


@pytest.mark.parametrize("status", [301, 307, 400, 404, 410, 500])
def test_any_other_answer_is_no_turn_and_is_not_followed(run, bus, status):
    def refuse(_request):
        raise ProblemError(status, "no")

    bus.answers["/hook"] = refuse
    outcome, _ = run()
    assert outcome == Outcome("no_turn", f"webhook: 127.0.0.1 answered {status}")
    assert len(bus.requests) == 1


@pytest.mark.parametrize("allowed", [(), ("hook.lan",), ("127.0.0.1:1",)])
def test_a_host_that_is_not_allowed_is_not_called(run, bus, allowed):
    outcome, probe = run(allowed=allowed)
    assert outcome.state == "no_turn"
    assert "webhook.allowed_hosts" in probe.why
    assert bus.requests == []


def test_a_secret_that_others_can_read_is_not_used(run, tmp_path):
    (tmp_path / "hook.secret").chmod(0o644)
    outcome, _ = run()
    assert "chmod 600" in outcome.reason


def test_a_secret_of_another_form_is_refused(run, tmp_path):
    privatefile.write(tmp_path / "other", "hello")
    outcome, _ = run(secret_file=tmp_path / "other")
    assert "does not begin with whsec_" in outcome.reason
