"""What `bus doctor` asks the database itself, where that has this program's schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus.cli.calling import ADMIN_FILE, read_token
from bus.cli.checks import BAD, OK, WARN, Row, Seen, age, some
from bus.cli.failing import Failure
from bus.clock import DAY_MS, MINUTE_MS
from bus.ids import hash_secret
from bus.store import facts

if TYPE_CHECKING:
    from bus.cli.checks import Looked

STUCK_MS, UNSEEN_MS = 10 * MINUTE_MS, 20 * MINUTE_MS
"""A stream lives for some ten minutes, and each begin and end of it is noted."""
BACK_MS = 5_000


def see_clock(look: Looked) -> Seen:
    newest = facts.newest_ms(look.ask)
    if newest is None:
        return Seen(OK, "nothing has happened yet")
    if newest > look.now_ms + BACK_MS:
        ahead = age(newest - look.now_ms)
        return Seen(BAD, f"the last entry is {ahead} in the future: the clock went back")
    return Seen(OK, f"the last entry is {age(look.now_ms - newest)} old")


def see_tokens(look: Looked) -> Seen:
    good = facts.good_admin_tokens(look.ask)
    if not good:
        return Seen(BAD, "no token to administer is good")
    path = look.config.data_dir / ADMIN_FILE
    if not path.exists():
        return Seen(OK, f"{len(good)} good; none in {path.parent}")
    try:
        is_good = hash_secret(read_token(path)) in good
    except (Failure, OSError):
        is_good = False
    return Seen(OK, f"{path} is good") if is_good else Seen(WARN, f"{path} is not good (any more)")


def see_nodes(look: Looked) -> Seen:
    at = look.now_ms if look.holder else (facts.newest_ms(look.ask) or look.now_ms)
    unseen = facts.unseen_nodes(look.ask, at - UNSEEN_MS)
    if not unseen:
        return Seen(OK, f"each was seen within {age(UNSEEN_MS)}")
    names = [f"{name} ({f'for {age(at - seen)}' if seen else 'never'})" for name, seen in unseen]
    return Seen(WARN, f"not seen: {some(names)}")


def see_wakes(look: Looked) -> Seen:
    stuck = facts.stuck_wakes(look.ask, look.now_ms - STUCK_MS)
    if not stuck:
        return Seen(OK, f"none asked for over {age(STUCK_MS)} ago waits for its turn")
    names = some([f"{name} (try {tries})" for name, tries in stuck])
    return Seen(WARN, f"asked for over {age(STUCK_MS)} ago: {names}")


def see_given_up(look: Looked) -> Seen:
    dead = [message for message, _ in facts.dead_since(look.ask, look.now_ms - DAY_MS)]
    if not dead:
        return Seen(OK, "none in the last day")
    return Seen(WARN, f"{len(dead)} in the last day: {some(dead)}")


def see_holds(look: Looked) -> Seen:
    held = [thread for thread, _ in facts.held_threads(look.ask)]
    return Seen(WARN, f"{len(held)}: {some(held)}") if held else Seen(OK, "none")


def see_notices(look: Looked) -> Seen:
    targets, failing = facts.notice_targets(look.ask)
    config = look.config
    if not config.notice_hosts:
        found = "off: BUS_NOTICE_HOSTS is empty, so nobody is told of anything when away"
        mend = "docs/howto/be-told-when-away.md"
        wait = "1 target waits" if targets == 1 else f"{targets} targets wait"
        return Seen(WARN, f"{found}; {wait}", mend) if targets else Seen(OK, found)
    if failing:
        return Seen(WARN, f"fails, {len(failing)} of {targets}: {some(failing)}")
    if config.smtp_host and config.smtp_user and not config.smtp_password:
        return Seen(WARN, "BUS_SMTP_USER is set, and no BUS_SMTP_PASSWORD", "its file: bus config")
    return Seen(OK, "no target fails" if targets else "nobody has asked to be told")


ROWS = (
    Row("clock", see_clock, "Set it: timedatectl set-ntp true"),
    Row("admin token", see_tokens, "Stop the bus, then: bus init --replace-admin-token"),
    Row(
        "nodes",
        see_nodes,
        "There: systemctl --user status bus-watcher; one that is gone: bus node remove NAME",
    ),
    Row(
        "wakes",
        see_wakes,
        "Why: bus wakes; on its machine: bus-watcher agents, journalctl --user -u bus-watcher",
    ),
    Row(
        "given up",
        see_given_up,
        "Why: bus trace ID; to send one again: bus redrive ID; all dead letters: bus dead",
    ),
    Row("held threads", see_holds, "Let one go: bus release THREAD"),
    Row("notices", see_notices, "Why: bus notice list, by each person, or with --of NAME"),
)
