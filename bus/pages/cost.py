"""Cost: what turns are known to have cost, by day, agent and thread, and the wakes of the day.

What is not known is never shown as nothing: a runtime that tells tokens and no dollars leaves the
dollars unknown.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from flask import request

from bus.clock import DAY_MS, from_text
from bus.directory import service as directory
from bus.errors import NotFoundError
from bus.guard import costs
from bus.mail import service as mail
from bus.pages.charts import draw_days
from bus.pages.routes import Pages
from bus.pages.showing import render
from bus.wakes import service as wakes
from bus.web.runtime import runtime

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import sqlalchemy as sa
    from flask import Response

    from bus.access.model import Principal

pages = Pages()
MOST = 50
SPANS = ((1, "today"), (7, "7 days"), (30, "30 days"), (90, "90 days"))


@pages.get("/cost")
def cost(principal: Principal) -> Response:
    run = runtime()
    now_ms = run.clock.now_ms()
    days, agent = read_days(), request.args.get("agent", "").strip().lower()[:70]
    asked = costs.Asked(
        "day",
        costs.day_of(now_ms - (days - 1) * DAY_MS),
        costs.day_of(now_ms),
        agent or None,
        limit=max(days, MOST),
    )
    wrong = ""
    with run.store.read() as conn:
        try:
            found = {by: sum_up(conn, principal, asked, by) for by in ("day", "agent", "thread")}
        except NotFoundError as error:
            asked, wrong = replace(asked, agent=None), error.detail
            found = {by: sum_up(conn, principal, asked, by) for by in ("day", "agent", "thread")}
        counted = count_wakes(conn, principal, now_ms)
        threads = [one["what"] for one in found["thread"]["costs"] if one["what"]]
        known = mail.name_threads(conn, principal, threads)
    total = found["day"]["total"]
    return render(
        "cost.html",
        principal,
        status=404 if wrong else 200,
        found=found,
        total=describe(total, total),
        chart=draw_days(fill_days(found["day"]["costs"], asked.since, days), total),
        wakes=counted,
        known=known,
        budget=run.config.guard_wakes,
        spans=SPANS,
        days=days,
        agent=asked.agent or "",
        wrong=wrong,
    )


def read_days() -> int:
    """Read of how many days; what is none of those that are offered is the longest usual."""
    text = request.args.get("days", "")
    return next((days for days, _ in SPANS if str(days) == text), 30)


def sum_up(
    conn: sa.Connection, principal: Principal, asked: costs.Asked, by: str
) -> dict[str, Any]:
    """Sum by one thing, each row with the part that it has of the largest."""
    shown = costs.show(conn, principal, replace(asked, by=by))
    largest = find_largest(shown["costs"])
    rows = [{"what": one[by], **describe(one, largest)} for one in shown["costs"]]
    return {**shown, "costs": rows, "is_cut": len(rows) == asked.limit}


def find_largest(rows: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Give the largest cost and the most tokens of some rows."""
    several = list(rows)
    return {
        "cost_usd": max((one["cost_usd"] for one in several), default=0),
        "tokens": max((tokens_of(one) for one in several), default=0),
    }


def tokens_of(one: Mapping[str, Any]) -> int:
    """Give the tokens of a sum."""
    return int(one["tokens_in"] + one["tokens_out"])


def describe(one: Mapping[str, Any], largest: Mapping[str, Any]) -> dict[str, Any]:
    """Give a sum as it is shown: dollars, or that they are not known; and how much of the largest.

    Where any dollars are known the bars are of dollars, and of tokens where none are.
    """
    tokens = tokens_of(one)
    is_known = one["cost_usd"] > 0 or not tokens
    most_usd, most = largest["cost_usd"], largest.get("tokens", tokens)
    part = one["cost_usd"] / most_usd if most_usd else tokens / most if most else 0.0
    return {**one, "tokens": tokens, "is_known": is_known, "part": round(100 * part, 1)}


def fill_days(rows: Iterable[Mapping[str, Any]], since: str, days: int) -> list[dict[str, Any]]:
    """Give every day of a stretch in its order, also those of which nothing is known."""
    known = {one["what"]: one for one in rows}
    first_ms = from_text(f"{since}T00:00:00Z")
    names = [costs.day_of(first_ms + at * DAY_MS) for at in range(days)]
    return [{"day": name, **known.get(name, {})} for name in names]


def count_wakes(conn: sa.Connection, principal: Principal, now_ms: int) -> dict[str, int]:
    """Count for each agent the wakes that stand against its budget of the day."""
    agents = {one.id: one.name for one in directory.visible(conn, principal) if one.kind == "named"}
    counted = wakes.count_today(conn, list(agents), now_ms)
    return {agents[who]: number for who, number in counted.items()}
