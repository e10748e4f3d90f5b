"""Which runs there are and where one stands, as far as their readers may see."""

from __future__ import annotations

import heapq
import itertools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bus.access.rules import may_see
from bus.access.service import compartments_of
from bus.clock import shown_time, to_text
from bus.directory import service as directory
from bus.errors import InvalidRequestError, NotFoundError
from bus.runs import queries
from bus.runs.model import NOTE
from bus.runs.moves import event_of
from bus.runs.queries import ALL, ANY_PLACE, OF_PARENT, OF_WORKER
from bus.runs.rules import retry_after_s

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import sqlalchemy as sa

    from bus.access.model import Principal
    from bus.store.statement import Row


PAGE = 100
Source = tuple[str, int]
"""A column and whose runs are read by it."""


@dataclass(frozen=True)
class Asked:
    """Which runs to list."""

    parent: str | None = None
    worker: str | None = None
    state: str = "open"
    limit: int = 50
    after: str | None = None


def sees(conn: sa.Connection, principal: Principal, run: Row) -> bool:
    """Say whether a run is the reader's to see.

    It is for its parent, its worker, a person who may see both, and the administration.
    """
    if principal.kind == "admin":
        return True
    if principal.participant_id in {run.parent_id, run.worker_id}:
        return True
    if principal.kind != "person":
        return False
    ends = (run.parent_id, run.worker_id)
    return all(may_see(principal.compartments, compartments_of(conn, who)) for who in ends)


def list_runs(
    conn: sa.Connection, principal: Principal, asked: Asked
) -> tuple[list[dict[str, Any]], str | None]:
    """List runs, newest first; gives also what to go on after, or None on the last page."""
    before = place_of(conn, principal, asked.after) if asked.after else ANY_PLACE
    sources, fits = find_sources(conn, principal, asked)
    found = read_merged(conn, sources, before, asked)
    page = list(itertools.islice((run for run in found if fits(run)), asked.limit + 1))
    more = page[asked.limit - 1].id if len(page) > asked.limit else None
    return [show(run) for run in page[: asked.limit]], more


def place_of(conn: sa.Connection, principal: Principal, run_id: str) -> int:
    """Find the place of the run that the page before ended with."""
    run = queries.find(conn, run_id)
    if run is None or not sees(conn, principal, run):
        raise NotFoundError(f"'after': no run {run_id[:40]!r} of yours")
    return int(run.place)


def find_sources(
    conn: sa.Connection, principal: Principal, asked: Asked
) -> tuple[list[Source], Callable[[Row], bool]]:
    """Find by which indexes to read, and what each run must fulfil beside."""
    parent, worker = (id_of(conn, principal, name) for name in (asked.parent, asked.worker))
    me, is_admin = principal.participant_id, principal.kind == "admin"
    seen = seen_by(conn, principal)
    is_seen = sight_of(principal, seen)

    def fits(run: Row) -> bool:
        return worker in {None, run.worker_id} and is_seen(run)

    if parent is not None:
        return [(OF_PARENT, parent)], fits
    if worker is not None:
        return [(OF_WORKER, worker)], fits
    if is_admin:
        return [(ALL, 0)], fits
    if principal.kind == "person":
        return [(OF_PARENT, one) for one in sorted(seen)], fits
    return [(OF_PARENT, me or 0), (OF_WORKER, me or 0)], fits


def seen_by(conn: sa.Connection, principal: Principal) -> set[int]:
    """Give whom a principal may know of; of the administration it is not asked."""
    is_admin = principal.kind == "admin"
    return set() if is_admin else {one.id for one in directory.visible(conn, principal)}


def sight_of(principal: Principal, seen: set[int]) -> Callable[[Row], bool]:
    """Give whether a principal sees a run as a question that asks the database nothing."""
    me, kind = principal.participant_id, principal.kind

    def is_seen(run: Row) -> bool:
        ends = {run.parent_id, run.worker_id}
        return kind == "admin" or me in ends or (kind == "person" and ends <= seen)

    return is_seen


def id_of(conn: sa.Connection, principal: Principal, name: str | None) -> int | None:
    """Find whom a name means; `me` is the reader."""
    if name is None:
        return None
    if name != "me":
        return directory.find_visible(conn, principal, name).id
    if principal.participant_id is None:
        raise InvalidRequestError("'me' is for agents and people; the administration is neither")
    return principal.participant_id


