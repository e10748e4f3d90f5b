"""The use cases of the ledger: ask for a wake, hear what became of it, close it, look again.

States of an open wake: `paused` (not to be asked before its time), `asked` (on the node's
stream), `received` (the watcher has it), `admitted` (a turn lives), `requested` (a blind method
took the call). What remains to be read is derived from mail each time, never kept here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bus.clock import to_text
from bus.directory import service as directory
from bus.errors import FencedError, InvalidRequestError, NotFoundError
from bus.mail import waking as mail
from bus.mail.model import LONGEST_LEASE_S
from bus.store.log import Concerns, append
from bus.wakes import queries
from bus.wakes.rules import Commands, pause_ms, write_text

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bus.access.model import Principal
    from bus.store.setaside import SetAside
    from bus.store.statement import Row
    from bus.store.transaction import Hooks, Transaction

BATCH = 200
SPEEDS = 50
MAX_REASON = 300
UNSTARTED = ("paused", "asked", "received")
UNTAKEN = ("paused", "asked")
"""Nobody has it yet, so a read or an ack cannot be its doing: with nothing left it is closed."""


def register(hooks: Hooks) -> None:
    """Hear what the rooms above announce, and answer what they ask."""
    hooks.on("mail_queued", ensure_wake)
    hooks.on("mail_read", on_mail_read)
    hooks.on("mail_settled", on_mail_settled)
    hooks.on("mail_extended", on_mail_extended)
    hooks.on("participant_changed", on_participant_changed)
    hooks.on("current_turn", current_turn)
    hooks.on("describe_participant", describe)
    hooks.on("pending_events", pending_events)


def ensure_wake(tx: Transaction, participant_id: int) -> None:
    """Have a wake open if there is mail that wants one; at most one is."""
    there = queries.open_of(tx.conn, participant_id)
    if there is not None:
        if there.state == "paused":
            explain(tx, there)
        return
    agent = queries.agent(tx.conn, participant_id)
    if agent.kind != "named" or agent.paused or agent.removed_ms or agent.node_id is None:
        return
    if not mail.pending(tx.conn, participant_id).total:
        return
    wake_id = tx.ids.new("w", tx.now_ms)
    pause = left_of_pause_ms(tx, participant_id, agent.wake_failures)
    values = {
        "id": wake_id,
        "participant_id": participant_id,
        "node_id": agent.node_id,
        "generation": queries.next_generation(tx.conn, participant_id),
        "state": "paused",
        "attempt": agent.wake_failures + 1,
        "asked_ms": tx.now_ms,
        "due_ms": tx.now_ms + pause,
    }
    queries.insert_wake(tx.conn, values)
    tx.remind(tx.now_ms + pause)
    if pause:
        explain(tx, find(tx, wake_id))
    else:
        ask(tx, find(tx, wake_id))


def left_of_pause_ms(tx: Transaction, participant_id: int, failures: int) -> int:
    """Give how long the next wake has still to wait; a pause begins with the last failure."""
    config, last = tx.config, queries.last_closed(tx.conn, participant_id)
    whole = pause_ms(failures, config.backoff_first_s, config.backoff_max_s, tx.ids.fraction())
    if last is None:
        return whole
    # Never longer than a whole pause: the clock may have been put back since.
    since_ms = int(tx.now_ms - last.closed_ms)
    return min(whole, max(0, whole - since_ms))


def explain(tx: Transaction, wake: Row) -> None:
    """Write on what waits for another try until when, and why."""
    last = queries.last_closed(tx.conn, wake.participant_id)
    why = f" ({last.reason})" if last is not None and last.reason else ""
    when = f"waiting until {to_text(wake.due_ms)} to try" if wake.state == "paused" else "tried"
    mail.note(tx, wake.participant_id, f"{when} again{why}")


def ask(tx: Transaction, wake: Row) -> None:
    """Put a wake on its node's stream; it is looked at again if nobody takes it."""
    since = wake.asked_ms if wake.state == "asked" else tx.now_ms
    # Asked again after 30 s, a minute, two, four …: an offline node's log must not fill up.
    due = tx.now_ms + max(tx.config.wake_ask_s * 1000, tx.now_ms - since)
    queries.update(tx.conn, wake.id, {"state": "asked", "asked_ms": since, "due_ms": due})
    now = find(tx, wake.id)
    if wake.state == "paused" and wake.attempt > 1:
        explain(tx, now)
    data = show(tx.conn, now)
    append(tx, "wake", data, Concerns(node_id=wake.node_id))
    record(tx, "wake_asked", wake, attempt=wake.attempt, pending=data["pending"]["total"])
    tx.remind(due)


