"""Whatever a caller may send to a real bus: refused, said, nothing changed."""

from __future__ import annotations

import socket
from contextlib import closing, suppress

import pytest

from tests import engine
from tests.live.calling import ask

DEEP = b"[" * 20_000 + b"]" * 20_000
HUGE = b"9" * 5000
WRONG = {
    "nothing": b"",
    "half": b'{"to": "ben", "bo',
    "two values": b'{"to": "ben", "body": "x"} {}',
    "no JSON": b"to=ben&body=x",
    "a number": b"7",
    "null": b"null",
    "a text": b'"ben"',
    "not UTF-8": b'{"to": "ben", "body": "\xff\xfe"}',
    "deep": DEEP,
    "deep in a field": b'{"to": "ben", "body": ' + DEEP + b"}",
    "deep in a known field": b'{"handles": ' + DEEP + b"}",
    "huge number": HUGE,
    "huge number in a field": b'{"to": "ben", "body": ' + HUGE + b"}",
    "huge time": b'{"to": "ben", "body": "x", "deliver_in": 1e308}',
    "infinite time": b'{"to": "ben", "body": "x", "ttl": 1e999}',
    "huge lease": b'{"handle": "m_1.1", "lease_s": ' + HUGE + b"}",
    "a time before all": b'{"to":"ben","body":"x","expires_at":"0001-01-01T00:00:00+23:59"}',
    "a time after all": b'{"to":"ben","body":"x","deliver_at":"9999-12-31T23:59:59-23:59"}',
    "a time that is none": b'{"to":"ben","body":"x","deliver_at":"tomorrow"}',
    "NUL in a name": b'{"to": "be\\u0000n", "name": "a\\u0000b", "body": "x", "state": "\\u0000"}',
    "NUL for a name": b'{"to": "\\u0000", "body": "x"}',
    "NUL in a type": b'{"to": "ben", "body": "x", "type": "TA\\u0000SK"}',
    "NUL in a subject": b'{"to": "ben", "body": "x", "subject": "a\\u0000"}',
    "NUL in a handle": b'{"handles": ["m_\\u0000.1"]}',
    "surrogate in a name": b'{"to": "\\ud800", "body": "x"}',
    "surrogate in a body": b'{"to": "ben", "body": "\\ud800"}',
    "surrogate deep in a body": b'{"to": "ben", "body": {"a": ["\\udfff"]}}',
    "surrogate in what is answered": b'{"to":"ben","body":"x","in_reply_to":"\\ud800"}',
    "surrogate in a type": b'{"to": "ben", "body": "x", "type": "\\ud800"}',
    "surrogate in a handle": b'{"handle": "\\ud800"}',
    "surrogate as a name": b'{"name": "\\ud800", "members": ["\\ud800"]}',
    "surrogate as a code": b'{"code":"\\ud800","nonce":"\\ud800","url":"http://a"}',
    "unknown field": b'{"to": "ben", "body": "x", "urgency": 3}',
    "wrong types": b'{"to": 7, "body": "x", "handles": "m", "name": [], "members": {}, "state": 1}',
    "wrong names": b'{"to": [["ben"]], "body": "x"}',
    "no names": b'{"to": [], "body": "x", "handles": []}',
    "twice the same": b'{"to": "ben", "to_agent": "ben", "body": "x"}',
    "both times": b'{"to":"ben","body":"x","ttl":5,"expires_at":"2999-01-01T00:00:00Z"}',
    "late before it is early": b'{"to": "ben", "body": "x", "deliver_in": 9, "ttl": 3}',
    "waiting": b'{"to": "ben", "message": "x", "timeoutSeconds": 3}',
}
CALLS = [
    ("agent", "POST", "/api/send"),
    ("agent", "POST", "/api/ack"),
    ("agent", "POST", "/api/release"),
    ("agent", "POST", "/api/extend"),
    ("agent", "POST", "/api/messages/HANDLE/reply"),
    ("admin", "POST", "/api/agents"),
    ("admin", "PATCH", "/api/agents/ben"),
    ("admin", "POST", "/api/groups"),
    ("admin", "PUT", "/api/groups/team"),
    ("admin", "POST", "/api/nodes"),
    ("admin", "PATCH", "/api/nodes/here"),
    ("admin", "POST", "/api/tokens"),
    ("node", "POST", "/api/nodes/self"),
    ("node", "POST", "/api/wakes/w_1"),
    ("nobody", "POST", "/api/enrol"),
]