def read_merged(
    conn: sa.Connection, sources: list[Source], before: int, asked: Asked
) -> Iterator[Row]:
    """Read several stretches as one, newest first, each run once."""
    page = min(PAGE, asked.limit + 1)
    streams = [queries.newest(conn, source, before, asked.state, page) for source in sources]
    last = None
    for run in heapq.merge(*streams, key=lambda run: -run.place):
        if run.place != last:
            yield run
        last = run.place


def list_for_node(conn: sa.Connection, node_id: int) -> list[dict[str, Any]]:
    """List what a node may claim or has: what its watcher must find again at its start."""
    return [
        {"run_id": run.id, "worker": run.worker, "state": run.state, "claim": run.claim,
         "cancel": run.cancel_ms is not None}
        for run in queries.of_node(conn, node_id)
    ]  # fmt: skip


def pending_events(
    conn: sa.Connection, principal: Principal, now_ms: int
) -> list[tuple[str, dict[str, Any]]]:
    """Give what a node's stream without a cursor begins with: what to claim, and what to stop."""
    if principal.node_id is None:
        return []
    return [
        ("run", event_of(run, to_text(now_ms)))
        for run in queries.of_node(conn, principal.node_id)
        if run.claimed_ms is None or run.cancel_ms is not None
    ]


def show(run: Row) -> dict[str, Any]:
    """Show a run in a list."""
    shown = {
        "run_id": run.id,
        "label": run.label,
        "parent": run.parent,
        "worker": run.worker,
        "node": run.node,
        "state": run.state,
        "reason": run.reason,
        "limit_s": run.limit_s,
        "group": run.group_id,
        "task_id": run.task_id,
        "created_at": to_text(run.created_ms),
        "claimed_at": shown_time(run.claimed_ms),
        "ended_at": shown_time(run.ended_ms),
    }
    return shown | ({"note": NOTE} if run.ended_ms is None else {})


def show_one(
    conn: sa.Connection,
    principal: Principal,
    run_id: str,
    now_ms: int,
    is_online: Callable[[int], bool] = lambda _node_id: True,
) -> tuple[dict[str, Any], int | None]:
    """Show a run and its ladder; also in how many seconds to ask again, or None where it ended.

    What it was told and what it said are for its parent and its worker alone.
    """
    run = queries.find(conn, run_id)
    if run is None or not sees(conn, principal, run):
        raise NotFoundError(f"no run {run_id[:40]!r} of yours")
    facts: dict[str, Any] = json.loads(run.result)
    shown = show(run)
    if run.ended_ms is None and run.claimed_ms is None and not run.waits:
        shown["reason"] = run.reason or directory.why_away(
            conn, directory.get(conn, run.worker_id), is_online
        )
    shown |= {
        "cleanup": run.cleanup,
        "notify": run.notify,
        "model": run.model,
        "output_path": run.output,
        "depth": run.depth,
        "session_id": run.session_id,
        "entry_id": run.entry_id,
        "thread": run.thread,
        "claim": run.claim,
        "turn_id": run.turn_id,
        "session_key": run.session_key,
        "message_id": run.message_id,
        "cancel_at": shown_time(run.cancel_ms),
        "lease_until": shown_time(run.lease_until_ms),
        "exit_code": facts.get("exit_code"),
        "file": facts.get("file"),
        "output_bytes": facts.get("output_bytes"),
        "verify": facts.get("verify") or ({"name": run.verify} if run.verify else None),
        "tokens_in": run.tokens_in,
        "tokens_out": run.tokens_out,
        "cost_usd": None if run.cost_microusd is None else run.cost_microusd / 1_000_000,
        "ladder": [show_rung(rung) for rung in queries.rungs(conn, run.place)],
    }
    if principal.participant_id in {run.parent_id, run.worker_id}:
        texts = queries.texts(conn, run.place)
        shown |= {"task": texts.task, "output": texts.output, "verify_output": texts.verify_output}
    return shown, retry_after_s(run._asdict(), now_ms)


def show_rung(rung: Row) -> dict[str, Any]:
    """Show one rung."""
    return {
        "at": to_text(rung.at_ms),
        "state": rung.state,
        "reason": rung.reason,
        "claim": rung.claim,
    }
