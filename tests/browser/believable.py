"""Three days of a small team and its agents, for pictures: a fleet, a board, costs, a session.

The team keeps a ferry's timetable. What stands here is made up.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import fleetlife as life
from browsing import House

if TYPE_CHECKING:
    from pastbus import PastBus

MACHINES = {"desk": ("anna", "ben"), "attic": ("cleo",), "boathouse": ("dora", "emil")}
NODE_OF = {agent: node for node, agents in MACHINES.items() for agent in agents}
SUBJECTS = (
    *("the harbour's timetable", "ice on the sound", "tickets that were paid twice"),
    *("the autumn fares", "a translation of the signs", "photographs of the new quay"),
)
TASKS = (
    ("Publish the winter timetable", "anna", "in_progress", ""),
    ("Answer the harbour office about berth 3", "cleo", "in_progress", ""),
    ("Refund tickets that were paid twice", "ben", "blocked", "waits for the bank's list"),
    ("Photographs of the new quay", "dora", "review", ""),
    ("Move the backups to the boathouse", "emil", "done", ""),
    ("Check the fares against last year's", "ben", "done", ""),
    ("Translate the signs into Finnish", "", "backlog", ""),
    ("A page for lost luggage", "", "backlog", ""),
    ("Ask for next year's berths", "", "backlog", ""),
)
STEPS = {
    "backlog": (),
    "in_progress": ("in_progress",),
    "blocked": ("in_progress", "blocked"),
    "review": ("in_progress", "review"),
    "done": ("in_progress", "review", "done"),
}
WORDS = (
    "I have gone through the list once more. Of 214 sailings 209 agree with the harbour's plan. "
)
REST = (
    "The five others are those of the night of the clock change: two arrive before they leave. "
    "I am writing them anew now, beginning with the 02:30 from the north"
)


@dataclass
class Team:
    """What the pictures are taken of."""

    house: House
    past: PastBus
    session: str = ""
    message: str = ""
    task: str = ""
    run: str = ""
    dice: random.Random = field(default_factory=lambda: random.Random(7))

    def wait(self, least_s: float, most_s: float) -> None:
        self.past.clock.advance(self.dice.uniform(least_s, most_s))

    def turn(self, sender: str, agent: str, answer: str = "", **draft: Any) -> str:
        """Have an agent be written to, woken, read, answer or ack; gives the message."""
        node, call = NODE_OF[agent], self.house.call
        sent = call(sender, "POST", "/api/send", {"to": agent, "type": "TASK", **draft})
        (wake,) = call(agent, "GET", f"/api/wakes?agent={agent}")["wakes"]
        path = f"/api/wakes/{wake['wake_id']}"
        self.wait(0.01, 0.04)
        call(node, "POST", path, {"state": "received"})
        self.wait(0.3, 0.9)
        call(node, "POST", path, {"state": "admitted", "turn_id": "t", "method": "gateway"})
        self.wait(1, 3)
        items = call(agent, "GET", "/api/inbox?limit=50")["items"]
        self.wait(8, 45)
        if answer:
            reply = {"to": sender, "body": answer, "in_reply_to": sent["id"]}
            call(agent, "POST", "/api/send", reply)
        call(agent, "POST", "/api/ack", {"handles": [item["handle"] for item in items]})
        self.wait(1, 2)
        used = self.dice.randint(9_000, 60_000)
        cost = {"tokens_in": used, "tokens_out": used // 19, "cost_usd": round(used * 4.1e-6, 4)}
        call(node, "POST", path, {"state": "ended", **cost})
        return str(sent["id"])

    def say(self, who: str, body: str, **more: Any) -> None:
        self.wait(20, 90)
        path = f"/api/sessions/{self.session}/entries"
        self.house.call(who, "POST", path, {"body": body, **more})


def fill(past: PastBus) -> Team:
    """Have it all happen."""
    team = Team(House(past), past)
    house = team.house
    for name in ("maria", "tom"):
        house.add(name, kind="person")
    for node, agents in MACHINES.items():
        life.add_machine(house, node, *agents)
        methods = {agent: {"method": "gateway", "why": "OpenClaw answers"} for agent in agents}
        house.call(node, "POST", "/api/nodes/self", {"version": "1.0", "methods": methods})
    worker = {"name": "press", "kind": "worker", "node": "attic"}
    house.admin("POST", "/api/agents", worker)
    made = house.admin("POST", "/api/tokens", {"kind": "agent", "subject": "press"})
    house.tokens["press"] = made["token"]
    for hours_ago in range(70, 2, -3):
        past.at(hours_ago)
        for agent in team.dice.sample(sorted(NODE_OF), 2):
            subject = team.dice.choice(SUBJECTS)
            who = team.dice.choice(("maria", "tom"))
            team.turn(who, agent, subject=subject, body=f"Please look at {subject}.")
    past.at(0.95)
    keep_board(team)
    for who in (*NODE_OF, "maria", "tom"):
        settle(team, who)
    past.at(0.6)
    go_wrong(team)
    past.at(0.45)
    team.message = team.turn(
        *("maria", "cleo", "Berth 3 is ours from the 1st of March, 06:00."),
        subject="Berth 3",
        body="Ask the harbour office from when on we may use **berth 3**, please.",
    )
    past.at(0.3)
    talk(team)
    past.at(0.06)
    life.hold_thread(team.house, "anna", "emil")
    for who in NODE_OF:
        settle(team, who)
    past.at(0.05)
    for who, subject in (("tom", "the autumn fares"), ("maria", "ice on the sound")):
        team.turn(who, "ben", "It is done; see the board.", subject=subject, body="Again, please.")
    return team


def settle(team: Team, who: str) -> None:
    """Have somebody read what they have, and be done with it."""
    items = team.house.call(who, "GET", "/api/inbox?limit=100")["items"]
    if items:
        handles = [item["handle"] for item in items]
        team.house.call(who, "POST", "/api/ack", {"handles": handles})


def keep_board(team: Team) -> None:
    """Have tasks be added, claimed and moved."""
    call = team.house.call
    for title, holder, status, note in TASKS:
        team.wait(5, 40)
        body = "See [the plan](https://example.org/plan).\n\n- by Friday\n- ask **tom** first"
        task_id = call("maria", "POST", "/api/tasks", {"title": title, "body": body})["id"]
        team.task = team.task or task_id
        for step in STEPS[status]:
            team.wait(5, 30)
            who = "tom" if step == "done" else holder
            call(who, "PATCH", f"/api/tasks/{task_id}", {"status": step, "note": note})


def go_wrong(team: Team) -> None:
    """What wants a person: an alert, a dead letter."""
    said = {"severity": "warning", "subject": "The bank's list is two days late", "body": "..."}
    team.house.call("ben", "POST", "/api/alerts", said)
    team.wait(10, 40)
    life.kill_letter(team.house, "maria", "dora", subject="the old quay's photographs")


def talk(team: Team) -> None:
    """A session with a result and an approval that waits."""
    call = team.house.call
    who = ["tom", {"name": "anna", "wake": "turn"}, {"name": "ben", "wake": "mention"}]
    made = {"title": "The winter timetable", "participants": who}
    team.session = call("maria", "POST", "/api/sessions", made)["session_id"]
    team.say("maria", "The harbour has sent its plan. @anna, can you check ours against it?")
    team.say("anna", "Yes. I begin with the weekdays; the proofs go to *press*.")
    team.say("tom", "Mind the night of the clock change, it went wrong last year.")
    team.say(
        "anna",
        "| line | sailings | differ |\n|---|---|---|\n| north | 112 | 5 |\n| south | 102 | 0 |",
    )
    order = {"worker": "press", "task": "Set the proofs.", "label": "proofs", "size": "S"}
    order |= {"cleanup": "keep", "session": team.session}
    team.run = call("anna", "POST", "/api/runs", order)["run_id"]
    team.wait(2, 5)
    claim = {"instance": "one", "workspace": "/srv/press"}
    claimed = call("press", "POST", f"/api/runs/{team.run}/claim", claim)["claim"]
    team.wait(60, 120)
    done = {"claim": claimed, "status": "completed", "exit_code": 0, "output_bytes": 34}
    done |= {"output": "Eight pages, no line is too long.\n", "reason": ""}
    call("press", "POST", f"/api/runs/{team.run}/end", done)
    order |= {"task": "Draw the map of the quays.", "label": "map", "size": "L"}
    call("anna", "POST", "/api/runs", order)
    other = {"title": "Lost luggage", "participants": ["maria", "dora"]}
    second = call("tom", "POST", "/api/sessions", other)
    team.wait(30, 60)
    said = {"body": "dora, what do we do with the umbrellas?"}
    call("tom", "POST", f"/api/sessions/{second['session_id']}/entries", said)
    team.wait(60, 200)
    asked = {"title": "May I publish the winter timetable?", "expires_in": 86_400}
    asked["body"] = "Every sailing agrees with the harbour's plan but the five that I am mending."
    call("anna", "POST", f"/api/sessions/{team.session}/approvals", asked)


def pages_of(team: Team) -> dict[str, str]:
    """Name each page, with its address."""
    return {
        "fleet": "/fleet",
        "sessions": "/sessions",
        "session": f"/sessions/{team.session}",
        "board": "/board",
        "task": f"/board/{team.task}",
        "messages": "/messages",
        "message": f"/messages/{team.message}",
        "runs": "/runs?state=all",
        "run": f"/runs/{team.run}",
        "brief": "/brief",
        "cost": "/cost",
        "me": "/me",
    }
