"""The table of who may do what, cell by cell on a real bus."""

from __future__ import annotations

import hashlib
import json
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cast import NOWHERE
from permissions import PRINCIPALS, TABLE, Row, shown

from bus.web.answers import ANSWERS
from bus.web.openapi import PROBLEM
from bus.web.problems import STATUS

if TYPE_CHECKING:
    from cast import World

NTFY = {"kind": "ntfy", "url": NOWHERE, "topic": "t"}
BARE = {401: "unauthorized", 403: "forbidden", 404: "not_found"}
"""What a refusal without a body means."""
Asked = tuple[str, Any, str]
"""A path, a body, and what shows the subject in an answer."""


def about_item(world: World, owner: str, action: str) -> Asked:
    handle = world.give("ben" if owner != "ben" else "ann", owner)["handle"]
    return f"/api/{action}", {"handles": [handle]}, "results"


def to_send(world: World, owner: str, case: str) -> Asked:
    body = {"to": "dan", "body": "x"}
    if case == "in the agent's name":
        body |= {"from": owner}
    elif case == "in answer to the agent's mail":
        body |= {"in_reply_to": world.send("dan", owner)}
    return "/api/send", body, "accepted"


def to_reply(world: World, owner: str, _case: str) -> Asked:
    return f"/api/messages/{world.give('dan', owner)['handle']}/reply", {"body": "x"}, "accepted"


def thread_of(world: World, message_id: str) -> str:
    return world.admin("GET", f"/api/messages/{message_id}")["thread"]


def open_wake(world: World) -> str:
    world.send("ben", "ann")
    return world.admin("GET", "/api/wakes?agent=ann")["wakes"][0]["wake_id"]


def run_of(world: World, owner: str, case: str) -> str:
    return world.dispatch("dan", "wim") if case == "for the worker" else world.dispatch(owner)


def at_work(world: World, worker: str) -> str:
    """Have a worker be at work on a run, without which it dispatches none; gives where to."""
    run_id = world.dispatch("ann", worker)
    assert world.call(worker, "POST", f"/api/runs/{run_id}/claim", {"instance": "one"})[0] == 200
    return "/api/runs"


def alert(world: World, owner: str) -> str:
    """Raise an alert, once those before it are settled: so many may be open; gives its id."""
    for before in world.call(owner, "GET", "/api/alerts")[1]["alerts"]:
        world.admin("POST", f"/api/alerts/{before['id']}/settle", {})
    said = {"severity": "warning", "subject": world.fresh("fire")}
    status, answer = world.call(owner, "POST", "/api/alerts", said)
    assert status == 201, answer
    return answer["id"]


def target(world: World, what: str = "") -> str:
    """Have pia be told of things somewhere; gives the path of that."""
    path = "/api/people/pia/notices/phone"
    status, answer = world.call("pia", "PUT", path, NTFY)
    assert status in {200, 201}, answer
    return path + what


def claimed_run(world: World, action: str, **more: Any) -> Asked:
    run = world.dispatch("dan", "wim")
    status, claim = world.call("wim", "POST", f"/api/runs/{run}/claim", {"instance": "one"})
    assert status == 200, claim
    return f"/api/runs/{run}/{action}", {"claim": claim["claim"], **more}, "state"


def new_agent(world: World) -> str:
    name = world.fresh("agent")
    world.add({"name": name})
    return name


def to_change(world: World, _owner: str, case: str) -> Asked:
    if case == "any agent":
        return f"/api/agents/{new_agent(world)}", {"paused": True}, "name"
    body: Any = {"quiet": {"zone": "UTC", "windows": ["03:00-03:01"]}}
    return "/api/agents/pia", body | ({"name": "pia"} if "name" in case else {}), "quiet"


def new_group(world: World) -> str:
    name = world.fresh("group")
    world.admin("POST", "/api/groups", {"name": name, "members": ["ann"]})
    return name


def new_node(world: World) -> dict[str, Any]:
    return world.admin("POST", "/api/nodes", {"name": world.fresh("node")})


def history(world: World, owner: str, _case: str) -> Asked:
    mark = world.fresh("word")
    world.send(owner, "ben", mark)
    return "/api/messages?with=ben&limit=100", None, mark


