"""The work of `bus move --undo`: a SQLite file that was left is served again.

Where its copy was never whole, nothing has happened there and the bus goes on as it was. Where it
was, what happened there is unknown here: the file begins a new epoch, as after a restore.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus.cli.calling import ADMIN_FILE
from bus.cli.output import say, say_json
from bus.cli.restore import begun_facts, show_begun, start_command
from bus.cli.restoring import admin_token_of, begin_again
from bus.cli.wholefile import write_secret
from bus.errors import ConflictError, NoDatabaseError
from bus.store import lock, movemark
from bus.store.alone import work_alone
from bus.store.beside import open_beside

if TYPE_CHECKING:
    from bus.cli.restoring import Begun
    from bus.config import Config


def undo_move(config: Config, now_ms: int, *, as_json: bool) -> None:
    """Take the mark away, and say what that means."""
    if not config.db_path.exists():
        raise NoDatabaseError(f"there is no database at {config.db_path}")
    begun: Begun | None = None
    with lock.held(config.db_path):
        with open_beside(config.db_path) as looked:
            mark = movemark.read_mark(looked)
        if mark is None:
            raise ConflictError(f"{config.db_path} has not moved; there is nothing to undo")
        if mark.is_done:
            admin = admin_token_of(config)
            begun = work_alone(config, lambda tx: begin_again(tx, None, admin), now_ms)
        if begun is not None and begun.token:
            write_secret(config.data_dir / ADMIN_FILE, begun.token)
        movemark.set_mark(config.db_path, None)
    if as_json:
        say_json({"moved_to": mark.to, "begun": begun and begun_facts(begun)})
        return
    if begun is None:
        say("The bus is where it was; nothing has changed. Its copy was never whole: remove it.")
    else:
        show_begun(begun, config)
    say(f"Its copy, which nobody may start any more: {mark.to}")
    say(f"Next, without BUS_DATABASE_URL, start the bus: {start_command(config)}")