def record(tx: Transaction, action: str, wake: Row, **facts: Any) -> None:
    """Have the log tell of a wake."""
    tx.record(action, wake=wake.id, agent=wake.to_agent, generation=wake.generation, **facts)


def find(tx: Transaction, wake_id: str) -> Row:
    """Find a wake that must be there."""
    wake = queries.find(tx.conn, wake_id)
    if wake is None:
        raise NotFoundError
    return wake


def show(conn: sa.Connection, wake: Row) -> dict[str, Any]:
    """Show a wake: ids, counts and times, never a body."""
    waiting = mail.pending(conn, wake.participant_id)
    times = {
        name: to_text(getattr(wake, column))
        for name, column in (
            ("asked_at", "asked_ms"),
            ("received_at", "received_ms"),
            ("admitted_at", "admitted_ms"),
            ("read_at", "read_ms"),
            ("closed_at", "closed_ms"),
        )
        if getattr(wake, column) is not None
    }
    return {
        "to_agent": wake.to_agent,
        "wake_id": wake.id,
        "generation": wake.generation,
        "local_agent": wake.local_agent,
        "session_key": wake.session_key,
        "state": wake.state,
        "attempt": wake.attempt,
        "pending": vars(waiting),
        "turn_id": wake.turn_id,
        "method": wake.method,
        "result": wake.result,
        "reason": wake.reason,
        **times,
    }


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


def report(
    tx: Transaction, principal: Principal, wake_id: str, said: dict[str, Any]
) -> dict[str, Any]:
    """Hear a watcher's report of one of its own agents' wakes."""
    wake = queries.find(tx.conn, wake_id)
    if wake is None or wake.node_id != principal.node_id:
        raise NotFoundError(f"no wake {wake_id[:40]!r} of this node")
    do = REPORTS.get(said["state"])
    if do is None:
        raise InvalidRequestError(f"'state' is one of {', '.join(REPORTS)}")
    if wake.closed_ms is not None:
        return closed_answer(wake, said["state"])
    more = do(tx, wake, said | {"reason": mail.one_line(said.get("reason") or "")})
    after = find(tx, wake_id)
    return {
        "wake_id": wake_id,
        "state": after.state,
        "open": after.closed_ms is None,
        "next_wake": (other := queries.open_of(tx.conn, wake.participant_id)) is not None
        and other.id != wake_id,
        **more,
    }


def closed_answer(wake: Row, state: str) -> dict[str, Any]:
    """Answer a report of a closed wake: the same end again is fine, anything else is stale."""
    if state == "received" or wake.result != state:
        raise FencedError(f"this wake is closed ({wake.result}); a newer generation took its place")
    return {"wake_id": wake.id, "state": wake.state, "open": False, "next_wake": False}


