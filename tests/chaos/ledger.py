"""What was accepted, by the senders' own word, and what the database says became of it.

The senders' word is kept by this process, which nobody kills. The verdict is read out of a copy of
the database with plain SQL: none of the bus's own code has a say in it.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FATES = """
SELECT m.id, m.body, d.state,
  (SELECT count(*) FROM ladder l WHERE l.delivery_id = d.id AND l.state = 'acked') AS acks,
  (SELECT count(*) FROM messages f JOIN deliveries fd ON fd.message_id = f.id
    WHERE f.in_reply_to = m.id AND f.type = 'FAILURE' AND f.sender_id IS NULL
      AND fd.recipient_id = m.sender_id) AS told,
  (SELECT count(*) FROM messages a
    WHERE a.in_reply_to = m.id AND a.sender_id = d.recipient_id) AS answers
FROM messages m JOIN deliveries d ON d.message_id = m.id
WHERE m.sender_id IS NOT NULL AND m.body LIKE 'chaos %'
"""
OPEN = """
SELECT count(*) FROM deliveries d JOIN messages m ON m.id = d.message_id
WHERE d.ended_ms IS NULL AND m.type <> 'DELAYED'
"""
ANSWERING = {"answer", "ask", "stumble"}


class Ledger:
    """Keeps each 202 the moment it came, by its idempotency key."""

    def __init__(self) -> None:
        self.accepted: dict[str, str] = {}
        self.refusals: Counter[str] = Counter()
        self.repeated = 0
        self._changed = threading.Condition()

    def note(self, key: str, its_id: str, *, repeated: bool) -> None:
        """Write down that the bus has taken something; another id for a key is a double."""
        with self._changed:
            known = self.accepted.setdefault(key, its_id)
            assert known == its_id, f"{key} is both {known} and {its_id}"
            self.repeated += repeated
            self._changed.notify_all()

    def note_refusal(self, code: str) -> None:
        """Count an answer, or none, after which the sender tried again."""
        with self._changed:
            self.refusals[code] += 1

    def wait_for(self, count: int, within_s: float) -> bool:
        """Wait until so many are accepted; says whether they are."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self.accepted) >= count, within_s)


@dataclass
class Verdict:
    """Counts, and what is wrong; nothing may be."""

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def claim(self, good: bool, text: str) -> None:
        if not good:
            self.wrong.append(text)


def read_integrity(database: Path) -> str:
    """Have SQLite look through the whole file: `ok` where nothing is wrong."""
    with closing(sqlite3.connect(database)) as db:
        return str(db.execute("PRAGMA integrity_check").fetchone()[0])


def count_of(database: Path, query: str) -> int:
    with closing(sqlite3.connect(database)) as db:
        return int(db.execute(query).fetchone()[0])


def find_lost(database: Path, accepted: dict[str, str]) -> list[str]:
    """Name the accepted messages that the database does not hold, each under its own body."""
    with closing(sqlite3.connect(database)) as db:
        there = dict(db.execute("SELECT id, body FROM messages"))
    return [key for key, one in accepted.items() if there.get(one, "").split(" ")[1:2] != [key]]


def find_doubled(database: Path) -> list[str]:
    """Name what is in the database more than once; each body was sent under one key."""
    with closing(sqlite3.connect(database)) as db:
        rows = db.execute(
            "SELECT body FROM messages WHERE body LIKE 'chaos %' GROUP BY body HAVING count(*) > 1"
        )
        return [row[0] for row in rows]


def judge_store(database: Path, accepted: dict[str, str]) -> Verdict:
    """Judge what the disk holds: all that was accepted, once, and in a sound file."""
    verdict = Verdict()
    integrity = read_integrity(database)
    lost, doubled = find_lost(database, accepted), find_doubled(database)
    verdict.counts = Counter(accepted=len(accepted), lost=len(lost), doubled=len(doubled))
    verdict.claim(integrity == "ok", f"integrity_check: {integrity}")
    verdict.claim(not lost, f"accepted and lost: {lost[:5]}")
    verdict.claim(not doubled, f"more than one message of a key: {doubled[:5]}")
    return verdict


def judge_fates(database: Path, accepted: dict[str, str]) -> Verdict:
    """Judge what became of each message: acked once, or dead and its sender told once."""
    verdict = judge_store(database, accepted)
    with closing(sqlite3.connect(database)) as db:
        for message_id, body, state, acks, told, answers in db.execute(FATES):
            what = body.split(" ")[2]
            verdict.counts[state] += 1
            verdict.counts["dead and told"] += state == "dead" and told == 1
            verdict.counts["answers"] += answers
            where = f"{message_id} ({body})"
            verdict.claim(state in {"acked", "dead"}, f"{where} is {state}")
            verdict.claim(acks == (state == "acked"), f"{where} is {state} and acked {acks} times")
            verdict.claim(told == (state == "dead"), f"{where} is {state}, told {told} times")
            expected = int(state == "acked" and what in ANSWERING)
            verdict.claim(answers == expected or state == "dead", f"{where}: {answers} answers")
        verdict.counts["wakes"] = count_of(database, "SELECT count(*) FROM wakes")
        verdict.counts["FAILURE"] = count_of(
            database, "SELECT count(*) FROM messages WHERE type = 'FAILURE'"
        )
        left = count_of(database, OPEN)
        verdict.claim(left == 0, f"{left} deliveries are still open")
    return verdict