def inbox(world: World, owner: str, _case: str) -> Asked:
    return "/api/inbox?limit=100&view=headers", None, world.send("dan", owner)


def task(world: World, _owner: str, case: str) -> Asked:
    """Ask for a task of ann's; a worker adds and holds none, so that this is never the worker's."""
    made = {"title": world.fresh("task"), "body": "x"}
    status, answer = world.call("ann", "POST", "/api/tasks", made)
    assert status == 201, answer
    path = f"/api/tasks/{answer['id']}"
    steps = ["in_progress"] if "hand in" in case else []
    steps = ["in_progress", "review"] if "approve" in case else steps
    for to in steps:
        assert world.call("ann", "PATCH", path, {"status": to})[0] == 200
    wanted = {"claim": "in_progress", "hand in": "review", "approve": "done", "block": "blocked"}
    to = next((status for word, status in wanted.items() if word in case), "in_progress")
    body: Any = {"status": to, "note": "why"}
    if "title" in case:
        body = {"title": "another"}
    elif "name" in case:
        body["agent"] = "ann"
    return path, body, answer["id"]


def task_list(world: World, owner: str, case: str) -> Asked:
    return "/api/tasks?status=all", None, task(world, owner, case)[2]


def task_told(world: World, owner: str, case: str) -> Asked:
    path, _, subject = task(world, owner, case)
    assert world.call("ann", "PATCH", path, {"status": "in_progress"})[0] == 200
    return "/api/stream?last_event_id=earliest", None, subject


def session(world: World, path: str = "", body: Any = None, shows: str = "") -> Asked:
    """Ask for a session of ann's with ben; what shows it is its id, or else what is given."""
    made = {"title": world.fresh("title"), "participants": [{"name": "ben", "wake": "always"}]}
    status, answer = world.call("ann", "POST", "/api/sessions", made)
    assert status == 201, answer
    where = f"/api/sessions/{answer['session_id']}"
    said = world.call("ann", "POST", f"{where}/entries", {"body": world.fresh("secret")})
    assert said[0] == 201, said
    return where + path, body, shows or answer["session_id"]


def begun_output(world: World) -> Asked:
    """End what ann says in a session of hers with ben; what shows it is its entry."""
    outputs = f"{session(world)[0]}/outputs"
    entry = world.call("ann", "POST", outputs, {})[1]["entry_id"]
    return f"{outputs}/{entry}/end", {}, entry


def session_list(world: World, _owner: str, _case: str) -> Asked:
    return "/api/sessions?limit=200", None, session(world)[2]


def shared(world: World) -> str:
    """Make a session of ann's with ben and pia; gives its path."""
    made = {"title": world.fresh("title"), "participants": ["ben", "pia"]}
    status, answer = world.call("ann", "POST", "/api/sessions", made)
    assert status == 201, answer
    return f"/api/sessions/{answer['session_id']}"


def approval(world: World) -> str:
    """Ask pia as ann, once what was asked before is taken back: so many may be open."""
    for before in world.call("ann", "GET", "/api/approvals")[1]["approvals"]:
        world.call("ann", "POST", f"/api/approvals/{before['approval_id']}/withdraw", {})
    status, answer = world.call("ann", "POST", f"{shared(world)}/approvals", {"title": "may I?"})
    assert status == 201, answer
    return answer["approval_id"]


def to_ask(world: World, owner: str, _case: str) -> Asked:
    approval(world)
    body = {"title": "may I?"}
    if owner == "wim":  # a worker asks for a run alone, and only where that belongs
        body["run_id"] = world.dispatch("ann", "wim")
    return f"{shared(world)}/approvals", body, "approval_id"


def trace(world: World, owner: str, case: str) -> Asked:
    if "session" not in case:
        return f"/api/messages/{world.send(owner, 'ben')}", None, "ladder"
    said = world.call("ann", "POST", f"{session(world)[0]}/entries", {"body": "x"})[1]
    return f"/api/messages/{said['deliveries'][0]['id']}", None, "ladder"


def stream(world: World, owner: str, case: str) -> Asked:
    if "session" in case:
        return "/api/stream?last_event_id=earliest", None, session(world)[2]
    if "task" in case:
        return task_told(world, owner, case)
    told = world.send("ben", owner)
    wake = next(iter(world.admin("GET", f"/api/wakes?agent={owner}")["wakes"]), {})
    return "/api/stream?last_event_id=earliest", None, f"{told}|{wake.get('wake_id', told)}"