def on_received(tx: Transaction, wake: Row, said: dict[str, Any]) -> dict[str, Any]:
    """Hand out the wake text, made now so that its counts are true; or say that nothing is left."""
    if wake.state == "requested":
        # A blind call was made for it, perhaps by an earlier life of this watcher.
        return {"go": False, "reason": "its turn was asked for already", "turn_id": wake.turn_id}
    waiting = mail.pending(tx.conn, wake.participant_id)
    if not waiting.total and wake.state in UNTAKEN:
        close(tx, wake, "nothing_left", "its mail was read before the turn began", failed=False)
        return {"go": False, "reason": "nothing is left to read"}
    due = tx.now_ms + tx.config.wake_silence_s * 1000
    changes: dict[str, Any] = {"due_ms": due}
    if wake.state in UNSTARTED:
        changes |= {"state": "received", "received_ms": tx.now_ms}
        changes |= {"method": said.get("method") or wake.method}
        mail.set_notified(tx, wake.participant_id, wake.id)
    queries.update(tx.conn, wake.id, changes)
    reach = directory.reach(tx.conn, wake.participant_id, tx.config)
    text = write_text(Commands(reach.url, reach.header_path), waiting.total, waiting.urgent)
    return {
        "go": True,
        "text": text,
        "agent": wake.to_agent,
        "local_agent": wake.local_agent,
        "session_key": wake.session_key,
        "pending": vars(waiting),
        "turn_id": wake.turn_id,
    }


def on_admitted(tx: Transaction, wake: Row, said: dict[str, Any]) -> dict[str, Any]:
    """Hear that a turn exists."""
    if wake.state in {*UNSTARTED, "requested"}:
        begin_turn(tx, wake, "admitted", said, tx.config.wake_silence_s)
    return {}


def on_requested(tx: Transaction, wake: Row, said: dict[str, Any]) -> dict[str, Any]:
    """Hear that a blind method's call was accepted: from now on only reads and acks tell."""
    begin_turn(tx, wake, "requested", said, tx.config.wake_blind_s)
    # Its agent may have read, and even acked, while the call was on its way.
    if wake.read_ms is not None:
        follow_reading(tx, find(tx, wake.id))
    return {}


def follow_reading(tx: Transaction, wake: Row) -> None:
    """Judge a blind wake by what was read: it lasts as long as a lease, and ends with the last."""
    due = mail.last_lease_ms(tx.conn, wake.participant_id)
    if due is None:
        close(tx, wake, "acked", "", failed=False)
    else:
        queries.update(tx.conn, wake.id, {"due_ms": due})


def begin_turn(
    tx: Transaction, wake: Row, state: str, said: dict[str, Any], silence_s: int
) -> None:
    """Set the rung `woken`, and when to look again."""
    turn_id = said.get("turn_id") or wake.turn_id
    seen = state == "admitted" or wake.state == "admitted"
    mail.set_notified(tx, wake.participant_id, wake.id)
    mail.set_woken(tx, wake.id, wake.participant_id, turn_id, seen=seen)
    queries.set_woken(tx.conn, wake.participant_id, tx.now_ms)
    changes = {
        "state": state,
        "turn_id": turn_id,
        "method": said.get("method") or wake.method,
        "received_ms": wake.received_ms or tx.now_ms,
        "admitted_ms": wake.admitted_ms or tx.now_ms,
        "due_ms": tx.now_ms + silence_s * 1000,
    }
    queries.update(tx.conn, wake.id, changes)
    record(tx, "wake_begun", wake, state=state, method=changes["method"], turn=turn_id or "")
    tx.remind(changes["due_ms"])


def on_alive(tx: Transaction, wake: Row, said: dict[str, Any]) -> dict[str, Any]:
    """Hear that the turn lives: nothing of it runs out meanwhile."""
    if wake.state in UNSTARTED and said.get("turn_id"):
        begin_turn(tx, wake, "admitted", said, tx.config.wake_silence_s)
    due = tx.now_ms + tx.config.wake_silence_s * 1000
    queries.update(tx.conn, wake.id, {"due_ms": due})
    mail.extend_leases(tx, wake.id, wake.participant_id)
    return {}


def on_ended(tx: Transaction, wake: Row, said: dict[str, Any]) -> dict[str, Any]:
    """Hear a good end. A turn that read nothing of what it was woken for is a counted attempt."""
    reason = said.get("reason") or ""
    if wake.read_ms is None and mail.pending(tx.conn, wake.participant_id).total:
        close(tx, wake, "ended", reason or "the turn ended without reading the inbox", failed=True)
    else:
        close(tx, wake, "ended", reason, failed=False)
    return {}


