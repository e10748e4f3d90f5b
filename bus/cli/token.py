"""`bus token`: who may call the bus. A token is shown once, when it is made."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bus.cli import completing
from bus.cli.calling import Caller, calls_bus
from bus.cli.failing import SETTINGS, Failure
from bus.cli.output import harmless, local_second, local_time, say, table
from bus.cli.wholefile import write_secret
from bus.cli.words import DURATION_S

if TYPE_CHECKING:
    from collections.abc import Mapping

KINDS = ("agent", "person", "node", "admin")
HEADINGS = ("ID", "KIND", "WHOSE", "LABEL", "MADE", "LAST USED", "STATE")


@click.group("token")
def command() -> None:
    """Tokens: make, list, rotate, revoke."""


@command.command("list")
@calls_bus(as_admin=True)
def list_tokens(caller: Caller) -> None:
    """List the tokens, without the tokens themselves, and when each was last used."""
    answer = caller.bus.tokens()
    rows = [
        (
            token["id"],
            token["kind"],
            token.get("subject") or None,
            token.get("label") or None,
            local_time(token.get("created_at"), date=True),
            local_second(token.get("last_used_at")),
            state_of(token),
        )
        for token in answer["tokens"]
    ]
    caller.show(answer, lambda: table(HEADINGS, rows, none="no tokens"))


def state_of(token: Mapping[str, Any]) -> str:
    """Write whether a token is good, and how long."""
    for word in ("revoked", "ends"):
        if at := token.get(f"{word}_at"):
            return f"{word} {local_second(at)}"
    return "waits for its node to renew it" if token.get("renewing") else "good"


@command.command("new")
@click.argument("kind", type=click.Choice(KINDS))
@click.argument(
    "subject", required=False, default="", metavar="[NAME]", shell_complete=completing.agents
)
@click.option("--label", default="", metavar="TEXT", help="What it is for.")
@click.option(
    "--file",
    "path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write it there (0600) and do not show it.",
)
@calls_bus(as_admin=True)
def new(caller: Caller, kind: str, subject: str, *, label: str, path: Path | None) -> None:
    """Make a token for the agent, person or node NAME, or to administer.

    It is shown now and never again; --file keeps it out of the terminal.
    """
    if not subject and kind != "admin":
        raise click.UsageError(f"name the {kind} whose token it is to be")
    if subject and kind == "admin":
        raise click.UsageError("a token to administer is nobody's; --label says what it is for")
    if path is not None and path.exists():
        raise Failure(f"{path} is there already; it is left as it is", SETTINGS)
    check_writable(path)
    keep_or_show(caller, caller.bus.new_token(kind, subject, label), path)


@command.command("rotate")
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("subject", required=False, default="", metavar="[NAME]")
@click.option(
    "--grace",
    type=DURATION_S,
    default="1d",
    show_default=True,
    metavar="TIME",
    help="How long the old ones go on.",
)
@click.option("--here", is_flag=True, help="Make an agent's here, not on its node.")
@click.option(
    "--file",
    "path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Put it there (0600), also in the place of the old one, and do not show it.",
)
@calls_bus(as_admin=True)
def rotate(  # noqa: PLR0913 - click hands each option in
    caller: Caller, kind: str, subject: str, grace: float, *, here: bool, path: Path | None
) -> None:
    """Give the agent, person or node NAME, or the administration, a new token for the old ones.

    Both are good for a while, so that nothing is lost. A node's watcher renews its own token and
    its agents' by itself; one made here is shown once. Of the administration: the token in use.
    """
    if not subject and kind != "admin":
        raise click.UsageError(f"name the {kind} whose token it is")
    check_writable(path)
    answer = caller.bus.rotate_token(kind, subject, grace, here=here)
    if answer["by"] == "node":
        node = harmless(answer["node"])
        caller.done(answer, f"the watcher of {node} renews it; bus token list shows when")
    else:
        keep_or_show(caller, answer, path)


def check_writable(path: Path | None) -> None:
    """Refuse a file that could not be written, before there is a token to write."""
    if path is not None and not os.access(path.parent, os.W_OK):
        raise Failure(f"{path} cannot be written: {path.parent} is no folder of yours", SETTINGS)


def keep_or_show(caller: Caller, answer: Mapping[str, Any], path: Path | None) -> None:
    """Write a new token into a file, or print it, once."""
    if path is not None:
        write_secret(path, str(answer["token"]))
        caller.done({**answer, "token": None, "file": str(path)}, f"{answer['id']}  {path}")
    else:
        caller.show(answer, lambda: show_token(answer))


def show_token(answer: Mapping[str, Any]) -> None:
    """Print a token, once."""
    say(harmless(answer["token"]))
    say(f"It is not shown again. Its id, to revoke it by: {harmless(answer['id'])}")


@command.command("revoke")
@click.argument("token_id", metavar="ID")
@calls_bus(as_admin=True)
def revoke(caller: Caller, token_id: str) -> None:
    """End a token and its open streams at once; `bus token list` shows the ids."""
    from bus.client import ClientError  # noqa: PLC0415 - loads requests

    try:
        answer = caller.bus.revoke_token(token_id)
    except ClientError as error:
        if error.status != 404 or not was_revoked(caller, token_id):
            raise
        caller.done({"already": True}, f"{harmless(token_id)} is revoked already")
    else:
        caller.done(answer, f"{harmless(token_id)} is revoked")


def was_revoked(caller: Caller, token_id: str) -> bool:
    """Say whether there was such a token."""
    return any(
        token["id"] == token_id and token.get("revoked_at")
        for token in caller.bus.tokens()["tokens"]
    )
