"""Oneself: where one is told when away, one's quiet hours, one's browsers, and another device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bus.directory import service as directory
from bus.directory import signin
from bus.directory.api import show_all
from bus.notices import service as notices
from bus.notices.api import test_target
from bus.notices.model import EMAIL, KINDS, NTFY, WEBHOOK
from bus.pages.routes import Pages, field, go
from bus.pages.showing import render
from bus.web.cookies import read_form
from bus.web.runtime import runtime

if TYPE_CHECKING:
    from flask import Response

    from bus.access.model import Principal

pages = Pages()
SELF = "self"
LONG = 600


@pages.get("/me")
def me(principal: Principal) -> Response:
    return show_me(principal)


@pages.post("/me/link")
def link(principal: Principal) -> Response:
    """Make a code for another device and show it, this once."""
    made = runtime().store.write(
        lambda tx: signin.make_code(tx, principal, principal.name), principal.id
    )
    return show_me(principal, made=made)


@pages.post("/me/targets")
def keep_target(principal: Principal) -> Response:
    """Be told somewhere; the secret of a new webhook is shown, this once."""
    name, given = field("name"), read_target()
    shown, _ = runtime().store.write(
        lambda tx: notices.put(tx, principal, SELF, name, given), principal.id
    )
    if "secret" in shown:
        return show_me(principal, secret=(name, shown["secret"]))
    return go("/me", "target_kept")


def read_target() -> dict[str, Any]:
    """Read from the form where one wants to be told."""
    kind, address = field("kind"), field("address", LONG)
    events = [name.removeprefix("event-") for name in read_form() if name.startswith("event-")]
    return {
        "kind": kind if kind in KINDS else "",
        "url": "" if kind == EMAIL else address,
        "address": address if kind == EMAIL else "",
        "topic": field("topic") if kind == NTFY else "",
        "token": field("token", LONG) or None if kind == NTFY else None,
        "events": events or None,
        "previews": field("previews") == "on",
        "new_secret": False,
    }


@pages.post("/me/targets/remove")
def remove_target(principal: Principal) -> Response:
    name = field("name")
    runtime().store.write(lambda tx: notices.remove(tx, principal, SELF, name), principal.id)
    return go("/me", "target_removed")


@pages.post("/me/targets/test")
def try_target(principal: Principal) -> Response:
    """Try a target now, and say how it went."""
    return show_me(principal, tried=test_target(principal, SELF, field("name")))


def show_me(principal: Principal, **made: Any) -> Response:
    """Show oneself; `made` is what is shown this once: a code, a secret, how a test went."""
    run = runtime()
    with run.store.read() as conn:
        browsers = signin.browsers(conn, principal)
        told = notices.show_all(conn, run.config, principal, SELF)
        one = directory.get(conn, principal.participant_id or 0)
        (shown,) = show_all(conn, principal, [one])
    return render(
        "me.html",
        principal,
        browsers=browsers,
        notices=told,
        kinds=[kind for kind in (NTFY, WEBHOOK) if told["allowed"]] + [EMAIL] * told["email"],
        quiet=shown["quiet"],
        quiet_until=shown["quiet_until"],
        compartments=sorted(principal.compartments),
        **{"made": None, "secret": None, "tried": None} | made,
    )
