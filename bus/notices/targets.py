"""Making a target: where somebody is told, checked against what the administration allows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bus.errors import ConflictError, InvalidRequestError
from bus.notices import queries, reading, rules
from bus.notices.model import EMAIL, EVENTS, KINDS, MOST_TARGETS, NTFY, WEBHOOK
from bus.notices.outgoing import make_secret
from bus.notices.showing import off, show, whose
from bus.store.log import read_bounds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bus.access.model import Principal
    from bus.store.statement import Row
    from bus.store.transaction import Transaction

SECRET_CHARS = 52
TAKES = {NTFY: {"url", "topic", "token"}, WEBHOOK: {"url", "new_secret"}, EMAIL: {"address"}}
"""What says where a target of each kind is."""


def put(
    tx: Transaction, principal: Principal, whose_name: str, name: str, given: Mapping[str, Any]
) -> tuple[dict[str, Any], bool]:
    """Make a target, or make one anew; gives it, and whether it is new.

    A webhook's secret is in the answer when it was made, and never again.
    """
    one = whose(tx.conn, principal, whose_name)
    before = queries.named(tx.conn, one.id, reading.read_name(name))
    if not tx.config.notice_hosts:
        raise ConflictError(off())
    if before is None and len(queries.targets(tx.conn, one.id)) >= MOST_TARGETS:
        raise ConflictError(f"{MOST_TARGETS} targets are enough: remove one that is not needed")
    values, secret = read_target(tx, before, given)
    if before is None:
        begin(tx, one.id)
        made = {"participant_id": one.id, "name": name, "created_ms": tx.now_ms}
        queries.insert_target(tx.conn, values | made)
    else:
        fresh = {"failing_ms": None, "told_ms": None, "error": "", "error_ms": None}
        queries.update_target(tx.conn, before.id, values | fresh)
    target = queries.named(tx.conn, one.id, name)
    tx.record("notice_target_set", person=one.name, target=name, kind=values["kind"])
    return show(target, is_mine=True) | ({"secret": secret} if secret else {}), before is None


def begin(tx: Transaction, participant_id: int) -> None:
    """Begin to tell somebody: of what comes from now on, not of what lies there already."""
    if queries.person(tx.conn, participant_id) is None:
        head = tx.last_seq if tx.last_seq is not None else read_bounds(tx.conn).head
        values = {"id": participant_id, "seq": head, "window_ms": 0, "in_window": 0}
        queries.insert_person(tx.conn, values | {"due_ms": None})


def read_target(
    tx: Transaction, before: Row | None, given: Mapping[str, Any]
) -> tuple[dict[str, Any], str]:
    """Check what a target is to be; gives its columns, and a secret where one was made."""
    kind = given["kind"]
    if kind not in KINDS:
        raise InvalidRequestError(f"'kind' is one of {', '.join(KINDS)}, not {kind[:40]!r}")
    odd = {name for name in set().union(*TAKES.values()) - TAKES[kind] if given.get(name)}
    if odd:
        takes = ", ".join(f"'{name}'" for name in sorted(TAKES[kind]))
        raise InvalidRequestError(f"a target of kind {kind} takes {takes}, not {min(odd)!r}")
    if before is not None and before.kind != kind:
        raise ConflictError(f"{before.name} is of kind {before.kind}: remove it first")
    values = {
        "kind": kind,
        "events": json.dumps(reading.read_events(given.get("events") or EVENTS)),
        "previews": int(bool(given.get("previews"))),
        "topic": "",
        "secret": "",
    }
    allowed = rules.read_hosts(tx.config.notice_hosts)
    if kind == EMAIL:
        if not tx.config.smtp_host:
            raise ConflictError("no email is sent: the administration names no BUS_SMTP_HOST")
        return values | {"address": reading.read_mailbox(given["address"], allowed)}, ""
    address = rules.read_url(given["url"])
    rules.check_place(allowed, address)
    values["address"] = given["url"]
    if kind == WEBHOOK:
        kept = "" if before is None or given.get("new_secret") else before.secret
        made = "" if kept else make_secret(tx.ids.secret(SECRET_CHARS))
        return values | {"secret": kept or made}, made
    if address.path != "/":
        raise InvalidRequestError("'url' is the server of ntfy alone; its topic is 'topic'")
    values["topic"] = reading.read_topic(given["topic"])
    is_same = before is not None and before.address == given["url"]
    token = given.get("token")
    if token:
        values["secret"] = reading.read_token(token)
    elif token is None and is_same and before is not None:
        values["secret"] = before.secret
    return values, ""
