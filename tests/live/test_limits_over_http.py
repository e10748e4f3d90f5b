"""A real bus with small limits: what is over them is refused and said, and others go on."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from contextlib import ExitStack, closing, contextmanager

import pytest

from tests.conftest import Bus, serving
from tests.live.calling import ask

SMALL = {
    "BUS_MAX_BODY_BYTES": "1000",
    "BUS_MAX_REQUEST_BYTES": "60000",
    "BUS_MAX_BATCH": "3",
    "BUS_MAX_RECIPIENTS": "2",
    "BUS_MAX_TOGETHER": "5",
    "BUS_MAX_INBOX": "4",
    "BUS_MAX_STREAMS": "4",
    "BUS_MAX_STREAMS_EACH": "2",
    "BUS_RATE_PER_S": "1",
    "BUS_RATE_BURST": "60",
}


@pytest.fixture
def small(tmp_path, made_data):
    """A bus with small limits."""
    with serving(Bus(tmp_path / "data", settings=SMALL), made_data) as one:
        yield one


@pytest.fixture
def tokens(small):
    return {name: small.add(name) for name in ("ann", "ben", "cat")}


def send(bus, token, **message):
    return ask(bus, token, "/api/send", json.dumps({"to": "ben", "body": "x"} | message).encode())


def inbox(bus, token):
    return bus.call(token, "GET", "/api/inbox?view=headers")[1]["items"]


def test_a_body_at_the_limit_is_taken_and_one_byte_more_is_not(small, tokens):
    assert send(small, tokens["ann"], body="x" * 1000)[0] == 202
    status, _, said = send(small, tokens["ann"], body="\u00fc" * 501)
    assert (status, said["code"]) == (413, "body_too_large")
    assert "1002 bytes, at most 1000" in said["detail"]
    assert len(inbox(small, tokens["ben"])) == 1


@pytest.mark.parametrize("chunked", [False, True])
def test_a_request_over_the_limit_is_not_read(small, tokens, chunked):
    body = json.dumps([{"to": "ben", "body": "x" * 900}] * 100).encode()
    given = iter([body[:50_000], body[50_000:]]) if chunked else body
    status, _, said = ask(small, tokens["ann"], "/api/send", given)
    assert (status, said["code"]) == (413, "body_too_large"), said
    assert inbox(small, tokens["ben"]) == []


@pytest.mark.parametrize("name", ["ann", ""])
def test_who_sends_far_too_much_before_it_listens_is_told_so_and_not_cut_off(small, tokens, name):
    """An agent's urllib sends it all, with `Connection: close`, and only then reads."""
    head = {"Content-Type": "application/json"}
    head |= {"Authorization": f"Bearer {tokens[name]}"} if name else {}
    asked = urllib.request.Request(f"{small.url}/api/send", b" " * 20_000_000, head)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(asked, timeout=30)
    with refused.value as answer:
        code = json.load(answer)["code"]
    assert (refused.value.code, code) == (413, "body_too_large")


def test_who_shows_no_token_fills_neither_memory_nor_log(small):
    given = iter([b'{"code": "', b"x" * 20_000])
    for body in (b"x" * 20_000, given):
        status, _, said = ask(small, "", "/api/enrol", body)
        assert (status, said["code"]) == (413, "body_too_large")
    for number in range(150):
        ask(small, "nobody", f"/nowhere/{number}", method="GET")
    log = (small.data_dir / "bus.log").read_text()
    assert 0 < log.count("status=404") < 100


def test_a_batch_for_too_many_is_refused_before_it_costs_a_write(small, tokens):
    batch = [{"to": ["ben", "cat"], "body": "x"}] * 3
    status, _, said = ask(small, tokens["ann"], "/api/send", json.dumps(batch).encode())
    assert (status, said["code"]) == (400, "batch_too_large")
    assert inbox(small, tokens["ben"]) == []


def test_a_batch_and_a_list_of_recipients_have_their_ends(small, tokens):
    one = {"to": "ben", "body": "x"}
    status, _, said = ask(small, tokens["ann"], "/api/send", json.dumps([one] * 4).encode())
    assert (status, said["code"]) == (400, "batch_too_large")
    assert "at most 3" in said["detail"]
    status, _, said = send(small, tokens["ann"], to=["ann", "ben", "cat"])
    assert (status, said["code"]) == (400, "too_many_recipients")
    assert "3 names; at most 2" in said["detail"]
    assert ask(small, tokens["ann"], "/api/send", b"[]")[0] == 400
    assert inbox(small, tokens["ben"]) == []


def test_a_full_inbox_says_when_to_try_again(small, tokens):
    for _ in range(4):
        assert send(small, tokens["ann"])[0] == 202
    status, headers, said = send(small, tokens["ann"])
    assert (status, said["code"], said["retryable"]) == (429, "inbox_full", True)
    assert headers["Retry-After"] == "60"
    assert len(inbox(small, tokens["ben"])) == 4


def test_one_that_asks_too_often_waits_and_the_others_do_not(small, tokens):
    refused = None
    for _ in range(100):
        status, headers, said = ask(small, tokens["ann"], "/api/whoami", method="GET")
        if status != 200:
            refused = status, said["code"], said["retryable"], headers["Retry-After"]
            break
    assert refused == (429, "rate_limited", True, "1")
    assert small.call(tokens["ben"], "GET", "/api/whoami")[0] == 200


@contextmanager
def stream(bus, token):
    """Open a stream; gives its status, headers and first bytes."""
    where = bus.url.removeprefix("http://")
    with closing(http.client.HTTPConnection(where, timeout=60)) as link:
        link.request("GET", "/api/stream", headers={"Authorization": f"Bearer {token}"})
        answer = link.getresponse()
        yield answer.status, answer.headers, answer.read1(65_536)


def test_streams_have_their_ends_each_and_together_and_sending_still_goes(small, tokens):
    with ExitStack() as opened:
        for name in ("ann", "ann", "ben"):
            assert opened.enter_context(stream(small, tokens[name]))[0] == 200
        status, headers, said = opened.enter_context(stream(small, tokens["ann"]))
        assert (status, json.loads(said)["code"]) == (503, "too_many_streams")
        assert "ann has 2" in json.loads(said)["detail"]
        assert headers["Retry-After"] == "30"
        assert opened.enter_context(stream(small, tokens["ben"]))[0] == 200
        status, headers, said = opened.enter_context(stream(small, tokens["cat"]))
        assert (status, json.loads(said)["code"]) == (503, "too_many_streams")
        assert headers["Retry-After"] == "30"
        assert send(small, tokens["cat"])[0] == 202


def test_a_stream_that_ended_gives_its_place_back(small, tokens):
    with stream(small, tokens["ann"]), stream(small, tokens["ann"]):
        pass
    for _ in range(200):  # the bus sees that a reader has gone when it next writes to it
        send(small, tokens["ben"], to="ann")
        for item in small.call(tokens["ann"], "GET", "/api/inbox")[1]["items"]:
            small.call(tokens["ann"], "POST", "/api/ack", {"handle": item["handle"]})
        with stream(small, tokens["ann"]) as (status, _, _):
            if status == 200:
                return
    raise AssertionError("the places of streams that ended are lost")
