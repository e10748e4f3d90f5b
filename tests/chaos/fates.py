"""What became of each run, by the database, the programs' own records and the parents' mail.

Read out of a copy of the database with plain SQL: none of the bus's own code has a say in it.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections import Counter, defaultdict
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from tests.chaos.ledger import Verdict, count_of, read_integrity
from tests.chaos.parents import PERSON

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from tests.chaos.faults import Window
    from tests.chaos.parents import Task

ENDS = ("completed", "failed", "timed_out", "cancelled", "lost")
BROKEN = {"failed", "timed_out", "lost"}
"""What a run that would have been completed may come to where something is broken."""
FITS = {
    "answer": {"completed", *BROKEN},
    "slow": {"completed", *BROKEN},
    "fail": BROKEN,
    "hang": BROKEN,
    "recall": {"cancelled", "completed", *BROKEN},
}
ENDED_WITH_WATCHER = re.compile(r"the watcher was (restarted|stopped)")
RUNS = """
SELECT r.id, t.task, r.state, r.reason, p.name, w.name, r.created_ms, r.claimed_ms, r.ended_ms
FROM runs r JOIN run_texts t ON t.place = r.place
JOIN participants p ON p.id = r.parent_id JOIN participants w ON w.id = r.worker_id
ORDER BY r.place
"""
RUNGS = "SELECT r.id, l.state FROM run_ladder l JOIN runs r ON r.place = l.place ORDER BY l.id"
EVENTS = """
SELECT p.name, l.data FROM log l JOIN participants p ON p.id = l.participant_id WHERE l.kind = 'run'
"""
RESULTS = """
SELECT m.body, s.name, p.name, d.state,
  (SELECT count(*) FROM ladder l WHERE l.delivery_id = d.id AND l.state = 'acked')
FROM messages m JOIN deliveries d ON d.message_id = m.id
JOIN participants s ON s.id = m.sender_id JOIN participants p ON p.id = d.recipient_id
WHERE m.type = 'RESULT' ORDER BY d.id
"""
HEAD = re.compile(r"Run (r_\w+) \S+ by \S+: (\w+)")
WOKEN = f"""
SELECT count(*) FROM wakes w JOIN participants p ON p.id = w.participant_id
WHERE p.name = '{PERSON}'
"""


class Run(NamedTuple):
    """One run as the database has it."""

    id: str
    brief: str
    state: str
    reason: str
    parent: str
    worker: str
    created_ms: int
    claimed_ms: int | None
    ended_ms: int | None

    @property
    def key(self) -> str:
        return self.brief.split(" ")[1]

    @property
    def took_s(self) -> float:
        """Give the time from the dispatch to the end."""
        assert self.ended_ms is not None
        return (self.ended_ms - self.created_ms) / 1000


@dataclass
class Fates:
    """All runs, and what their ends left where it can be seen."""

    runs: list[Run]
    rungs: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    events: dict[str, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))
    """For each run: on whose stream it was, and in which state."""
    results: dict[str, list[tuple[str, str, str, str, int]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    """For each run: the state it names, by whom, to whom, the delivery's state and its acks."""


def read_fates(database: Path) -> Fates:
    with closing(sqlite3.connect(database)) as db:
        fates = Fates([Run(*row) for row in db.execute(RUNS)])
        for run_id, state in db.execute(RUNGS):
            fates.rungs[run_id].append(state)
        for whose, text in db.execute(EVENTS):
            event = json.loads(text)
            fates.events[event["run_id"]].append((whose, event["state"]))
        for body, sender, *rest in db.execute(RESULTS):
            head = HEAD.match(body)
            assert head is not None, body
            fates.results[head[1]].append((head[2], sender, *rest))
    return fates


def judge_runs(
    database: Path, accepted: Mapping[str, str], tasks: Iterable[Task], executed: Mapping[str, int]
) -> tuple[Verdict, Fates]:
    """Judge them all; `executed` says how often the program of each run really was."""
    verdict, fates = Verdict(), read_fates(database)
    by_key, known = {task.key: task for task in tasks}, {run.id: run.key for run in fates.runs}
    integrity = read_integrity(database)
    verdict.claim(integrity == "ok", f"integrity_check: {integrity}")
    lost = [key for key, run_id in accepted.items() if known.get(run_id) != key]
    verdict.claim(not lost, f"accepted and lost: {lost[:5]}")
    times = Counter(run.key for run in fates.runs)
    doubled = [key for key, count in times.items() if count > 1 or key not in accepted]
    verdict.claim(not doubled, f"more than one run of a key, or of none: {doubled[:5]}")
    woken = count_of(database, WOKEN)
    verdict.claim(woken == 0, f"a person was woken {woken} times")
    verdict.counts = Counter(accepted=len(accepted), gone=len(lost), doubled=len(doubled))
    for run in fates.runs:
        judge_run(run, fates, by_key[run.key], executed.get(run.id, 0), verdict)
    return verdict, fates


def judge_run(run: Run, fates: Fates, task: Task, executed: int, verdict: Verdict) -> None:
    """Judge one run: an end, a result that was acked, and not executed twice."""
    where = f"{run.id} ({run.brief.splitlines()[0]}) is {run.state} ({run.reason})"
    ends = [state for state in fates.rungs[run.id] if state in ENDS]
    told = [(whose, state) for whose, state in fates.events[run.id] if state in ENDS]
    results = fates.results[run.id]
    verdict.claim(ends == [run.state], f"{where}: its ladder has the ends {ends}")
    verdict.claim(fates.rungs[run.id][-1] == run.state, f"{where}: its ladder goes on after that")
    is_told = told == [(task.parent, run.state)]
    verdict.claim(is_told, f"{where}: the streams have the ends {told}")
    wanted = [(run.state, task.worker, task.parent, "acked", 1)]
    verdict.claim(results == wanted, f"{where}: its results are {results}")
    verdict.claim(executed <= 1, f"{where}: it was executed {executed} times")
    is_done = run.state != "completed" or executed > 0
    verdict.claim(is_done, f"{where}: nothing was executed")
    verdict.claim(run.state in FITS[task.what], f"{where}: that cannot come of {task.what}")
    is_explained = run.state != "failed" or task.what == "fail" or is_broken(run)
    verdict.claim(is_explained, f"{where}: nothing of that was broken")
    verdict.counts[run.state] += 1
    verdict.counts["results acked once"] += results == wanted
    verdict.counts["executed once"] += executed == 1
    verdict.counts["executed never"] += executed == 0


def is_broken(run: Run) -> bool:
    """Say whether a run failed because its watcher was ended."""
    return ENDED_WITH_WATCHER.search(run.reason) is not None


def count_met(
    windows: Iterable[Window], runs: Iterable[Run], home: Mapping[str, str]
) -> dict[str, Counter[str]]:
    """Count by kind of fault what became of the runs that were at work where it was felt."""
    met: dict[str, dict[str, str]] = defaultdict(dict)
    for window in windows:
        for run in runs:
            is_there = window.fault.host in {"bus", home[run.worker]}
            if run.claimed_ms is None or run.ended_ms is None or not is_there:
                continue
            if run.claimed_ms <= window.mended_ms and run.ended_ms >= window.began_ms:
                met[window.fault.kind][run.id] = run.state
        met[window.fault.kind] |= {}
    return {kind: Counter(states.values()) for kind, states in met.items()}
