"""The use cases of wakes: hear what mail and agents do, list them, look again in time.

The ledger itself is in `ledger`, what watchers say of it in `reporting`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bus.clock import to_text
from bus.directory import service as directory
from bus.guard import service as guard
from bus.mail import holding
from bus.mail import waking as mail
from bus.mail.model import LONGEST_LEASE_S, Turn
from bus.wakes import queries
from bus.wakes.daily import count_today, is_stopped
from bus.wakes.ledger import (
    UNSTARTED,
    UNTAKEN,
    ask,
    close,
    ensure_wake,
    find,
    follow_reading,
    go_on,
    show,
)
from bus.wakes.reporting import report
from bus.wakes.turns import turns_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import sqlalchemy as sa

    from bus.access.model import Principal
    from bus.store.setaside import SetAside
    from bus.store.statement import Row
    from bus.store.transaction import Hooks, Transaction

__all__ = [
    "count_today",
    "do_due",
    "is_in_turn",
    "list_held",
    "list_wakes",
    "register",
    "release_agent",
    "report",
    "spare",
    "speeds_ms",
    "turns_of",
]
BATCH = 200
SPEEDS = 50


def register(hooks: Hooks) -> None:
    """Hear what the rooms above announce, and answer what they ask."""
    hooks.on("mail_queued", on_mail_queued)
    hooks.on("mail_read", on_mail_read)
    hooks.on("mail_settled", on_mail_settled)
    hooks.on("mail_extended", on_mail_extended)
    hooks.on("participant_changed", on_participant_changed)
    hooks.on("current_turn", current_turn)
    hooks.on("describe_participants", describe)
    hooks.on("pending_events", pending_events)


def list_wakes(
    conn: sa.Connection, principal: Principal, name: str | None, limit: int, *, only_open: bool
) -> list[dict[str, Any]]:
    """List wakes: a node's open ones, which its watcher must find again; or what one may see."""
    if principal.node_id is not None:
        rows = queries.open_of_node(conn, principal.node_id)
    else:
        mine = principal.participant_id if principal.kind == "agent" else None
        ids = [
            one.id
            for one in directory.visible(conn, principal)
            if name in {None, one.name} and mine in {None, one.id}
        ]
        rows = queries.recent(conn, ids, limit, only_open=only_open)
    return [show(conn, row) for row in rows]


def list_held(conn: sa.Connection, principal: Principal, limit: int) -> dict[str, Any]:
    """List what the guard holds, as far as the reader may see: threads, and agents' wakes."""
    mine = principal.participant_id if principal.kind == "agent" else None
    ids = [one.id for one in directory.visible(conn, principal) if mine in {None, one.id}]
    return {
        "threads": holding.list_held(conn, principal, limit),
        "agents": [
            {
                "agent": wake.to_agent,
                "reason": wake.reason,
                "held_at": to_text(wake.asked_ms),
                "until": to_text(wake.due_ms),
                "waiting": mail.pending(conn, wake.participant_id).total,
            }
            for wake in queries.stopped(conn, ids)
        ],
    }


def release_agent(tx: Transaction, principal: Principal, name: str) -> dict[str, Any]:
    """Let an agent be woken again that has had its wakes of the day; says whether it was stopped.

    Raises:
        NotFoundError: there is none of that name that the principal can see.
    """
    agent = directory.find_visible(tx.conn, principal, name)
    guard.release_agent(tx, agent.id)
    wake = queries.open_of(tx.conn, agent.id)
    was_stopped = wake is not None and is_stopped(wake)
    if wake is not None and was_stopped:
        go_on(tx, wake)
    return {"agent": agent.name, "released": was_stopped}


def on_mail_read(tx: Transaction, participant_id: int) -> None:
    """Hear that an agent read: a wake that no turn came of is closed where nothing is left."""
    wake = queries.open_of(tx.conn, participant_id)
    if wake is None:
        return
    if wake.state not in UNTAKEN:
        if wake.read_ms is None:
            queries.update(tx.conn, wake.id, {"read_ms": tx.now_ms})
        if wake.state == "requested":
            follow_reading(tx, find(tx, wake.id))
    elif not mail.is_pending(tx.conn, participant_id):
        close(tx, wake, "nothing_left", "read without this wake", failed=False)


def on_mail_queued(tx: Transaction, participant_id: int, kind: str = "named") -> None:
    """Hear that somebody can read something; only an agent is woken for it."""
    if kind == "named":
        ensure_wake(tx, participant_id)


def on_mail_settled(tx: Transaction, participant_id: int) -> None:
    """Hear that a delivery ended: a blind wake closes when all it asked for is done."""
    wake = queries.open_of(tx.conn, participant_id)
    if wake is None:
        return
    if wake.state in UNTAKEN:
        if not mail.is_pending(tx.conn, participant_id):
            close(tx, wake, "nothing_left", "its mail ended before the turn began", failed=False)
    elif (
        wake.state == "requested"
        and mail.last_lease_ms(tx.conn, participant_id) is None
        and (wake.read_ms is not None or not mail.is_pending(tx.conn, participant_id))
    ):
        close(tx, wake, "acked", "", failed=False)


