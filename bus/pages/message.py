"""Messages: finding one, and where it is: its ladder as a picture, its thread, what one can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from flask import request

from bus.clock import DAY_MS, from_text
from bus.directory import service as directory
from bus.errors import BusError, NotFoundError
from bus.mail import service as mail
from bus.mail.model import FAILED, SYSTEM
from bus.pages import answering
from bus.pages.ladders import draw_delivery
from bus.pages.routes import Pages, field, go
from bus.pages.showing import render
from bus.pages.timeline import draw
from bus.wakes import service as wakes
from bus.web.problems import STATUS
from bus.web.runtime import runtime

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flask import Response

    from bus.access.model import Principal

pages = Pages()
MOST, MOST_OF_THREAD, MOST_COPIES = 50, 30, 40
COLOURS = {"acked": "good", "held": "warn", "dead": "bad", "expired": "bad", "refused": "bad"}
NAME_CHARS, BODY_CHARS = 70, 1_000_000


@pages.get("/messages")
def messages(principal: Principal) -> Response:
    """List the newest messages; who types an id is led to that one."""
    who, thread, below = (
        request.args.get(name, "").strip()[:NAME_CHARS] for name in ("who", "thread", "below")
    )
    if who.startswith("m_"):
        return go(f"/messages/{quote(who.partition('.')[0], safe='')}")
    wanted = mail.Wanted(who.lower() or None, thread or None, below, MOST)
    found: dict[str, Any] = {"messages": [], "next": None}
    wrong = ""
    with runtime().store.read() as conn:
        names = sorted(one.name for one in directory.visible(conn, principal))
        try:
            found = mail.list_messages(conn, principal, wanted)
        except NotFoundError as error:
            wrong = error.detail
    is_first = not below and not wrong
    return render(
        "messages.html",
        principal,
        status=404 if wrong else 200,
        **found,
        who=who,
        thread=thread,
        below=below,
        is_first=is_first,
        names=names,
        wrong=wrong,
        colours=COLOURS,
    )


@pages.get("/messages/<message_id>")
def message(principal: Principal, message_id: str) -> Response:
    return show_message(principal, message_id)


def show_message(
    principal: Principal, message_id: str, wrong: str = "", status: int = 200
) -> Response:
    """Show a message with its ladders; `wrong` says what could not be done with it."""
    run = runtime()
    now_ms = run.clock.now_ms()
    with run.store.read() as conn:
        shown = mail.trace(conn, principal, message_id, run.presence.is_online)
        rungs = [rung for one in shown["deliveries"] for rung in one["ladder"]]
        wake_ids = sorted({rung["wake_id"] for rung in rungs if rung["wake_id"]})
        turns = wakes.turns_of(conn, wake_ids)
        wanted = mail.Wanted(thread=shown["thread"], limit=MOST_OF_THREAD)
        thread = mail.list_messages(conn, principal, wanted)
    # What has not come to a good end stands first; a message to a whole group has many copies.
    copies = sorted(shown["deliveries"], key=lambda one: one["state"] == "acked")[:MOST_COPIES]
    lanes = [draw_delivery(one, turns, now_ms) for one in copies]
    picture = draw(lanes)
    return render(
        "message.html",
        principal,
        status=status,
        message=shown,
        picture=picture,
        copies=[
            describe(one, lane, shown["sent_at"], now_ms)
            for one, lane in zip(copies, picture["lanes"], strict=True)
        ],
        left=len(shown["deliveries"]) - len(copies),
        thread=thread["messages"][::-1],
        thread_is_cut=thread["next"] is not None,
        known={one["id"]: one for one in thread["messages"]},
        waits=answering.waits_for(principal, shown),
        takes_answer=shown["from"] != SYSTEM,
        answer=field("body", BODY_CHARS) if wrong else "",
        wrong=wrong,
    )


def describe(
    delivery: Mapping[str, Any], lane: list[Any], sent_at: str, now_ms: int
) -> dict[str, Any]:
    """Give a delivery with its drawn ladder, how long its way took, and what one can do with it."""
    ladder = delivery["ladder"]
    until_ms = from_text(ladder[-1]["at"]) if delivery["ended"] and ladder else now_ms
    return {
        "delivery": {"lease_until": "", **delivery},
        "lane": lane,
        "colour": COLOURS.get(delivery["state"], ""),
        "took_ms": max(0, until_ms - from_text(sent_at)),
        "can_cancel": not delivery["ended"],
        "can_resend": delivery["state"] in FAILED,
    }


@pages.post("/messages/<message_id>")
def act(principal: Principal, message_id: str) -> Response:
    """Do what a button of the page says; what is refused is said on the message's own page."""
    try:
        said = do(principal, message_id)
    except BusError as error:
        return show_message(principal, message_id, error.detail, STATUS[error.code])
    return go(f"/messages/{message_id}", said)


def do(principal: Principal, message_id: str) -> str:
    """Do what a form asks for; gives the word of what a page says was done."""
    write, what, to = runtime().store.write, field("do"), field("to")
    if what == "send again":
        return redrive(principal, message_id, to)
    if what == "cancel":
        write(lambda tx: mail.cancel(tx, principal, message_id, [to], ""), principal.id)
        return "cancelled"
    if what == "done":
        return write(lambda tx: answering.settle(tx, principal, message_id), principal.id)
    draft = answering.read_answer(field("body", BODY_CHARS))
    return write(lambda tx: answering.answer(tx, principal, message_id, draft), principal.id)


def redrive(principal: Principal, message_id: str, to: str) -> str:
    """Send a dead letter again; one that was wanted until a time, for a day more.

    Gives the word of what a page says was done.
    """
    run = runtime()

    def once(until_ms: int | None) -> str:
        done = run.store.write(
            lambda tx: mail.redrive(tx, principal, message_id, [to], until_ms), principal.id
        )
        return str(done["results"][0]["result"])

    result = once(None)
    if result == "needs_ttl":
        result = f"{once(run.clock.now_ms() + DAY_MS)}_a_day"
    return result if result in {"queued", "queued_a_day"} else "not_sent"
