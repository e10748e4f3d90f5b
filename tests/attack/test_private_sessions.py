"""Nobody outside a session learns what is said there, or what it is called, by any call."""

from __future__ import annotations

import pytest

TITLE, BODY = "zanzibar title", "xylophone body"
OUTSIDE = ("pia", "dan", "cat", "otto", "wim", "here", "there", "admin")
PATHS = (
    "{session}",
    "{session}/entries",
    "{session}/search?q=xylophone",
    "{session}/export",
    "/api/sessions",
    "/api/sessions/search?q=xylophone",
    "/api/sessions/search?q=zanzibar",
    "/api/messages/{message}",
    "/api/messages/{dead}",
    "/api/messages?with=ann&limit=100",
    "/api/messages?with=ben&limit=100",
    "/api/inbox?limit=100",
    "/api/inbox?view=headers&limit=100",
    "/api/brief?limit=200&since=2026-01-01T00:00:00Z",
    "/api/deliveries?limit=500",
    "/api/held",
    "/api/wakes?state=all&limit=500",
    "/api/agents",
    "/api/agents/ann",
    "/api/tasks?status=all",
    "/api/runs?state=all&limit=500",
    "/api/alerts?state=all&limit=200",
    "/api/cost?by=thread",
    "/api/stream",
    "/api/stream?last_event_id=earliest",
    "/metrics",
)


@pytest.fixture(scope="module")
def secret(world):
    """Have ann and ben talk: something is dead, something is held, something was said last."""
    made = {"title": TITLE, "participants": [{"name": "ben", "wake": "always"}]}
    status, answer = world.call("ann", "POST", "/api/sessions", made)
    assert status == 201, answer
    session = f"/api/sessions/{answer['session_id']}"
    dead = say(world, "ann", session)["deliveries"][0]["id"]
    (item,) = world.call("ben", "GET", f"/api/inbox?id={dead}")[1]["items"]
    fatal = {"handle": item["handle"], "mode": "fatal", "reason": "no"}
    assert world.call("ben", "POST", "/api/release", fatal)[0] == 200
    assert world.call("ben", "PATCH", f"{session}/participants/ann", {"wake": "always"})[0] == 403
    assert world.call("ann", "PATCH", f"{session}/participants/me", {"wake": "always"})[0] == 200
    who, other, state, most = "ann", "ben", "queued", 100
    while state != "held" and most:
        told = say(world, who, session)["deliveries"][0]
        state, who, other, most = told["state"], other, who, most - 1
        for one in world.call(who, "GET", "/api/inbox?limit=100")[1]["items"]:
            if one["type"] == "SESSION" and state != "held":
                last = one
    assert state == "held", "the guard never held it"
    assert last["body"].startswith(BODY)
    return {"session": session, "message": told["id"], "dead": dead}


def say(world, who, session):
    status, answer = world.call(who, "POST", f"{session}/entries", {"body": f"{BODY} of {who}"})
    assert status == 201, answer
    return answer


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("who", OUTSIDE)
def test_nobody_outside_learns_what_is_said(world, secret, who, path):
    papers = {"Authorization": f"Bearer {world.tokens[who]}"}
    for accept in ("application/json", "text/plain"):
        asked = papers | {"Accept": accept}
        _, _, text = world.ask(asked, "GET", path.format(**secret))
        assert "xylophone" not in text.lower().replace("q=xylophone", "")
        assert "zanzibar" not in text.lower().replace("q=zanzibar", "")


def test_the_same_calls_show_it_to_those_in_it(world, secret):
    papers = {"Authorization": f"Bearer {world.tokens['ben']}"}
    shown = {path: world.ask(papers, "GET", path.format(**secret))[2].lower() for path in PATHS}
    told = {path for path, text in shown.items() if "xylophone" in text or "zanzibar" in text}
    assert {"{session}", "{session}/entries", "/api/sessions", "/api/messages/{dead}"} <= told
    assert "/api/stream?last_event_id=earliest" in told


def test_the_bus_writes_nothing_of_it_into_its_log(world, secret):
    log = (world.bus.data_dir / "bus.log").read_text().lower()
    assert secret["session"].rpartition("/")[2].lower() in log
    assert "xylophone" not in log
    assert "zanzibar" not in log


@pytest.mark.parametrize("who", ["pia", "dan", "otto"])
def test_nobody_outside_gets_in_or_speaks(world, secret, who):
    session = secret["session"]
    for method, path, body in (
        ("POST", f"{session}/entries", {"body": "hello"}),
        ("POST", f"{session}/participants", {"name": who}),
        ("PATCH", session, {"title": "mine"}),
        ("DELETE", f"{session}/participants/ben", None),
        ("POST", f"{session}/cursor", {"place": 1}),
        ("POST", "/api/send", {"to": "ben", "body": "x", "in_reply_to": secret["dead"]}),
        ("POST", f"/api/messages/{secret['dead']}/redrive", {}),
        ("POST", f"/api/messages/{secret['message']}.1/reply", {"body": "x"}),
    ):
        status, answer = world.call(who, method, path, body)
        assert status == 404, (method, path, answer)


def test_a_person_who_sees_both_lets_a_held_session_go_without_seeing_it(world, secret):
    thread = f"t_{secret['session'].rpartition('s_')[2]}"
    held = world.call("pia", "GET", "/api/held")[1]["threads"]
    assert thread in {one["thread"] for one in held}
    assert world.call("otto", "POST", f"/api/threads/{thread}/release")[0] == 404
    assert world.call("pia", "POST", f"/api/threads/{thread}/release")[1]["released"] >= 1
