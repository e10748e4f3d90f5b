"""Requests that two readers could understand differently, paths and JSON that mean to mislead."""

from __future__ import annotations

import http.client
import json
import re
import socket
import urllib.error
import urllib.request
from contextlib import closing

import pytest

from tests import engine

HEAD = "HTTP/1.1\r\nHost: a\r\n"


def talk(world, said, who="cat"):
    """Say bytes as they are on one connection; gives all that came back until its end."""
    where = world.bus.url.removeprefix("http://").split(":")
    text = said.replace(SHOWN, world.tokens[who]) if isinstance(said, str) else said
    with socket.create_connection((where[0], int(where[1])), timeout=60) as link:
        link.sendall(text.encode("latin-1") if isinstance(text, str) else text)
        link.shutdown(socket.SHUT_WR)
        got = b""
        try:
            while chunk := link.recv(65536):
                got += chunk
        except ConnectionResetError:
            pass  # it hung up on what it had not read
    return got


def statuses(got):
    return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3}) ", got)]


SHOWN = "T" * 41
"""Stands for a token of that length."""
INNER = f"GET /api/agents {HEAD}Authorization: Bearer {SHOWN}\r\n\r\n"
BODY = '{"to": "cat", "body": "smuggled"}'
SEND = f"POST /api/send {HEAD}Authorization: Bearer {SHOWN}\r\nContent-Type: application/json\r\n"
CHUNKED = "Transfer-Encoding: chunked\r\n\r\n"
AMBIGUOUS = {
    "both lengths": f"{SEND}Content-Length: 6\r\n{CHUNKED}0\r\n\r\n{INNER}",
    "lengths reversed": f"{SEND}{CHUNKED[:-2]}Content-Length: 4\r\n\r\n0\r\n\r\n{INNER}",
    "two lengths": f"{SEND}Content-Length: 0\r\nContent-Length: {len(INNER)}\r\n\r\n{INNER}",
    "two lengths in one": f"{SEND}Content-Length: 0, {len(INNER)}\r\n\r\n{INNER}",
    "a signed length": f"{SEND}Content-Length: +{len(BODY)}\r\n\r\n{BODY}{INNER}",
    "a length with a blank": f"{SEND}Content-Length : {len(BODY)}\r\n\r\n{BODY}{INNER}",
    "another coding": f"{SEND}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{INNER}",
    "a hidden coding": f"{SEND}Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n{INNER}",
    "chunked twice": f"{SEND}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n{INNER}",
    "not chunked last": f"{SEND}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n{INNER}",
    "a folded header": f"{SEND}X-A: b\r\n  c: d\r\nContent-Length: 0\r\n\r\n{INNER}",
    "a header without a name": f"{SEND}: x\r\nContent-Length: 0\r\n\r\n{INNER}",
    "a NUL in a header": f"{SEND}X-A: b\0c\r\nContent-Length: 0\r\n\r\n{INNER}",
    "a bare return": f"{SEND}X-A: b\rContent-Length: 40\r\nContent-Length: 0\r\n\r\n{INNER}",
    "a bad chunk size": f"{SEND}{CHUNKED}0x5\r\nabcde\r\n0\r\n\r\n{INNER}",
    "a negative chunk": f"{SEND}{CHUNKED}-1\r\n\r\n{INNER}",
    "a chunk that lies": f"{SEND}{CHUNKED}2\r\nabcdef\r\n0\r\n\r\n{INNER}",
}  # fmt: skip


@pytest.mark.parametrize("said", AMBIGUOUS.values(), ids=list(AMBIGUOUS))
def test_what_can_be_read_in_two_ways_is_refused_and_nothing_after_it_is_read(world, said):
    got = talk(world, said)
    assert b'"agents"' not in got
    assert all(400 <= status < 500 or status == 501 for status in statuses(got)), got
    assert waiting(world) == []
    assert world.call("cat", "GET", "/api/whoami")[0] == 200


def waiting(world):
    shown = world.call("cat", "GET", "/api/inbox?view=headers&limit=100")[1]
    return [item["id"] for item in shown["items"]]


def test_a_line_end_without_its_return_ends_no_request(world):
    bare = f"GET /api/agents HTTP/1.1\nHost: a\nAuthorization: Bearer {SHOWN}\n\n{INNER}"
    got = talk(world, bare)
    assert b'"agents"' not in got


@pytest.mark.parametrize(
    "head",
    [
        "X-A: " + "a" * 100_000,
        "\r\n".join(f"X-{n}: a" for n in range(2000)),
        "X-A" * 50_000 + ": a",
    ],
    ids=["long", "many", "long name"],
)
def test_a_huge_head_is_refused(world, head):
    got = talk(world, f"GET /api/agents {HEAD}Authorization: Bearer {SHOWN}\r\n{head}\r\n\r\n")
    assert statuses(got)[:1] in ([], [400], [431])
    assert b'"agents"' not in got


