"""What goes wrong, as a person at a command line meets it: a sentence, how to mend it, a code.

Every exit code of `bus` is in the table below and nowhere else.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

import click

from bus.cli import installed
from bus.cli.output import complain, harmless, say_json, with_local_times
from bus.cli.wording import for_a_person
from bus.errors import BusError, ConfigError, NoDatabaseError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bus.client import ClientError

REFUSED, USAGE, AWAY, SETTINGS, BUSY = 1, 2, 3, 4, 5
TIMED_OUT, CANCELLED, LOST = 6, 7, 8
DENIED, UNANSWERED = 9, 10
EXIT_CODES = {
    0: "done",
    REFUSED: "refused by the bus, or failed",
    USAGE: "the command was not understood",
    AWAY: "the bus cannot be reached",
    SETTINGS: "a setting, a file or the token is wrong",
    BUSY: "the bus is busy; try again",
    TIMED_OUT: "the run that was followed came to its time limit",
    CANCELLED: "the run that was followed was cancelled",
    LOST: "the run that was followed was lost",
    DENIED: "what was waited for was answered otherwise than by its first option",
    UNANSWERED: "what was waited for came to its end without an answer",
}
MENDS = {
    "unreachable": "Is it running (systemctl status wakebus; else make up, or bus serve)? Another "
    "address, or https:// where it speaks TLS: BUS_URL or --url.",
    "certificate": "Name your authority: REQUESTS_CA_BUNDLE=FILE",
    "other_name": "Call it by a name that its certificate has: BUS_URL or --url.",
    "not_tls": "An address with http:// may be meant: BUS_URL or --url.",
    "not_a_bus": "Something else answers there. Another address: BUS_URL or --url.",
    "unauthorized": "Another token: BUS_TOKEN_FILE or --token-file; the administration makes one "
    "with: bus token new",
    "forbidden": "Another token: BUS_TOKEN_FILE or --token-file. Administration takes the "
    "admin.token that `bus init` wrote; mail takes an agent's or a person's.",
    "unknown_recipient": "Whom you can reach: bus agent list",
    "unknown_handle": "Your handles: bus inbox",
    "run_over": "What it came to: bus run show ID",
    "takes_runs": "Dispatch it: bus run start WORKER 'TASK' --label WORD --size M",
    "takes_messages": "Send it: bus send NAME 'TEXT' --type TASK",
    "too_many_children": "Yours that are open: bus run list --parent me",
    "fenced": "The item was leased again since; its new handle: bus inbox",
    "locked": "To stop it: systemctl stop wakebus, or Ctrl-C where it was started.",
    "config": "All settings: docs/reference/settings.md",
}


class Failure(click.ClickException):
    """One sentence, how to mend it, and the exit code; JSON on standard error where asked for."""

    def __init__(
        self, message: str, exit_code: int, *, mend: str = "", more: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # click reads ours
        self.mend = mend
        self.more = more or {}
        self.as_json = False

    def show(self, file: IO[Any] | None = None) -> None:
        del file
        if self.as_json:
            error = {"detail": self.message, "mend": self.mend, **self.more}
            say_json({"error": error}, err=True)
            return
        complain(f"bus: {with_local_times(harmless(self.message, lines=True))}")
        if self.mend:
            complain(self.mend)


def from_client(error: ClientError) -> Failure:
    """Turn a refusal of the bus into what a person reads."""
    again = f"Try again in {error.retry_after:g} s." if error.retry_after else ""
    mend = again or MENDS.get(error.code, "")
    more = {"status": error.status, "code": error.code, "retry_after_s": error.retry_after}
    sentence = " ".join(error.detail.split())  # others' words in it begin no line of their own
    return Failure(
        for_a_person(sentence),
        exit_code_of(error),
        mend=mend,
        more={**error.more, **more},
    )


def exit_code_of(error: ClientError) -> int:
    """Choose the exit code that a script can act on."""
    if error.unreachable or error.code == "not_a_bus":
        return AWAY
    if error.status in {429, 503} or error.more.get("retryable") is True:
        return BUSY
    return SETTINGS if error.code in {"unauthorized", "forbidden"} else REFUSED


def from_bus(error: BusError) -> Failure:
    """Turn a failure of a command that works on this machine's files into what a person reads."""
    code = SETTINGS if isinstance(error, ConfigError) else REFUSED
    sentence, mend = for_a_person(" ".join(error.detail.split())), MENDS.get(error.code, "")
    if isinstance(error, NoDatabaseError):
        mend = installed.where_else() or "Another folder: BUS_DATA_DIR. A new bus: bus init"
    return Failure(sentence, code, mend=mend, more={"code": error.code})


@contextmanager
def told(*, as_json: bool = False) -> Iterator[None]:
    """Have every failure inside leave as a `Failure`."""
    try:
        yield
    except Failure as failure:
        failure.as_json = as_json
        raise
    except BusError as error:
        raise marked(from_bus(error), as_json=as_json) from error
    except OSError as error:
        if not error.strerror or isinstance(error, BrokenPipeError):
            raise
        # Whoever named the file, its name begins no line of its own.
        name = f"{harmless(error.filename)}: " if error.filename else ""
        what = Failure(f"{name}{error.strerror.lower()}", SETTINGS)
        raise marked(what, as_json=as_json) from error


def marked(failure: Failure, *, as_json: bool) -> Failure:
    """Note how a failure is to be shown."""
    failure.as_json = as_json
    return failure
