"""Notices of a real bus: it tells who is away and not who is there, and loses none when it dies."""

from __future__ import annotations

import signal
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event

import pytest
from standardwebhooks import Webhook

from tests.conftest import Bus, serving
from tests.receivers import receiving


@dataclass
class TellingBus(Bus):
    hosts: str = ""
    grace_s: float = 0.5

    @property
    def environment(self) -> dict[str, str]:
        grace = {"BUS_NOTICE_GRACE_S": str(self.grace_s)}
        return super().environment | grace | {"BUS_NOTICE_HOSTS": self.hosts}


@pytest.fixture
def receiver():
    with receiving() as one:
        yield one


@pytest.fixture
def bus(tmp_path, made_data, receiver):
    with serving(TellingBus(tmp_path / "data", hosts=receiver.url), made_data) as one:
        yield one


@pytest.fixture
def tokens(bus):
    people = {name: bus.add(name, "person") for name in ("pat", "charlie")}
    return people | {"ada": bus.add("ada")}


@pytest.fixture
def secret(bus, tokens, receiver):
    target = {"kind": "webhook", "url": f"{receiver.url}/hook"}
    status, made = bus.call(tokens["pat"], "PUT", "/api/people/self/notices/hook", target)
    assert status == 201, made
    return made["secret"]


def send(bus, tokens, subject, **more):
    message = {"to": "pat", "subject": subject, "body": "secret words"} | more
    status, sent = bus.call(tokens["ada"], "POST", "/api/send", message)
    assert status == 202
    return sent["id"]


@contextmanager
def watching(bus, token):
    request = urllib.request.Request(f"{bus.url}/api/stream?last_event_id=now")
    request.add_header("Authorization", f"Bearer {token}")
    with urllib.request.urlopen(request, timeout=40) as stream:
        assert stream.readline()
        yield


def test_a_person_who_is_away_is_told_and_can_check_who_says_so(bus, tokens, secret, receiver):
    message_id = send(bus, tokens, "the shed burns")
    (request,) = receiver.wait(1)
    said = Webhook(secret).verify(request.body, request.headers)
    assert said["data"]["text"] == '"the shed burns"'
    assert said["data"]["link"] == f"{bus.url}/messages/{message_id}"
    assert b"secret words" not in request.body


def test_who_has_a_stream_open_counts_as_there(bus, tokens, secret, receiver):
    def is_away():
        return bus.call(tokens["pat"], "GET", "/api/people/self/notices")[1]["away"]

    assert is_away()
    with watching(bus, tokens["pat"]), watching(bus, tokens["charlie"]):
        assert not is_away()
        send(bus, tokens, "one")
        bus.call(tokens["ada"], "GET", "/api/inbox?wait=3")  # longer than the grace
        assert receiver.requests == []
    assert bus.call(tokens["pat"], "GET", "/api/people/self/notices")[1]["waiting"] == 1


def test_what_was_accepted_before_a_kill_is_told_after_it(tmp_path, made_data, receiver):
    slow = TellingBus(tmp_path / "slow", hosts=receiver.url, grace_s=3)
    with serving(slow, made_data) as bus:
        made = {"pat": bus.add("pat", "person"), "ada": bus.add("ada")}
        target = {"kind": "ntfy", "url": receiver.url, "topic": "t"}
        assert bus.call(made["pat"], "PUT", "/api/people/self/notices/phone", target)[0] == 201
        send(bus, made, "before the kill")
        bus.stop(signal.SIGKILL)
        assert receiver.requests == []
        bus.start()
        (request,) = receiver.wait(1)
        assert request.said["message"] == '"before the kill"'


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_what_was_on_its_way_when_the_bus_ended_comes_again_as_the_same(
    bus, tokens, secret, receiver, how
):
    receiver.before_answer = Event()
    send(bus, tokens, "in between")
    receiver.wait(1)
    bus.stop(how)
    receiver.before_answer.set()
    bus.start()
    first, again = receiver.wait(2)
    assert first.headers["webhook-id"] == again.headers["webhook-id"]
    assert first.body == again.body
    Webhook(secret).verify(again.body, again.headers)