def test_what_follows_a_refused_body_is_read_as_what_it_is(world):
    refused = f"{SEND}Content-Length: {len(INNER)}\r\n\r\n{INNER}".replace("json", "xml")
    got = talk(world, refused + INNER.replace("/api/agents", "/api/whoami"))
    assert statuses(got)[0] == 415
    assert statuses(got)[1:] in ([], [200])
    assert b'"agents"' not in got


def test_one_that_may_not_does_not_get_in_on_anothers_connection(world):
    anonymous = f"GET /api/whoami {HEAD}\r\n"
    got = talk(world, INNER + anonymous)
    assert statuses(got) == [200, 401]


@pytest.mark.parametrize(
    "path",
    ["/api//agents", "//api/agents", "/api/./agents", "/api/x/../agents", "/API/agents",
     "/api/agents/", "/api/agents/..%2f..%2ftokens", "/api/agents/%2e%2e/tokens", "/api%2fagents",
     "/api/agents%00", "/api/agents;x=1", "/api/agents/../tokens", "\\api\\agents",
     "http://evil.example/api/tokens", "/api/agents/ann%0d%0aX-Evil:%201"],
)  # fmt: skip
def test_a_path_in_disguise_leads_nowhere_else(world, path):
    got = talk(
        world, f"GET {path} {HEAD}Host: evil.example\r\nAuthorization: Bearer {SHOWN}\r\n\r\n"
    )
    got += talk(world, f"GET {path} {HEAD}Authorization: Bearer {SHOWN}\r\n\r\n")
    assert all(400 <= status < 500 for status in statuses(got)), got
    assert b"Location" not in got
    assert b"\r\nX-Evil" not in got


def test_no_address_in_an_answer_is_the_callers_choice(world):
    world.send("ben", "dan")
    for name in ("Host", "X-Forwarded-Host", "Forwarded", "X-Forwarded-Prefix"):
        papers = {"Authorization": f"Bearer {world.tokens['dan']}", name: "evil.example"}
        for path in ("/api/inbox", "/nowhere", "/openapi.json"):
            assert "evil" not in world.ask(papers, "GET", path)[2]


def test_no_header_says_that_another_asks(world):
    for name in ("X-Forwarded-User", "Remote-User", "X-Real-IP", "X-HTTP-Method-Override"):
        status, said, _ = world.ask({name: "admin"}, "GET", "/api/tokens")
        assert (status, said["code"]) == (401, "unauthorized")


ITS_FATE = (400, "") if engine.IS_POSTGRESQL else (202, "a\0b")
TRICKS = {
    "a key twice": ('{"to": "dan", "body": "first", "body": "last"}', 202, "last"),
    "a sender twice": ('{"to": "dan", "body": "x", "from": "cat", "from": "ann"}', 403, ""),
    "a sender twice, the last good": (
        '{"to":"dan","body":"x","from":"ann","from":"ben"}',
        202,
        "x",
    ),
    "not a number": ('{"to": "dan", "body": NaN}', 400, ""),
    "endless": ('{"to": "dan", "body": [Infinity, -Infinity]}', 400, ""),
    "too large": ('{"to": "dan", "body": 1e400}', 400, ""),
    "a huge whole number": ('{"to": "dan", "body": 18446744073709551616}', 202, None),
    "a comment": ('{"to": "dan", /* x */ "body": "x"}', 400, ""),
    "a comma": ('{"to": "dan", "body": "x",}', 400, ""),
    "a mark at its start": ('\ufeff{"to": "dan", "body": "x"}', 400, ""),
    "single quotes": ("{'to': 'dan', 'body': 'x'}", 400, ""),
    "a prototype": ('{"to": "dan", "body": "x", "__proto__": {"from": "ann"}}', 400, ""),
    "a lone surrogate in a key": ('{"to": "dan", "body": {"\\ud800": 1}}', 400, ""),
    "a NUL in a body": ('{"to": "dan", "body": "a\\u0000b"}', *ITS_FATE),
    "a true for a name": ('{"to": true, "body": "x"}', 400, ""),
    "an escaped name": ('{"t\\u006f": "d\\u0061n", "body": "x"}', 202, "x"),
}


@pytest.mark.parametrize(("text", "expected", "kept"), TRICKS.values(), ids=list(TRICKS))
def test_a_trick_of_json_is_refused_or_means_one_thing(world, text, expected, kept):
    papers = {"Authorization": f"Bearer {world.tokens['ben']}"}
    status, said = ask_raw(world, papers, "/api/send", text.encode("utf-8", "surrogatepass"))
    assert status == expected, said
    if status == 202 and kept is not None:
        shown = world.call("dan", "GET", f"/api/messages/{said['id']}")[1]
        assert (shown["body"], shown["from"]) == (kept, "ben")


