"""What watchers report of their wakes, and what each report means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bus.directory import service as directory
from bus.errors import FencedError, InvalidRequestError, NotFoundError
from bus.guard import costs
from bus.guard.model import Usage
from bus.mail import waking as mail
from bus.wakes import queries
from bus.wakes.ledger import UNSTARTED, UNTAKEN, close, find, follow_reading, record
from bus.wakes.rules import Commands, write_shown_text, write_text

if TYPE_CHECKING:
    from bus.access.model import Principal
    from bus.store.statement import Row
    from bus.store.transaction import Transaction


ENDS = ("ended", "failed")
USAGE = ("tokens_in", "tokens_out", "cost_usd")


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
    keep_cost(tx, wake, said)
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


def keep_cost(tx: Transaction, wake: Row, said: dict[str, Any]) -> None:
    """Keep what a turn cost that has ended, while it is known which threads it was about."""
    told = {name: said.get(name) for name in USAGE}
    usage = Usage(**told)
    if said["state"] in ENDS and usage.is_known:
        queries.update(tx.conn, wake.id, told)
        threads = mail.threads_of_turn(tx.conn, wake.participant_id, wake.id, wake.asked_ms)
        costs.add(tx, wake.participant_id, threads, usage)


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
    session = find_session(tx, wake, waiting.total)
    changes: dict[str, Any] = {"due_ms": due, "session": session}
    if wake.state in UNSTARTED:
        changes |= {"state": "received", "received_ms": tx.now_ms}
        changes |= {"method": said.get("method") or wake.method}
        mail.set_notified(tx, wake.participant_id, wake.id)
    queries.update(tx.conn, wake.id, changes)
    reach = directory.reach(tx.conn, wake.participant_id, tx.config)
    commands = Commands(reach.url, reach.header_path)
    text = write_text(commands, waiting.total, waiting.urgent)
    return {
        "go": True,
        "text": text,
        "agent": wake.to_agent,
        "local_agent": wake.local_agent,
        "session_key": wake.session_key,
        "pending": vars(waiting),
        "turn_id": wake.turn_id,
        "session": session,
        "shown_text": session and write_shown_text(commands, waiting.total, waiting.urgent),
    }


def find_session(tx: Transaction, wake: Row, total: int) -> str | None:
    """Name the session that a turn is for and in which it may be heard.

    Of a turn that has begun it is the one that it began with: what waits may be another's by now.
    """
    if wake.state not in UNSTARTED:
        return str(wake.session) if wake.shown else None
    session = mail.session_of_pending(tx.conn, wake.participant_id, total)
    if session is None:
        return None
    may_speak = tx.hooks.called("may_speak")
    return (
        session if any(call(tx.conn, wake.participant_id, session) for call in may_speak) else None
    )


def on_admitted(tx: Transaction, wake: Row, said: dict[str, Any]) -> dict[str, Any]:
    """Hear that a turn exists."""
    if wake.state in {*UNSTARTED, "requested"}:
        begin_turn(tx, wake, "admitted", said, tx.config.wake_silence_s)
        if said.get("shown") and wake.session is not None:
            queries.update(tx.conn, wake.id, {"shown": 1})
    return {}


def on_requested(tx: Transaction, wake: Row, said: dict[str, Any]) -> dict[str, Any]:
    """Hear that a blind method's call was accepted: from now on only reads and acks tell."""
    begin_turn(tx, wake, "requested", said, tx.config.wake_blind_s)
    # Its agent may have read, and even acked, while the call was on its way.
    if wake.read_ms is not None:
        follow_reading(tx, find(tx, wake.id))
    return {}


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
    if wake.read_ms is None and mail.is_pending(tx.conn, wake.participant_id):
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
    """Hear that no turn began: no attempt is counted, unless the runtime has no such agent.

    A turn that read its inbox did begin, whatever its runtime says of it.
    """
    if wake.read_ms is not None and not said.get("permanent"):
        return on_failed(tx, wake, said)
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
