"""Signing in by a code, and signing out."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from flask import request

from bus.directory import signin
from bus.errors import NotFoundError, RateLimitedError
from bus.pages.problems import check_way
from bus.pages.routes import Pages, field, go
from bus.pages.showing import at, find_reader, render, send_on
from bus.web.cookies import check_origin, set_cookie
from bus.web.runtime import runtime

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask import Response

    from bus.access.model import Principal

pages = Pages()
CODE_CHARS = 40
AGENT_CHARS = 400


@pages.get(signin.PATH, who=())
def sign_in_page() -> Response:
    """Show a button; what follows links without a person behind it uses no code up."""
    code, to = request.args.get("code", "")[:CODE_CHARS], request.args.get("to", "")
    if not code:
        return show_form(to)
    try:
        with counting_guesses(), runtime().store.read() as conn:
            one = signin.find_person(conn, code, runtime().clock.now_ms())
    except NotFoundError as error:
        return show_form(to, wrong=error.detail)
    return show_form(to, code=code, name=one.name)


@pages.post(signin.PATH, who=())
def sign_in() -> Response:
    run = runtime()
    check_origin(run.config)
    code, to = field("code", CODE_CHARS), field("to", 600)
    agent, before = request.headers.get("User-Agent", "")[:AGENT_CHARS], token_before()
    try:
        with counting_guesses():
            token = run.store.write(lambda tx: signin.sign_in(tx, code, agent, before), "sign-in")
    except NotFoundError as error:
        return show_form(to, wrong=error.detail)
    answer = send_on(at(check_way(to)))
    set_cookie(answer, run.config, token)
    return answer


@pages.post("/sign-out")
def sign_out(principal: Principal) -> Response:
    """End the token of this browser, or of the one that the form names."""
    run, token_id = runtime(), field("token") or principal.token_id
    run.store.write(lambda tx: signin.sign_out(tx, principal, token_id), principal.id)
    if token_id != principal.token_id:
        return go("/me", "signed_out")
    answer = send_on(at(signin.PATH))
    set_cookie(answer, run.config, "")
    return answer


def show_form(to: str, *, code: str = "", name: str = "", wrong: str = "") -> Response:
    """Show the form that a code is typed into, or the button of a code that came by a link."""
    return render(
        "sign_in.html",
        status=400 if wrong else 200,
        to=check_way(to),
        code=code,
        name=name,
        wrong=wrong,
    )


@contextmanager
def counting_guesses() -> Iterator[None]:
    """Bound how many wrong codes an address may try: the code is the credential.

    Raises:
        RateLimitedError: it tried too many.
    """
    guesses, who = runtime().guesses, f"sign-in {request.remote_addr}"
    try:
        guesses.take(who)
    except RateLimitedError as error:
        wait_s = error.retry_after_s
        said = "too many wrong codes were tried from your address; wait a little"
        raise RateLimitedError(said, retry_after_s=wait_s) from error
    yield
    guesses.give_back(who)


def token_before() -> str:
    """Name the token that this browser had before, whose place the new one takes."""
    before = find_reader()
    return before.token_id if before else ""
