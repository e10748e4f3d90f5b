"""What a run's end writes to whoever dispatched it: a message of the worker's that asks nothing.

It is an answer and no new word: it always has room, and the guard holds it by its own budget alone.
This module knows threads and inboxes, not runs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bus.directory import service as directory
from bus.guard import service as guard
from bus.mail import queries
from bus.mail.model import Draft
from bus.mail.recipients import Request
from bus.mail.threads import Context, find_context, hold_of
from bus.mail.writing import deliver, write_message
from bus.store.schema import RESULT_KEY

if TYPE_CHECKING:
    from bus.access.model import Principal
    from bus.directory.model import Participant
    from bus.mail.sending import Key
    from bus.store.transaction import Transaction


@dataclass(frozen=True)
class Place:
    """Where in the talk between agents something belongs."""

    thread: str
    hops: int
    path: tuple[str, ...]


def find_place(tx: Transaction, principal: Principal, worker: Participant) -> Place:
    """Find where a dispatch belongs: with what its parent is at work on, and not a hop further.

    A result is new input; if each round of work counted, a patient parent would be held.
    """
    draft = Draft(to=(worker.name,), body="")
    found = find_context(Request(tx, principal), draft, [worker])
    return Place(found.thread, max(0, found.hops - 1), found.path)


def send_result(  # noqa: PLR0913 - from whom, to whom, where and what
    tx: Transaction,
    worker_id: int,
    parent_id: int,
    place: Place,
    draft: Draft,
    *,
    wake: bool,
    ended: str | None = None,
) -> str | None:
    """Write to a parent; None where it has no inbox: it was removed, or is a worker itself.

    `ended` names the run whose end this is; by that the guard knows a result, and of that there is
    one at most.
    """
    worker, parent = directory.get(tx.conn, worker_id), directory.get(tx.conn, parent_id)
    if parent.removed or parent.kind == "worker":
        return None
    draft = replace(draft, to=(parent.name,), reply_expected=False, wake=wake)
    context = Context(place.thread, place.hops, (*place.path, worker.name)[-guard.PATH :])
    key = None if ended is None else f"{RESULT_KEY}{ended}"
    sent = write_message(tx, draft, context, sender_id=worker.id, trust="peer", reply_key=key)
    deliver(tx, sent, parent, hold_of(tx, context, worker.id, parent, is_result=True))
    tx.announce("mail_queued", participant_id=parent.id)
    return sent.id


def keep_answer(
    tx: Transaction, key: Key | None, answer: dict[str, Any], status: int = 202
) -> None:
    """Keep the answer to an accepted request, with its HTTP status, for whoever repeats it."""
    if key is not None:
        kept = {**vars(key), "status": status, "answer": answer, "created_ms": tx.now_ms}
        queries.keep_key(tx.conn, kept)
