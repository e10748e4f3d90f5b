"""How a run ends: its state, its parent's one result and the word to its card, all together.

The parent's wake is asked in the same transaction, by mail's own way; so nothing can fall between.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from bus.directory import service as directory
from bus.mail import service as mail
from bus.mail.model import RESULT, Draft
from bus.runs import queries, telling
from bus.runs.model import MAX_TOLD_REASON, Outcome
from bus.runs.moves import fill, move, tell_node
from bus.runs.telling import Asking, Told

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bus.store.statement import Row
    from bus.store.transaction import Transaction

MARK_CHARS = 8
NOTHING = Outcome("")


def end(tx: Transaction, run: Row, state: str, reason: str = "", outcome: Outcome = NOTHING) -> Row:
    """End a run: final, and told once; the next of its worker's queue gets its place."""
    facts = {
        "result": json.dumps(outcome.facts),
        "tokens_in": outcome.tokens_in,
        "tokens_out": outcome.tokens_out,
        "cost_microusd": outcome.cost_microusd,
    }
    keep_texts(tx, run, outcome)
    ended = move(tx, run, state, reason, **facts)
    if run.claimed_ms is not None and state in {"timed_out", "lost"}:
        tell_node(tx, ended)  # it may still be at work on what nobody waits for
    if run.session_id is not None:
        said = {"entry_id": tx.ask("say_end", run=ended)}
        queries.update(tx.conn, run.place, said)
        ended = ended._replace(**said)
    message_id = report(tx, ended)
    if message_id is not None:
        queries.update(tx.conn, run.place, {"message_id": message_id})
        ended = ended._replace(message_id=message_id)
    why = reason[:MAX_TOLD_REASON]
    tx.record("run_ended", run=run.id, worker=run.worker, state=state, reason=why)
    tx.announce("run_ended", run=ended)
    fill(tx, run.worker_id)
    return ended


def keep_texts(tx: Transaction, run: Row, outcome: Outcome) -> None:
    """Keep what the worker and its check said."""
    if outcome.output or outcome.verify_output:
        said = {"output": outcome.output, "verify_output": outcome.verify_output}
        queries.update_texts(tx.conn, run.place, said)


def report(tx: Transaction, run: Row) -> str | None:
    """Write the result to its parent, alone or with its group; gives the message's id."""
    if run.group_id is None:
        return tell(tx, [run])
    group = queries.group(tx.conn, run.group_id)
    if group is None:
        return tell(tx, [run])
    left = group.open - 1
    queries.update_group(tx.conn, group.id, {"open": left})
    if group.report == "each":
        return tell(tx, [run])
    is_first = group.report == "first" and run.state == "completed"
    if group.reported_ms is not None or (left and not is_first):
        return None
    queries.update_group(tx.conn, group.id, {"reported_ms": tx.now_ms})
    return tell(tx, queries.of_group(tx.conn, group.id), group.report)


def tell(tx: Transaction, runs: Sequence[Row], report: str = "") -> str | None:
    """Write one result for one run or several; the last of them says by whom and where."""
    loud = [run for run in runs if run.notify != "silent" and not is_seen(tx, run)]
    if not loud:
        return None
    run = loud[0]
    parent = directory.get(tx.conn, run.parent_id)
    reach = directory.reach(tx.conn, run.parent_id, tx.config)
    asking = Asking(reach.url, reach.header_path, parent.kind == "person")
    mark, most = tx.ids.secret(MARK_CHARS), tx.config.max_body_bytes
    told = [told_of(tx, one) for one in loud]
    if report:
        body = telling.write_merged(told, report, asking, mark, most)
    else:
        body = telling.write_single(told[0], asking, mark, most)
    subject = telling.subject_of(loud)
    draft = Draft(to=(), body=body, type=RESULT, subject=subject)
    wake = not all(is_own_doing(one) for one in loud)
    return write(tx, run, draft, wake=wake, ended=run.id)


def told_of(tx: Transaction, run: Row) -> Told:
    """Get what is told of a run."""
    if run.ended_ms is None:
        return Told(run, "")
    texts = queries.texts(tx.conn, run.place)
    return Told(run, texts.output, texts.verify_output)


def is_seen(tx: Transaction, run: Row) -> bool:
    """Say whether a person sees a run's end in its session already: it is told once."""
    if run.parent_kind != "person" or run.entry_id is None:
        return False
    where = {"participant_id": run.parent_id, "session_id": run.session_id}
    return bool(tx.ask("is_in_session", **where))


def is_own_doing(run: Row) -> bool:
    """Say whether a parent took its run back itself, and so need not be woken for it."""
    return bool(run.state == "cancelled" and run.cancel_by == run.parent_id)


def write(
    tx: Transaction, run: Row, draft: Draft, *, wake: bool, ended: str | None = None
) -> str | None:
    """Write to the parent of a run, in the thread of its dispatch."""
    place = mail.Place(run.thread, run.hops, tuple(json.loads(run.path)))
    return mail.send_result(tx, run.worker_id, run.parent_id, place, draft, wake=wake, ended=ended)


def tell_begin(tx: Transaction, run: Row) -> None:
    """Tell a parent that wants it of the one change that is no end; nobody is woken for that."""
    if run.notify != "state_changes":
        return
    is_person = directory.get(tx.conn, run.parent_id).kind == "person"
    later = "comes by itself" if is_person else "will wake you"
    body = f"Run {run.id} {run.label} by {run.worker} is working; its result {later}."
    write(tx, run, Draft(to=(), body=body, type="STATUS", subject=run.label), wake=False)
