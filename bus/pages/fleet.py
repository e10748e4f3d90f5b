"""Fleet: the machines and their agents, how fast they wake, and what waits for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bus.alerts import service as alerts
from bus.directory import nodes
from bus.directory import service as directory
from bus.directory.api import show_all
from bus.mail import service as mail
from bus.mail.api import release_thread
from bus.pages.charts import draw_speeds, percentile
from bus.pages.message import redrive
from bus.pages.routes import Pages, field, go
from bus.pages.showing import render
from bus.wakes import service as wakes
from bus.wakes.api import release_agent
from bus.web.runtime import runtime

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import sqlalchemy as sa
    from flask import Response

    from bus.access.model import Principal

pages = Pages()
MOST = 20
"""So many of what waits for a person; the commands list the rest."""


@pages.get("/fleet")
def fleet(principal: Principal) -> Response:
    run = runtime()
    with run.store.read() as conn:
        agents = list(describe_agents(conn, principal))
        shown = nodes.list_nodes(conn, principal)
        held = wakes.list_held(conn, principal, MOST)
        dead = mail.list_dead(conn, principal, mail.Which(limit=MOST))
        raised = alerts.list_alerts(conn, principal, every=False, after=None, limit=MOST)
    machines = [one | {"online": run.presence.is_online(one["id"])} for one in shown]
    return render(
        "fleet.html",
        principal,
        machines=[place(one, agents) for one in machines],
        homeless=[one for one in agents if one["kind"] != "person" and not one["node"]],
        people=[one for one in agents if one["kind"] == "person"],
        totals=count(machines, agents),
        held=held,
        dead=dead,
        alerts=raised,
    )


def describe_agents(conn: sa.Connection, principal: Principal) -> Iterable[dict[str, Any]]:
    """Give everyone whom a person sees, with how fast the last wakes were."""
    several = directory.visible(conn, principal)
    speeds = wakes.speeds_ms(conn, [one.id for one in several])
    for one, shown in zip(several, show_all(conn, principal, several), strict=True):
        took = speeds.get(one.id, [])
        yield (
            shown
            | {"took_ms": took, "p50_ms": percentile(took, 50)}
            | {
                "p95_ms": percentile(took, 95),
                "chart": draw_speeds(tuple(took)),
            }
        )


def place(machine: Mapping[str, Any], agents: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Give a machine with its agents."""
    return {**machine, "agents": [one for one in agents if one["node"] == machine["name"]]}


def count(
    machines: list[dict[str, Any]], agents: Iterable[Mapping[str, Any]]
) -> dict[str, int | None]:
    """Give the numbers of the whole fleet."""
    awake = [one for one in agents if one["kind"] != "person"]
    took = [ms for one in awake for ms in one["took_ms"]]
    return {
        "machines": len(machines),
        "here": sum(one["online"] for one in machines),
        "agents": len(awake),
        "waiting": sum(one["pending"] for one in awake),
        "p50_ms": percentile(took, 50),
        "p95_ms": percentile(took, 95),
    }


@pages.post("/fleet/release")
def release(principal: Principal) -> Response:
    """Let a held thread go on, or an agent that has had its wakes of the day."""
    thread, agent = field("thread"), field("agent")
    done = release_thread(principal, thread) if thread else release_agent(principal, agent)
    return go("/fleet", "released" if done["released"] else "not_held")


@pages.post("/fleet/send-again")
def send_again(principal: Principal) -> Response:
    """Send a dead letter again; one that was wanted until a time, for a day more."""
    return go("/fleet", redrive(principal, field("message"), field("to")))


@pages.post("/fleet/settle")
def settle(principal: Principal) -> Response:
    """Settle an alert: it is over, or in hand."""
    alert_id = field("alert")
    runtime().store.write(lambda tx: alerts.settle(tx, principal, alert_id, ""), principal.id)
    return go("/fleet", "settled")