@pytest.fixture(scope="module")
def bus(shared_bus):
    return shared_bus


@pytest.fixture(scope="module")
def house(bus, tmp_path_factory):
    """A bus with an agent on a node, one at no node, a group and one message; and their tokens."""
    token = bus.add("ann")
    node_dir = tmp_path_factory.mktemp("here") / "node"
    there = bus.enrol("here", node_dir, ["ben"], bus.environment)
    bus.call(bus.admin, "POST", "/api/groups", {"name": "team", "members": ["ann", "ben"]})
    bus.call(there["ben"], "POST", "/api/send", {"to": "ann", "body": "hello"})
    item = bus.call(token, "GET", "/api/inbox")[1]["items"][0]
    node = (node_dir / "node.token").read_text().strip()
    return {"agent": token, "admin": bus.admin, "node": node, "nobody": ""}, item["handle"]


def picture(bus, agent):
    """Read all that a wrong request could have changed."""
    shown = [
        bus.call(bus.admin, "GET", f"/api/{what}")[1]
        for what in ("agents", "groups", "nodes", "compartments", "wakes?state=all")
    ]
    tokens = bus.call(bus.admin, "GET", "/api/tokens")[1]["tokens"]
    return [*shown, len(tokens), bus.call(agent, "GET", "/api/messages?with=ben&limit=100")[1]]


@pytest.mark.parametrize(("who", "method", "path"), CALLS, ids=[" ".join(one) for one in CALLS])
def test_nothing_that_a_caller_sends_is_a_fault_of_the_bus_or_changes_it(
    bus, house, who, method, path
):
    tokens, handle = house
    where = path.replace("HANDLE", handle)
    before = picture(bus, tokens["agent"])
    taken = {}
    for what, body in WRONG.items():
        status, headers, said = ask(bus, tokens[who], where, body, method)
        if not 400 <= status < 500 or status == 429 or not said["detail"]:
            taken[what] = status, said
        else:
            assert headers["Content-Type"] == "application/problem+json"
    assert taken == {}
    assert picture(bus, tokens["agent"]) == before


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", "image/png"])
def test_another_content_type_is_415_and_says_which(bus, house, kind):
    body = b'{"to": "ben", "body": "x"}'
    status, _, said = ask(bus, house[0]["agent"], "/api/send", body, Content_Type=kind)
    assert (status, said["code"]) == (415, "unsupported_media_type")
    assert "application/json" in said["detail"]


def test_nobody_is_told_what_a_call_takes_by_asking_for_its_options(bus):
    status, headers, said = ask(bus, "", "/api/agents", method="OPTIONS")
    assert (status, said["code"]) == (405, "method_not_allowed")
    assert "OPTIONS" not in headers["Allow"]


def test_no_answer_can_become_a_page_or_stay_in_a_cache(bus, house):
    for path in ("/api/inbox", "/nowhere", "/healthz"):
        headers = ask(bus, house[0]["agent"], path, method="GET")[1]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert headers["Cache-Control"] == "no-store"