def on_failed(tx: Transaction, wake: Row, said: dict[str, Any]) -> dict[str, Any]:
    """Hear a bad end: what the turn had read goes back too."""
    reason = f"the turn failed: {said.get('reason') or 'no reason given'}"
    mail.drop_leases(tx, wake.id, wake.participant_id, reason, counted=True)
    close(tx, wake, "failed", reason, failed=True, counted=wake.state not in UNSTARTED)
    return {}


def on_no_turn(tx: Transaction, wake: Row, said: dict[str, Any]) -> dict[str, Any]:
    """Hear that no turn began: no attempt is counted, unless the runtime has no such agent."""
    reason = f"no turn could be started: {said.get('reason') or 'no reason given'}"
    if said.get("permanent"):
        mail.end_all_waiting(tx, wake.participant_id, reason)
    close(tx, wake, "no_turn", reason, failed=True, counted=False)
    return {}


REPORTS = {
    "received": on_received,
    "admitted": on_admitted,
    "requested": on_requested,
    "alive": on_alive,
    "ended": on_ended,
    "failed": on_failed,
    "no_turn": on_no_turn,
}


def close(  # noqa: PLR0913 - how a wake ends has that many facts
    tx: Transaction,
    wake: Row,
    result: str,
    reason: str,
    *,
    failed: bool,
    counted: bool | None = None,
) -> None:
    """Close a wake and look again at what remains: new mail during a turn is one more wake.

    `failed` makes the next wake pause; `counted` (the same where not said) counts the attempt on
    what it asked for and nobody read.
    """
    values = {
        "state": "closed",
        "result": result,
        "reason": reason,
        "closed_ms": tx.now_ms,
        "due_ms": None,
    }
    there = queries.open_of(tx.conn, wake.participant_id)
    if there is None or there.id != wake.id:
        return
    queries.update(tx.conn, wake.id, values)
    record(tx, "wake_closed", wake, result=result, failed=failed, reason=reason[:MAX_REASON])
    agent = queries.agent(tx.conn, wake.participant_id)
    queries.set_failures(tx.conn, wake.participant_id, agent.wake_failures + 1 if failed else 0)
    counts = failed if counted is None else counted
    mail.put_back(tx, wake.id, wake.participant_id, reason, counted=counts)
    ensure_wake(tx, wake.participant_id)


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
    elif not mail.pending(tx.conn, participant_id).total:
        close(tx, wake, "nothing_left", "read without this wake", failed=False)


def on_mail_settled(tx: Transaction, participant_id: int) -> None:
    """Hear that a delivery ended: a blind wake closes when all it asked for is done."""
    wake = queries.open_of(tx.conn, participant_id)
    if wake is None:
        return
    waits = mail.pending(tx.conn, participant_id).total
    if wake.state in UNTAKEN and not waits:
        close(tx, wake, "nothing_left", "its mail ended before the turn began", failed=False)
    elif (
        wake.state == "requested"
        and mail.last_lease_ms(tx.conn, participant_id) is None
        and (wake.read_ms is not None or not waits)
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


def current_turn(tx: Transaction, participant_id: int) -> str | None:
    """Name the wake whose turn runs for an agent, or is about to: its watcher has it."""
    wake = queries.open_of(tx.conn, participant_id)
    return wake.id if wake is not None and wake.state in {"received", "admitted"} else None


def describe(conn: sa.Connection, participant_id: int) -> dict[str, Any]:
    """Tell what the directory shows of an agent's mail and wakes."""
    speeds = sorted(queries.speeds_ms(conn, participant_id, SPEEDS))
    return {
        "pending": mail.pending(conn, participant_id).total,
        "wake_p50_ms": speeds[len(speeds) // 2] if speeds else None,
    }


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
    if wake.state in {"paused", "asked"}:
        ask(tx, wake)
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