def wakes(world: World, owner: str, _case: str) -> Asked:
    return "/api/wakes?state=all&limit=500", None, open_wake(world)


def hold(world: World, owner: str) -> str:
    """Have the agent and its peer answer each other until their thread is held."""
    who, to, answered = owner, "ben", {}
    while True:
        sent = world.call(who, "POST", "/api/send", {"to": to, "body": "and?", **answered})[1]
        if sent["deliveries"][0]["state"] == "held":
            return sent["thread"]
        who, to, answered = to, who, {"in_reply_to": sent["id"]}


def cost(world: World, _owner: str, _case: str) -> Asked:
    done = {"state": "ended", "tokens_in": 5, "cost_usd": 0.1}
    wake = f"/api/wakes/{open_wake(world)}"
    for turn in ({"state": "received"}, {"state": "admitted", "turn_id": "t"}):
        assert world.call("here", "POST", wake, turn)[0] == 200
    world.call("ann", "GET", "/api/inbox")
    assert world.call("here", "POST", wake, done)[0] == 200
    return "/api/cost", None, '"ann"'


def enrolment(world: World, _owner: str, case: str) -> Asked:
    code = new_node(world)["code"] if "good" in case else "AAAA-AAAA-AAAA-AAAA"
    return "/api/enrol", {"code": code, "nonce": "n" * 32, "url": world.bus.url}, "server_time"


def to_whom(case: str) -> str:
    return "dan" if "a third one" in case else "ben"


def cancel(world: World, owner: str, case: str) -> Asked:
    return f"/api/messages/{world.send(owner, to_whom(case))}/cancel", {}, "cancelled"


def make_dead(world: World, owner: str, case: str) -> str:
    item = world.give(owner, to_whom(case))
    dead = {"handle": item["handle"], "mode": "fatal", "reason": "x"}
    assert world.call(to_whom(case), "POST", "/api/release", dead)[0] == 200
    return item["id"]


def redrive(world: World, owner: str, case: str) -> Asked:
    return f"/api/messages/{make_dead(world, owner, case)}/redrive", {}, "queued"


def renewal(world: World, _owner: str, case: str) -> Asked:
    made = hashlib.sha256(world.fresh("token").encode()).hexdigest()
    if "the node's own" in case:
        return "/api/nodes/self/tokens", {"node": made}, "taken"
    name = world.fresh("agent")
    world.add({"name": name, "node": "here", "compartments": ["work"]})
    old = world.admin("POST", "/api/tokens", {"kind": "agent", "subject": name})["id"]
    if "by nobody" not in case:
        world.admin("POST", "/api/tokens/rotate", {"kind": "agent", "subject": name})
    if "revoked" in case:
        world.admin("DELETE", f"/api/tokens/{old}")
    return "/api/nodes/self/tokens", {"agents": {name: made}}, name


def durable(world: World, owner: str, _case: str) -> Asked:
    path, word = f"/streams/{world.fresh('stream')}", world.fresh("word")
    assert world.call(owner, "PUT", path, [word])[0] == 201
    return path, None, word


def token_holder(world: World) -> str:
    name = new_agent(world)
    world.token("agent", name)
    return name


def new_token(world: World) -> str:
    made = world.admin("POST", "/api/tokens", {"kind": "agent", "subject": "dan"})
    return f"/api/tokens/{made['id']}"