BAD_PATHS = [
    "/api/inbox?limit=0",
    "/api/inbox?limit=-1",
    "/api/inbox?limit=99999999999999999999",
    "/api/inbox?limit=%00",
    "/api/inbox?limit=%D9%A3",
    "/api/inbox?limit=000000000000101",
    "/api/inbox?wait=0000000000009999999",
    "/api/inbox?max_bytes=1e9",
    "/api/inbox?view=%ED%A0%80",
    "/api/messages/%00",
    "/api/messages/m_%ED%A0%80",
    "/api/messages?with=%00",
    "/api/messages?with=ben&limit=000000000000101",
    "/api/stream?last_event_id=7",
    "/api/stream?last_event_id=%ED%A0%80-1",
    "/api/stream?last_event_id=%EF%BF%BD-1",
    "/api/stream?last_event_id=a%0A-1",
    "/api/stream?last_event_id=a-99999999999999999999999999999999999999999999999999999999999",
    "/api/stream?last_event_id=a-%C2%B2",
    "/api/agents/%00",
    "/api/agents/..%2F..%2Fetc",
]


@pytest.mark.parametrize("path", BAD_PATHS)
def test_a_wrong_address_is_said_clearly(bus, house, path):
    status, _, said = ask(bus, house[0]["agent"], path, method="GET")
    assert 400 <= status < 500, said
    assert said["detail"]


def test_a_body_may_hold_what_a_name_may_not(bus, house):
    body = f'a{engine.NUL}b \U0001f600 \u202e "quoted" \\u0000 \x1b[2J'
    bus.call(house[0]["agent"], "POST", "/api/send", {"to": "ann", "body": body})
    shown = bus.call(house[0]["agent"], "GET", "/api/inbox")[1]["items"]
    assert shown[-1]["body"] == body


@pytest.mark.parametrize("key", ["k" * 257, "a\tb"])
def test_a_key_that_is_none_is_refused(bus, house, key):
    status, _, said = send_as(bus, house, key)
    assert (status, said["code"]) == (400, "invalid_request")


def test_a_key_for_another_body_is_422_and_for_the_same_one_the_same_answer(bus, house):
    first = send_as(bus, house, "k")[2]
    again = send_as(bus, house, '"k"')[2]
    assert again == first | {"deduplicated": True}
    status, _, said = send_as(bus, house, "k", body=b'{"to": "ben", "body": "y"}')
    assert (status, said["code"]) == (422, "key_reused")


def send_as(bus, house, key, body=b'{"to": "ben", "body": "x"}'):
    return ask(bus, house[0]["agent"], "/api/send", body, Idempotency_Key=key)


@pytest.mark.parametrize(
    "said",
    [
        b"GET /api/inbox HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \xff\xfe\r\n\r\n",
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n",
        b"POST /api/send HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST /api/send HTTP/1.1\r\nHost: a\r\nContent-Length: 1e3\r\n\r\n",
        b"NONSENSE\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_what_is_no_request_does_not_hurt_the_next_one(bus, said):
    where = bus.url.removeprefix("http://").split(":")
    with socket.create_connection((where[0], int(where[1])), timeout=60) as link:
        link.sendall(said)
        answer = b""
        with suppress(OSError):  # who is no client may be hung up on before it has read
            link.shutdown(socket.SHUT_WR)
            answer = link.recv(4096)
    assert not answer or answer.startswith(b"HTTP/1.1 4")
    assert bus.call(bus.admin, "GET", "/api/whoami")[0] == 200


def test_a_body_that_ends_before_its_length_is_no_message_though_it_reads_as_one(bus):
    cyd, dan = bus.add("cyd"), bus.add("dan")
    host, _, port = bus.url.removeprefix("http://").partition(":")
    body = b'{"to": "dan", "body": "half of what was meant"}'
    head = (
        f"POST /api/send HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {cyd}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body) + 10}\r\n\r\n"
    )
    with closing(socket.create_connection((host, int(port)), timeout=60)) as link:
        link.sendall(head.encode() + body)
        link.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: link.recv(4096), b""))
    assert b" 400 " in answer.splitlines()[0]
    assert bus.call(dan, "GET", "/api/inbox")[1]["items"] == []
