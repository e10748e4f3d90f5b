"""`bus backup`: a copy of the database, made while the bus runs or while it does not.

It works on this machine's files, by a connection that cannot write; it calls no bus (see
`docs/decisions/0008-a-reader-beside-the-bus.md`).
"""

from __future__ import annotations

from pathlib import Path

import click

from bus.cli.calling import json_option, read_config
from bus.cli.failing import told
from bus.cli.output import harmless, say, say_json
from bus.cli.progress import shown_progress
from bus.clock import SystemClock


@click.command("backup")
@click.argument("path", required=False, type=click.Path(path_type=Path), metavar="[PATH]")
@click.option(
    "--keep",
    type=click.IntRange(1),
    metavar="N",
    help="Then remove this bus's older backups in that folder, all but the newest N.",
)
@json_option
def command(path: Path | None, *, keep: int | None, as_json: bool) -> None:
    """Copy the database; the bus may run, and goes on meanwhile.

    The copy is checked and only its owner reads it: it has every message, and the tokens' hashes.
    PATH is a folder or a new file NAME.db (NAME.dump of PostgreSQL); without it, `backups` in the
    data folder.
    """
    with told(as_json=as_json), shown_progress() as progress:
        from bus.store.backup import back_up  # noqa: PLC0415 - only where it is needed

        now_ms = SystemClock().now_ms()
        made = back_up(read_config(), path, now_ms, keep=keep, progress=progress)
    rows = made.copied.rows
    if as_json:
        removed = [str(gone) for gone in made.removed]
        say_json({"file": str(made.path), **vars(made.copied), "removed": removed})
        return
    size = f"{made.copied.bytes / 1e6:.1f} MB"
    say(f"{harmless(made.path)}  ({size}, {rows.get('messages', 0)} messages; checked)")
    for gone in made.removed:
        say(f"removed {harmless(gone)}")
