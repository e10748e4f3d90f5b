"""`bus token`: who may call the bus. A token is shown once, when it is made."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bus.cli.calling import Caller, calls_bus, write_secret
from bus.cli.failing import SETTINGS, Failure
from bus.cli.output import harmless, local_time, say, table

if TYPE_CHECKING:
    from collections.abc import Mapping

KINDS = ("agent", "person", "node", "admin")
HEADINGS = ("ID", "KIND", "WHOSE", "LABEL", "MADE", "REVOKED")


@click.group("token")
def command() -> None:
    """Tokens: make, list, revoke."""


@command.command("list")
@calls_bus(as_admin=True)
def list_tokens(caller: Caller) -> None:
    """List the tokens, without the tokens themselves."""
    answer = caller.bus.tokens()
    rows = [
        (
            token["id"],
            token["kind"],
            token.get("subject") or None,
            token.get("label") or None,
            local_time(token.get("created_at"), date=True),
            local_time(token.get("revoked_at"), date=True),
        )
        for token in answer["tokens"]
    ]
    caller.show(answer, lambda: table(HEADINGS, rows, none="no tokens"))


@command.command("new")
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("subject", required=False, default="", metavar="[NAME]")
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
    if path is not None and not os.access(path.parent, os.W_OK):
        raise Failure(f"{path} cannot be written: {path.parent} is no folder of yours", SETTINGS)
    answer = caller.bus.new_token(kind, subject, label)
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