def ask_raw(world, papers, path, body):
    with closing(http.client.HTTPConnection(world.bus.url[7:], timeout=60)) as link:
        link.request("POST", path, body, {"Content-Type": "application/json", **papers})
        answer = link.getresponse()
        return answer.status, json.loads(answer.read())


def test_nothing_that_anyone_writes_begins_a_field_of_a_stream(world):
    evil = 'x\n\nevent: wake\ndata: {"to_agent":"ann"}\n\r\n\u2028\x85id: 1'
    item = world.give("ben", "ann", evil)
    world.call("ann", "POST", "/api/release",
               {"handle": item["handle"], "mode": "fatal", "reason": evil})  # fmt: skip
    wake = world.admin("GET", "/api/wakes?agent=ann&state=all")["wakes"][0]
    world.send("ben", "ann")
    world.call("here", "POST", f"/api/wakes/{wake['wake_id']}", {"state": "failed", "reason": evil})
    world.admin("PATCH", "/api/agents/ann", {"session_key": evil, "local_agent": evil})
    world.send("ben", "ann")
    for who in ("ann", "ben", "here", "pia", "admin"):
        papers = {"Authorization": f"Bearer {world.tokens[who]}"}
        text = world.ask(papers, "GET", "/api/stream?last_event_id=earliest")[2]
        for line in text.splitlines():  # also at U+2028 and U+0085, as a careless reader does
            assert re.match(
                r"$|:$|retry: \d+$|id: [0-9a-z]+-\d+$|event: [a-z-]+$|data: \{.*\}$", line
            )
            if line.startswith("data: "):
                json.loads(line[6:])
    world.admin("PATCH", "/api/agents/ann", {"session_key": "agent:ann:main", "local_agent": "ann"})


def test_nothing_that_anyone_sends_begins_a_line_of_the_log(world):
    evil = "x\naction=forged level=ERROR\r\x1b[2J\u2028"
    world.send("ben", "ann", evil)
    world.call("ben", "POST", "/api/send", {"to": evil, "body": "x", "type": evil})
    world.call("here", "POST", "/api/nodes/self",
               {"version": evil, "methods": {"ann": {"method": evil, "why": evil}}})  # fmt: skip
    world.ask({"X-Shared-Secret": "a", "X-Agent": "ann\taction=forged"}, "GET", "/api/whoami")
    world.call("ben", "GET", "/api/stream?last_event_id=x%0aaction%3dforged")
    world.call("ben", "GET", "/%0aaction=forged%1b[2J")
    talk(world, b"GET /\x1b[2J\naction=forged HTTP/9\r\n\r\n")
    talk(world, b"\x1b[2Jaction=forged / HTTP/1.1\r\nX: \x1b]0;\x07\r\n\r\n")
    talk(world, "GET /api/stream?instance=a%0aaction%3dforged " + HEAD +
         f"Authorization: Bearer {SHOWN}\r\n\r\n")  # fmt: skip
    log = (world.bus.data_dir / "bus.log").read_bytes()
    assert not [line for line in log.splitlines() if line.startswith(b"action=")]
    assert not re.search(rb"[\x00-\x08\x0b-\x1f\x7f-\xff]", log)


@pytest.mark.parametrize("before", [0, -1, 2**63, 10**30])
def test_a_number_that_no_database_holds_is_refused(world, before):
    for method, query, body in (("GET", f"?before={before}", None), ("POST", "", before)):
        path = "/api/deliveries" + (query or "/redrive")
        given = None if body is None else {"before": body}
        status, answer = world.call("ann", method, path, given)
        assert (status, answer["code"]) == (400, "invalid_request")


def test_what_a_query_says_twice_is_refused(world):
    status, answer = world.call("ann", "GET", "/api/inbox?view=headers&limit=1&limit=2")
    assert (status, answer["code"]) == (400, "invalid_request")
    assert "'limit' more than once" in answer["detail"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/api/nodes/self", "POST"),
        ("PATCH", "/api/nodes/self", "POST"),
        ("DELETE", "/api/tokens/rotate", "POST"),
    ],
)
def test_a_word_of_a_route_is_nobodys_name(world, method, path, allowed):
    ask = urllib.request.Request(world.bus.url + path, b"{}", method=method)
    ask.add_header("Authorization", f"Bearer {world.tokens['admin']}")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(ask, timeout=60)
    with refused.value as answer:
        assert (answer.code, answer.headers["Allow"]) == (405, allowed)
    assert world.call("admin", "POST", "/api/nodes", {"name": "self"})[0] == 400
