"""`bus session search`, `export` and `import`: finding what was said, and sessions as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bus.cli import completing, wholefile
from bus.cli.calling import Caller, calls_bus
from bus.cli.failing import SETTINGS, Failure
from bus.cli.output import behind_bar, harmless, local_second, paint, say, say_more

if TYPE_CHECKING:
    from collections.abc import Mapping


@click.command("search")
@click.argument("words", nargs=-1, required=True)
@click.option(
    "--in", "session_id", metavar="ID", shell_complete=completing.sessions, help="In this one only."
)
@click.option("--limit", type=click.IntRange(1, 100), default=20, show_default=True)
@click.option("--after", metavar="ENTRY", help="Go on where the last list ended.")
@calls_bus()
def search(caller: Caller, words: tuple[str, ...], session_id: str | None, **page: Any) -> None:
    """Find what was said in your sessions, the newest first.

    All WORDS must be there. "several words" in quotes of their own stand together, WORD* leaves its
    end open, and -WORD, behind --, must not be there.
    """
    answer = caller.bus.search_sessions(" ".join(words), session_id, **page)
    caller.show(answer, lambda: show_found(answer))


def show_found(answer: Mapping[str, Any]) -> None:
    """Write what was found, with where it is."""
    for one in answer.get("sessions", ()):
        say(paint(f"{harmless(one['session_id'])}  {harmless(one['title'])}", bold=True))
    for one in answer["entries"]:
        where = f"{harmless(one['session_id'])}  {one['place']}  {harmless(one['from'])}"
        say(f"{paint(where, bold=True)}  {local_second(one['at'])}  {harmless(one['title'])}")
        for line in behind_bar(one["snippet"]):
            say(line)
    if not answer["entries"] and not answer.get("sessions"):
        say("nothing found")
    if answer["next"]:
        say_more("--after", answer["next"])


@click.command("export")
@click.argument("session_id", metavar="ID", shell_complete=completing.sessions)
@click.argument("path", required=False, type=click.Path(path_type=Path), metavar="[FILE]")
@calls_bus()
def export(caller: Caller, session_id: str, path: Path | None) -> None:
    """Write a session into FILE, by default its id with .jsonl; - is standard output."""
    text = "".join(caller.bus.export_session(session_id))
    if str(path) == "-":
        click.echo(text, nl=False)
        return
    path = path or Path(f"{harmless(session_id)}.jsonl")
    if path.exists():
        mend = "Name another file, or remove this one."
        raise Failure(
            f"{harmless(path)} is there already; nothing was written", SETTINGS, mend=mend
        )
    try:
        wholefile.write(path, text, wholefile.OWNER_ONLY)
    except OSError as error:
        raise Failure(f"{harmless(path)} cannot be written: {error.strerror}", SETTINGS) from error
    done = {"file": str(path), "bytes": len(text.encode())}
    caller.done(done, f"{harmless(path)}  ({done['bytes']} bytes)")


@click.command("import")
@click.argument("path", type=click.Path(path_type=Path), metavar="FILE")
@calls_bus()
def take_file(caller: Caller, path: Path) -> None:
    """Make a session of a FILE that was exported; you alone are in it."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise Failure(f"{harmless(path)} cannot be read: {error.strerror}", SETTINGS) from error
    except UnicodeError as error:
        raise Failure(f"{harmless(path)} is not UTF-8 text", SETTINGS) from error
    answer = caller.bus.import_session(text)
    what = f"{harmless(answer['session_id'])}  {answer['imported']} entries"
    caller.done(answer, f"{what}\nbus session invite {harmless(answer['session_id'])} NAME")