ASKS = {
    "POST /api/send": to_send,
    "GET /api/inbox": inbox,
    "POST /api/ack": lambda world, owner, _: about_item(world, owner, "ack"),
    "POST /api/release": lambda world, owner, _: about_item(world, owner, "release"),
    "POST /api/extend": lambda world, owner, _: about_item(world, owner, "extend"),
    "POST /api/messages/<handle>/reply": to_reply,
    "GET /api/messages/<message_id>": trace,
    "GET /api/messages": history,
    "POST /api/messages/<message_id>/cancel": cancel,
    "POST /api/messages/<message_id>/redrive": redrive,
    "GET /api/deliveries": lambda world, owner, case: (
        "/api/deliveries", None, make_dead(world, owner, case)),
    "POST /api/deliveries/redrive": lambda world, owner, case: (
        "/api/deliveries/redrive", {}, make_dead(world, owner, case)),
    "POST /api/threads/<thread>/release": lambda world, owner, _: (
        f"/api/threads/{thread_of(world, world.send(owner, 'ben'))}/release", None, "released"),
    "GET /api/brief": lambda world, owner, case: (
        "/api/brief?limit=200", None, make_dead(world, owner, case)),
    "POST /api/brief": lambda *_: (
        "/api/brief", {"seen_until": "2026-01-01T00:00:00Z"}, "seen_until"),
    "GET /api/held": lambda world, owner, _: ("/api/held", None, hold(world, owner)),
    "POST /api/agents/<name>/release": lambda _world, owner, _: (
        f"/api/agents/{owner}/release", None, "released"),
    "GET /api/cost": cost,
    "GET /api/stream": stream,
    "GET /api/wakes": wakes,
    "POST /api/wakes/<wake_id>": lambda world, _owner, _: (
        f"/api/wakes/{open_wake(world)}", {"state": "received"}, "text"),
    "GET /api/tasks": task_list,
    "POST /api/tasks": lambda *_: ("/api/tasks", {"title": "sweep the yard"}, "sweep"),
    "GET /api/tasks/<task_id>": lambda world, owner, case: (
        task(world, owner, case)[0], None, "history"),
    "PATCH /api/tasks/<task_id>": task,
    "POST /api/tasks/<task_id>/notes": lambda world, owner, case: (
        f"{task(world, owner, case)[0]}/notes", {"text": "half of it"}, "half of it"),
    "POST /api/runs": lambda world, *_: (
        at_work(world, "wim"),
        {"worker": "wes", "task": "look", "label": world.fresh("run"), "size": "S",
         "cleanup": "keep"}, "accepted"),
    "GET /api/runs": lambda world, owner, _: (
        "/api/runs?limit=500", None, world.dispatch(owner)),
    "GET /api/runs/<run_id>": lambda world, owner, _: (
        f"/api/runs/{world.dispatch(owner)}", None, "ladder"),
    "POST /api/runs/<run_id>/cancel": lambda world, owner, case: (
        f"/api/runs/{run_of(world, owner, case)}/cancel", {}, "cancelled"),
    "POST /api/runs/<run_id>/claim": lambda world, owner, case: (
        f"/api/runs/{run_of(world, owner, case)}/claim", {"instance": "one"}, "limit_s"),
    "POST /api/runs/<run_id>/alive": lambda world, *_: claimed_run(world, "alive"),
    "POST /api/runs/<run_id>/end": lambda world, *_: claimed_run(world, "end", status="completed"),
    "POST /api/alerts": lambda world, *_: (
        "/api/alerts", {"severity": "info", "subject": world.fresh("fire")}, "open"),
    "GET /api/alerts": lambda world, owner, _: (
        "/api/alerts?state=all&limit=200", None, alert(world, owner)),
    "GET /api/alerts/<alert_id>": lambda world, owner, _: (
        f"/api/alerts/{alert(world, owner)}", None, "severity"),
    "POST /api/alerts/<alert_id>/settle": lambda world, owner, _: (
        f"/api/alerts/{alert(world, owner)}/settle", {}, "settled"),
    "GET /api/people/<name>/notices": lambda world, *_: (
        target(world).removesuffix("/phone"), None, "phone"),
    "PUT /api/people/<name>/notices/<target>": lambda world, *_: (target(world), NTFY, "phone"),
    "DELETE /api/people/<name>/notices/<target>": lambda world, *_: (
        target(world), None, "removed"),
    "POST /api/people/<name>/notices/<target>/test": lambda world, *_: (
        target(world, "/test"), None, "cannot be reached"),
    "GET /api/sessions": session_list,
    "POST /api/sessions": lambda world, *_: (
        "/api/sessions", {"title": world.fresh("title"), "participants": ["dan"]}, "dan"),
    "GET /api/sessions/<session_id>": lambda world, *_: session(world),
    "PATCH /api/sessions/<session_id>": lambda world, *_: (
        session(world, "", {"title": "another"}, "another")),
    "POST /api/sessions/<session_id>/participants": lambda world, *_: (
        session(world, "/participants", {"name": "dan"})),
    "PATCH /api/sessions/<session_id>/participants/<name>": lambda world, *_: (
        session(world, "/participants/ann", {"wake": "mention"})),
    "DELETE /api/sessions/<session_id>/participants/<name>": lambda world, *_: (
        session(world, "/participants/ann")),
    "POST /api/sessions/<session_id>/entries": lambda world, *_: (
        session(world, "/entries", {"body": "hello"})),
    "GET /api/sessions/<session_id>/entries": lambda world, *_: session(world, "/entries"),
    "POST /api/sessions/<session_id>/outputs": lambda world, *_: (
        session(world, "/outputs", {})),
    "POST /api/sessions/<session_id>/outputs/<entry_id>/end": lambda world, *_: (
        begun_output(world)),
    "POST /api/sessions/<session_id>/cursor": lambda world, *_: (
        session(world, "/cursor", {"place": 1})),
    "GET /api/sessions/<session_id>/export": lambda world, *_: session(world, "/export"),
    "POST /api/sessions/import": lambda *_: (
        "/api/sessions/import", {"wakebus": "session", "version": 1, "title": "old"}, "imported"),
    "GET /api/sessions/search": lambda world, *_: (
        "/api/sessions/search?q=secret", None, session(world)[2]),
    "GET /api/sessions/<session_id>/search": lambda world, *_: (
        session(world, "/search?q=secret")),
    "POST /api/sessions/<session_id>/approvals": to_ask,
    "POST /api/approvals": lambda world, *_: (
        "/api/approvals", {"title": "may I?", "to": "pia"}, approval(world) and "approval_id"),
    "GET /api/approvals": lambda world, *_: ("/api/approvals?limit=200", None, approval(world)),
    "GET /api/approvals/<approval_id>": lambda world, *_: (
        f"/api/approvals/{approval(world)}", None, "may_answer"),
    "POST /api/approvals/<approval_id>/answer": lambda world, *_: (
        f"/api/approvals/{approval(world)}/answer", {"answer": "deny"}, "answered"),
    "POST /api/approvals/<approval_id>/withdraw": lambda world, *_: (
        f"/api/approvals/{approval(world)}/withdraw", {}, "withdrawn"),
    "POST /api/sessions/<session_id>/steer": lambda world, *_: (
        f"{shared(world)}/steer", {"what": "stop"}, "withdrawn"),
    "GET /api/whoami": lambda *_: ("/api/whoami", None, "kind"),
    "GET /api/agents": lambda _world, owner, _: ("/api/agents", None, f'"{owner}"'),
    "GET /api/agents/<name>": lambda _world, owner, _: (f"/api/agents/{owner}", None, owner),
    "POST /api/agents": lambda world, *_: ("/api/agents", {"name": world.fresh("agent")}, "name"),
    "PATCH /api/agents/<name>": to_change,
    "DELETE /api/agents/<name>": lambda world, *_: (
        f"/api/agents/{new_agent(world)}", None, "removed"),
    "POST /api/people/<name>/sign-in": lambda *_: ("/api/people/pia/sign-in", None, "code"),
    "GET /api/groups": lambda *_: ("/api/groups", None, '"team"'),
    "POST /api/groups": lambda world, *_: (
        "/api/groups", {"name": world.fresh("group"), "members": ["ann"]}, "members"),
    "PUT /api/groups/<name>": lambda world, *_: (
        f"/api/groups/{new_group(world)}", {"members": ["ben"]}, "members"),
    "DELETE /api/groups/<name>": lambda world, *_: (
        f"/api/groups/{new_group(world)}", None, "removed"),
    "GET /api/nodes": lambda *_: ("/api/nodes", None, '"here"'),
    "POST /api/nodes": lambda world, *_: ("/api/nodes", {"name": world.fresh("node")}, "code"),
    "POST /api/nodes/<name>/code": lambda world, *_: (
        f"/api/nodes/{new_node(world)['name']}/code", None, "code"),
    "PATCH /api/nodes/<name>": lambda world, *_: (
        f"/api/nodes/{new_node(world)['name']}", {"name": world.fresh("node")}, "name"),
    "DELETE /api/nodes/<name>": lambda world, *_: (
        f"/api/nodes/{new_node(world)['name']}", None, "removed"),
    "POST /api/nodes/self": lambda *_: (
        "/api/nodes/self", {"version": "1", "methods": {"ann": {"method": "hook"}}}, "node"),
    "GET /api/nodes/self/roster": lambda *_: ("/api/nodes/self/roster", None, '"ann"'),
    "POST /api/nodes/self/tokens": renewal,
    "POST /api/enrol": enrolment,
    "GET /api/tokens": lambda *_: ("/api/tokens", None, '"ann"'),
    "POST /api/tokens": lambda *_: ("/api/tokens", {"kind": "agent", "subject": "dan"}, "token"),
    "POST /api/tokens/rotate": lambda world, *_: (
        "/api/tokens/rotate", {"kind": "agent", "subject": token_holder(world)}, "token"),
    "DELETE /api/tokens/<token_id>": lambda world, *_: (new_token(world), None, "revoked"),
    "GET /api/compartments": lambda *_: ("/api/compartments", None, '"ann"'),
    "PUT /streams/<stream_id>": lambda world, *_: (
        f"/streams/{world.fresh('stream')}", ["x"], ""),
    "POST /streams/<stream_id>": lambda world, *given: (
        durable(world, *given)[0], {"more": True}, ""),
    "HEAD /streams/<stream_id>": lambda world, *given: (*durable(world, *given)[:2], ""),
    "GET /streams/<stream_id>": durable,
    "DELETE /streams/<stream_id>": lambda world, *given: (*durable(world, *given)[:2], ""),
    "OPTIONS /streams/<stream_id>": lambda *_: ("/streams/any", None, ""),
    "GET /metrics": lambda *_: ("/metrics", None, "wakebus_requests"),
    "GET /healthz": lambda *_: ("/healthz", None, "ok"),
    "GET /readyz": lambda *_: ("/readyz", None, "ready"),
    "GET /openapi.json": lambda *_: ("/openapi.json", None, "paths"),
}  # fmt: skip


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.call} {row.case}")
def test_each_may_do_what_the_table_says_and_no_more(world, row: Row):
    wrong = {}
    for principal, expected in row.cells.items():
        owner = "wim" if principal == "worker" else "ann"
        for papers in world.papers(principal):
            path, body, subject = ASKS[row.call](world, owner, row.case)
            got = said(row.call, *world.ask(papers, row.call.split()[0], path, body), subject)
            if got != expected:
                wrong[principal] = f"{got}, not {expected}"
    assert wrong == {}