def on_mail_extended(tx: Transaction, participant_id: int) -> None:
    """Hear that a reader wants more time: a blind wake lasts as long as its leases."""
    wake = queries.open_of(tx.conn, participant_id)
    if wake is not None and wake.state == "requested" and wake.read_ms is not None:
        follow_reading(tx, wake)


def spare(tx: Transaction) -> None:
    """Let no turn run out before its watcher could speak: the bus itself was away.

    And let nothing wait for a time that a clock which has been put back since had set.
    """
    config, now = tx.config, tx.now_ms
    again = now + round(max(config.wake_ask_s, config.backoff_max_s) * 1000)
    silence, blind = now + config.wake_silence_s * 1000, now + config.wake_blind_s * 1000
    leased = now + config.lease_s * 1000
    queries.hasten(tx.conn, UNTAKEN, again, again)
    queries.hasten(tx.conn, ("received", "admitted"), silence, silence)
    queries.hasten(tx.conn, ("requested",), now + LONGEST_LEASE_S * 1000, leased)
    queries.spare(tx.conn, ("received", "admitted"), silence)
    queries.spare(tx.conn, ("requested",), blind)
    mail.spare(tx, silence)
    tx.announce("spared")


def on_participant_changed(tx: Transaction, participant_id: int) -> None:
    """Hear that an agent moved, paused, went on or left: its wake goes where it is now."""
    wake = queries.open_of(tx.conn, participant_id)
    agent = queries.agent(tx.conn, participant_id)
    left = agent.removed_ms is not None or wake is None or agent.node_id != wake.node_id
    gone = agent.paused or agent.removed_ms is not None or agent.node_id is None
    if wake is not None and (left or (agent.paused and wake.state in UNSTARTED)):
        reason = "the agent was moved, paused or removed"
        if left:  # the turn's machine has lost the agent's token: it can settle nothing any more
            mail.drop_leases(tx, None, participant_id, reason, counted=False)
        close(tx, wake, "superseded", reason, failed=False)
    if not gone:
        ensure_wake(tx, participant_id)


def current_turn(tx: Transaction, participant_id: int) -> Turn | None:
    """Name the wake whose turn runs for an agent, or is about to: its watcher has it.

    With the session in which it is heard, where it is heard in one.
    """
    wake = queries.open_of(tx.conn, participant_id)
    if wake is None or wake.state not in {"received", "admitted"}:
        return None
    return Turn(wake.id, wake.session if wake.shown else None)


def is_in_turn(conn: sa.Connection, participant_id: int) -> bool:
    """Say whether an agent is in a turn that a wake began, or is about to be."""
    wake = queries.open_of(conn, participant_id)
    return wake is not None and wake.state in {"received", "admitted", "requested"}


def describe(conn: sa.Connection, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Tell what the directory shows of the mail and wakes of agents."""
    waiting, speeds = mail.pending_of(conn, ids), speeds_ms(conn, ids)
    return {
        who: {"pending": waiting.get(who, 0), "wake_p50_ms": middle(speeds.get(who, []))}
        for who in ids
    }


def speeds_ms(conn: sa.Connection, ids: Sequence[int]) -> dict[int, list[int]]:
    """Give for each how long its last wakes took from asked to read, the newest first."""
    return queries.speeds_ms(conn, ids, SPEEDS)


def middle(numbers: Iterable[int]) -> int | None:
    """Give the middle one by size."""
    ordered = sorted(numbers)
    return ordered[len(ordered) // 2] if ordered else None


def pending_events(
    conn: sa.Connection, principal: Principal, _now_ms: int
) -> list[tuple[str, dict[str, Any]]]:
    """Give what a node's stream without a cursor begins with: its open wakes."""
    if principal.node_id is None:
        return []
    return [("wake", show(conn, wake)) for wake in queries.open_of_node(conn, principal.node_id)]


def do_due(tx: Transaction, aside: SetAside) -> int:
    """Do what is due, up to a batch; gives how many wakes were looked at."""
    rows = queries.due(tx.conn, tx.now_ms, BATCH, aside.now("wakes"))
    aside.each(tx, "wakes", rows, do_one)
    return len(rows)


def do_one(tx: Transaction, wake: Row) -> None:
    """Ask a wake whose pause is over, or that nobody took; close one whose time is up."""
    if wake.state in UNTAKEN:
        mail.keep_all_quiet(tx, wake.participant_id)
        if is_stopped(wake):
            go_on(tx, wake)
        elif mail.is_pending(tx.conn, wake.participant_id):
            ask(tx, wake)
        else:
            close(tx, wake, "nothing_left", "its agent's quiet hours have begun", failed=False)
    elif wake.state == "received":
        reason = "the watcher took the wake and said nothing more"
        close(tx, wake, "lost", reason, failed=True, counted=False)
    elif wake.state == "admitted":
        reason = "the watcher said nothing more of the turn; its end is unknown"
        close(tx, wake, "lost", reason, failed=True, counted=False)
    elif wake.read_ms is None:
        reason = f"nothing was read within {tx.config.wake_blind_s} s of the call"
        close(tx, wake, "unread", reason, failed=True)
    else:
        close(tx, wake, "lapsed", "read, and not acked in time", failed=False)
