"""Writes rows into the database of a stopped bus, through its own schema: agents and old mail.

It must not know what is measured with them. A million messages that were read and acked, each with
its rungs and its rows of the log, take most of a minute; the rows are those that the verbs write.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from typing import TYPE_CHECKING, Any

from bus.clock import to_text
from bus.ids import RandomIds, hash_secret
from bus.store import schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import sqlalchemy as sa

DAY_MS = 86_400_000
OLD = "old-mail"
RUNGS = ("accepted", "queued", "read", "acked")
BODY = "Count the stars of the northern sky, and answer with one number. " * 4


@contextlib.contextmanager
def opened(database: Path) -> Iterator[sqlite3.Connection]:
    """Open it for one transaction that is not synced: nobody else is there."""
    connection = sqlite3.connect(database, isolation_level=None)
    with contextlib.closing(connection):
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA journal_mode=MEMORY")
        connection.execute("PRAGMA cache_size=-400000")
        connection.execute("BEGIN EXCLUSIVE")
        yield connection
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode=WAL")


def insert(
    connection: sqlite3.Connection, table: sa.Table, columns: str, rows: Iterable[tuple[Any, ...]]
) -> None:
    names = columns.split()
    assert set(names) <= {column.name for column in table.columns}
    marks = ", ".join("?" * len(names))
    words = f'INSERT INTO "{table.name}" ({", ".join(names)}) VALUES ({marks})'
    connection.executemany(words, rows)


def add_agents(
    database: Path, names: list[str], node: str = "", kind: str = "named"
) -> dict[str, str]:
    """Make agents with a token each, on no node or on one; gives the tokens."""
    now_ms, ids = int(time.time() * 1000), RandomIds()
    tokens = {name: f"wb_agent_{ids.secret(32)}" for name in names}
    with opened(database) as connection:
        found = connection.execute("SELECT id FROM nodes WHERE name = ?", (node,)).fetchone()
        node_id = found[0] if found else None
        rows = [(name, kind, node_id, name, f"agent:{name}:main", now_ms) for name in names]
        columns = "name kind node_id local_agent session_key created_ms"
        insert(connection, schema.participants, columns, rows)
        numbers = {name: find(connection, name) for name in names}
        held = [
            (ids.new("k", now_ms), "agent", numbers[name], hash_secret(token), now_ms)
            for name, token in tokens.items()
        ]
        insert(connection, schema.tokens, "id kind participant_id hash created_ms", held)
    return tokens


def add_node(database: Path, name: str) -> str:
    """Make a node whose watcher has enrolled; gives its token."""
    now_ms, ids = int(time.time() * 1000), RandomIds()
    token = f"wb_node_{ids.secret(32)}"
    with opened(database) as connection:
        insert(connection, schema.nodes, "name created_ms", [(name, now_ms)])
        number = connection.execute("SELECT max(id) FROM nodes").fetchone()[0]
        held = [(ids.new("k", now_ms), "node", number, hash_secret(token), now_ms)]
        insert(connection, schema.tokens, "id kind node_id hash created_ms", held)
    return token


def find(connection: sqlite3.Connection, name: str) -> int:
    query = "SELECT id FROM participants WHERE name = ? AND removed_ms IS NULL"
    return int(connection.execute(query, (name,)).fetchone()[0])


def add_runs(database: Path, parents: list[str], workers: list[str], count: int) -> None:
    """Add runs of the last days that have ended, each with its texts and its ladder."""
    now_ms, salt = int(time.time() * 1000), RandomIds().secret(6)
    states = ("submitted", "queued", "working", "completed")
    with opened(database) as connection:
        of = [find(connection, name) for name in parents]
        by = [find(connection, name) for name in workers]
        times = [int(now_ms - 5 * DAY_MS + at * 4 * DAY_MS / count) for at in range(count)]
        columns = (
            "place id parent_id worker_id depth thread hops path label limit_s cleanup output"
            " notify state claim created_ms claimed_ms deadline_ms ended_ms"
        )
        rows = (
            (at + 1, f"r_{at:020d}{salt}", of[at % len(of)], by[at % len(by)], 1, f"t_{at:026d}", 0,
             "[]", "old", 300, "keep", "checkpoints/old.md", "done_only", "completed", 1, at_ms,
             at_ms, at_ms, at_ms)
            for at, at_ms in enumerate(times)
        )  # fmt: skip
        insert(connection, schema.runs, columns, rows)
        texts = ((at + 1, BODY, BODY) for at in range(count))
        insert(connection, schema.run_texts, "place task output", texts)
        rungs = ((at + 1, times[at], state) for at in range(count) for state in states)
        insert(connection, schema.run_ladder, "place at_ms state", rungs)


def add_missed(database: Path, sender: str, reader: str, count: int) -> None:
    """Queue messages that nobody has read yet."""
    add_mail(database, sender, [reader], count, ended=False)


def add_old(database: Path, count: int, agents: int = 100) -> None:
    """Add mail of the last days that is settled, between agents that stay silent from now on."""
    names = [f"{OLD}-{at}" for at in range(agents)]
    add_agents(database, names)
    indexes = drop_indexes(database)
    add_mail(database, names[0], names, count, ended=True)
    with opened(database) as connection:
        for words in indexes:
            connection.execute(words)


def add_tasks(database: Path, creator: str, holder: str, count: int) -> None:
    """Fill a board as a long life does: nine of ten tasks are done, each with its history."""
    now_ms, ids = int(time.time() * 1000), RandomIds()
    shares = ["done"] * 90 + ["backlog"] * 7 + ["in_progress", "review", "blocked"]
    way = ("backlog", "in_progress", "review", "done")
    with opened(database) as connection:
        made_by, held_by = find(connection, creator), find(connection, holder)
        first_ms = now_ms - count * 1000
        made = [
            (ids.new("c", first_ms + at * 1000), first_ms + at * 1000, shares[at % len(shares)])
            for at in range(count)
        ]
        insert(
            connection,
            schema.tasks,
            "id compartment title body status blocked_from creator_id holder_id"
            " created_ms changed_ms refreshed_ms",
            (
                (key, "open", "Paint the shed", BODY, status,
                 "in_progress" if status == "blocked" else None, made_by,
                 None if status == "backlog" else held_by, at_ms, at_ms, at_ms)
                for key, at_ms, status in made
            ),
        )  # fmt: skip
        insert(
            connection,
            schema.task_history,
            "task_id at_ms kind status by_id",
            (
                (key, at_ms, "moved" if step else "added", status, held_by if step else made_by)
                for key, at_ms, last in made
                for step, status in enumerate(
                    way[: way.index(last) + 1] if last in way else way[:2]
                )
            ),
        )


def add_sessions(database: Path, names: list[str], count: int, length: int) -> list[str]:
    """Make sessions of these participants, each with as many entries; gives their ids."""
    now_ms, ids = int(time.time() * 1000), RandomIds()
    with opened(database) as connection:
        people = [find(connection, name) for name in names]
        made = [ids.new("s", now_ms) for _ in range(count)]
        insert(
            connection,
            schema.sessions,
            "number id title state thread creator_id place created_ms changed_ms",
            (
                (number, key, f"talk {number}", "open", f"t_{key[2:]}", people[0], length,
                 now_ms, now_ms + number)
                for number, key in enumerate(made, 1)
            ),
        )  # fmt: skip
        insert(
            connection,
            schema.session_members,
            "session_number participant_id wake cursor joined_ms",
            (
                (number, who, "mention", length // 2, now_ms)
                for number in range(1, count + 1)
                for who in people
            ),
        )
        insert(
            connection,
            schema.entries,
            "id session_number place at_ms kind author_id trust body",
            (
                (ids.new("e", now_ms), number, place, now_ms, "message",
                 people[place % len(people)], "peer", write_words(number, place))
                for number in range(1, count + 1)
                for place in range(1, length + 1)
            ),
        )  # fmt: skip
        connection.execute(
            f"INSERT INTO {schema.ENTRIES_FTS} ({schema.ENTRIES_FTS}) VALUES ('rebuild')"
        )
    return made


def write_words(number: int, place: int) -> str:
    """Write what an entry says: words of all, some of few, and in each session a rare one."""
    rare = " and a needle" if place == 1 else ""
    return f"{BODY} The word{place * 31 % 997} of talk{number} at{place}{rare}."


def drop_indexes(database: Path) -> list[str]:
    """Drop the indexes of the large tables; gives how to make them again, which sorting does."""
    with opened(database) as connection:
        found = connection.execute(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL"
            " AND tbl_name IN ('messages', 'deliveries', 'ladder', 'log')"
        ).fetchall()
        for name, _ in found:
            connection.execute(f'DROP INDEX "{name}"')
    return [words for _, words in found]


def add_mail(database: Path, sender: str, readers: list[str], count: int, *, ended: bool) -> None:
    now_ms = int(time.time() * 1000)
    first_ms, step_ms = (now_ms - 5 * DAY_MS, 4 * DAY_MS / count) if ended else (now_ms, 0.0)
    with opened(database) as connection:
        me, to = find(connection, sender), [find(connection, name) for name in readers]
        seq = connection.execute("SELECT coalesce(max(seq), 0) FROM log").fetchone()[0]
        last = connection.execute("SELECT coalesce(max(id), 0) FROM deliveries").fetchone()[0]
        facts = 4 if ended else 3
        salt = RandomIds().secret(6)
        made = [
            (
                f"_{at:020d}{salt}",
                int(first_ms + at * step_ms),
                at % len(to),
                last + 1 + at,
                seq + 1 + at * facts,
            )
            for at in range(count)
        ]
        path = json.dumps([sender])
        insert(
            connection,
            schema.messages,
            "id thread hops path sender_id trust type body priority reply_expected wake created_ms",
            (
                (f"m{key}", f"t{key}", 0, path, me, "peer", "TASK", BODY, 2, 0, 1, at_ms)
                for key, at_ms, *_ in made
            ),
        )
        rungs = RUNGS if ended else RUNGS[:2]
        insert(
            connection,
            schema.deliveries,
            "id message_id recipient_id state priority seq attempt wakes due_ms queued_ms ended_ms",
            (
                (number, f"m{key}", to[who], rungs[-1], 2, place + 1, int(ended), 1,
                 None if ended else at_ms + DAY_MS, at_ms, at_ms if ended else None)
                for key, at_ms, who, number, place in made
            ),
        )  # fmt: skip
        insert(
            connection,
            schema.ladder,
            "delivery_id at_ms state attempt",
            (
                (number, at_ms, state, int(state == "read"))
                for _, at_ms, _, number, _ in made
                for state in rungs
            ),
        )
        insert(
            connection,
            schema.log,
            "seq at_ms kind participant_id sender_id data",
            log_rows(made, me, sender, list(zip(to, readers, strict=True)), rungs),
        )


def log_rows(
    made: list[tuple[str, int, int, int, int]],
    me: int,
    sender: str,
    readers: list[tuple[int, str]],
    rungs: tuple[str, ...],
) -> Iterator[tuple[int, int, str, int | None, int, str]]:
    """Give the facts of each message as a stream shows them: that it is there, and its states."""
    told = [state for state in rungs if state != "read"]
    for key, at_ms, who, _, place in made:
        number, name = readers[who]
        begin = f'{{"to_agent":"{name}","id":"m{key}",'
        end = f'"from":"{sender}","at":"{to_text(at_ms)}"}}'
        data = f'{begin}"type":"TASK","priority":"normal",{end}'
        yield place + 1, at_ms, "message", number, me, data
        for step, state in enumerate(told):
            seq = place if step == 0 else place + 1 + step
            data = f'{begin}"state":"{state}","reason":"","attempt":0,{end}'
            yield seq, at_ms, "state", None, me, data