def test_a_word_in_a_session_is_told_to_who_is_away_from_it(bus, tokens, secret, receiver):
    made = {"title": "paint the shed", "participants": ["pat"]}
    status, session = bus.call(tokens["ada"], "POST", "/api/sessions", made)
    assert status == 201, session
    path = f"/api/sessions/{session['session_id']}/entries"
    status, said = bus.call(tokens["ada"], "POST", path, {"kind": "message", "body": "red?"})
    assert status == 201, said
    (request,) = receiver.wait(1)
    data = Webhook(secret).verify(request.body, request.headers)["data"]
    assert (data["title"], data["text"]) == ("ada in a session", '"paint the shed"')
    assert data["link"] == f"{bus.url}/sessions/{session['session_id']}"


def test_a_slow_target_slows_no_request(bus, tokens, secret, receiver):
    receiver.before_answer = Event()
    send(bus, tokens, "one")
    receiver.wait(1)
    for _ in range(20):
        send(bus, tokens, "more")
    assert bus.call("", "GET", "/readyz")[0] == 200
    assert len(receiver.requests) == 1, "the answer to the first is still awaited"
    receiver.before_answer.set()
    receiver.wait(2)


def test_a_test_says_what_came_of_it(bus, tokens, secret, receiver):
    path = "/api/people/self/notices/hook/test"
    status, answer = bus.call(tokens["pat"], "POST", path)
    assert (status, answer["ok"], answer["said"]) == (200, True, "HTTP 200 OK")
    assert receiver.requests[0].said["type"] == "test"
    receiver.status = 410
    status, answer = bus.call(tokens["pat"], "POST", path)
    assert (status, answer["ok"], answer["said"]) == (200, False, "HTTP 410 Gone")
    shown = bus.call(tokens["pat"], "GET", "/api/people/self/notices")[1]["targets"][0]
    assert shown["error"] == "HTTP 410 Gone"
    answers = [bus.call(tokens["pat"], "POST", path)[0] for _ in range(3)]
    assert answers[-1] == 429


def test_nobody_else_sees_where_one_is_told(bus, tokens, secret, receiver):
    for path in ("/api/people/pat/notices", "/api/people/nobody/notices"):
        status, answer = bus.call(tokens["charlie"], "GET", path)
        assert (status, answer["code"]) == (404, "not_found")
    path = "/api/people/pat/notices/hook"
    assert bus.call(tokens["charlie"], "DELETE", path)[0] == 404
    assert bus.call(tokens["charlie"], "POST", f"{path}/test")[0] == 404
    assert bus.call(tokens["ada"], "GET", "/api/people/pat/notices")[0] == 403
    status, shown = bus.call(bus.admin, "GET", "/api/people/pat/notices")
    assert status == 200
    assert shown["targets"][0]["where"] == receiver.url.removeprefix("http://")
    assert "/hook" not in str(shown)
    assert secret not in str(shown)
    assert bus.call(bus.admin, "DELETE", path)[0] == 200
    log = (bus.data_dir / "bus.log").read_text()
    assert secret not in log
    assert "/hook" not in log


def test_a_bus_without_allowed_hosts_says_so(tmp_path, made_data):
    with serving(TellingBus(tmp_path / "closed"), made_data) as bus:
        token = bus.add("pat", "person")
        target = {"kind": "ntfy", "url": "https://ntfy.sh", "topic": "t"}
        status, answer = bus.call(token, "PUT", "/api/people/self/notices/phone", target)
        assert (status, answer["code"]) == (409, "conflict")
        assert "BUS_NOTICE_HOSTS" in answer["detail"]
        assert "why" in bus.call(token, "GET", "/api/people/self/notices")[1]


def test_metrics_count_what_was_told(bus, tokens, secret, receiver):
    send(bus, tokens, "one")
    receiver.wait(1)
    told = 'wakebus_notices_total{state="sent"} 1.0'
    seen = Event()
    for _ in range(100):
        if told in bus.metrics():
            break
        seen.wait(0.05)
    else:
        pytest.fail("it is not counted")