def said(call: str, status: int, answer: dict[str, Any], text: str, subject: str) -> str:
    """Write an answer as the table does, once it is what `/openapi.json` promises."""
    if call.startswith("HEAD") and status in BARE:
        return BARE[status]
    if status >= 400:
        assert STATUS[answer["code"]] == status
        assert set(PROBLEM["required"]) <= set(answer)
        return answer["code"]
    assert status in ANSWERS[call].statuses
    assert set(ANSWERS[call].has.split()) <= set(answer)
    return f"{status}" if any(part in text for part in subject.split("|")) else f"{status} -"


def test_a_new_call_cannot_come_without_its_row(world):
    with urllib.request.urlopen(f"{world.bus.url}/openapi.json", timeout=60) as answer:
        paths = json.load(answer)["paths"]
    served = {
        f"{method.upper()} {path.replace('{', '<').replace('}', '>')}"
        for path, calls in paths.items()
        for method in calls
    }
    assert {row.call for row in TABLE} == served
    assert set(ASKS) == set(ANSWERS) == served


def test_each_row_says_something_of_every_kind_of_principal():
    assert all(set(row.cells) == set(PRINCIPALS) for row in TABLE)


PAGE = Path(__file__).parents[2] / "docs" / "reference" / "permissions.md"


def test_the_page_says_what_the_table_says():
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    written = [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")]
    kinds = [[f"`{name}`", meaning] for name, meaning in PRINCIPALS.items()]
    head = ["call", "about", *PRINCIPALS]
    rows = [[shown(row.call), row.case, *row.cells.values()] for row in TABLE]
    assert written == [["principal", "who that is"], *kinds, head, *rows]
