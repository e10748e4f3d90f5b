"""Copies of a PostgreSQL by its own programs, `pg_dump` and `pg_restore`, counted and read back.

A copy is of one moment: the rows are counted in the snapshot that `pg_dump` copies, and counted
again in the file that came of it, which is unpacked for that from its first to its last byte. The
password goes by the environment, never by a command line.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from bus.errors import ConfigError, SchemaError, StorageFailedError
from bus.store import connecting, servermigrate, whole
from bus.store.copying import Copied, full, new_file, silent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import psycopg

    from bus.store.connecting import Place
    from bus.store.copying import Progress

MAGIC = b"PGDMP"
PASSING = ("processes", "leases")
"""What is true of running processes alone: not copied, and neither is what is not logged."""
DUMP = (
    *("--format=custom", "--compress=1", "--no-owner", "--no-privileges", "--no-comments"),
    *("--no-unlogged-table-data", "--no-password", "--verbose"),
    *(f"--exclude-table-data={name}" for name in PASSING),
)
RESTORE = ("--no-owner", "--no-privileges", "--no-password", "--exit-on-error")
IN_HAND = re.compile(r'dumping contents of table "[^".]*\.?"?([^".]+)"')
BEGINS, ENDS = re.compile(rb"COPY (?:\S+\.)?\"?(\w+)\"? \(.* FROM stdin;\n"), b"\\.\n"
TOLD_EACH = 100_000


def dump_checked(
    place: Place, target: Path, progress: Progress = silent, *, folder: int | None = None
) -> Copied:
    """Copy a database into a new file that only its owner reads, and check the copy.

    Raises:
        StorageFailedError: it cannot be read, the disk is full, or the copy is not sound; no file
            is left.
    """
    program("pg_restore")
    with new_file(target, target.parent, folder) as draft:
        return fill(place, draft, progress)


def fill(place: Place, draft: Path, progress: Progress) -> Copied:
    """Copy one snapshot into a draft, and count what it holds against that."""
    with connecting.connected(place) as conn:
        whole.check_whole(conn)
        at = servermigrate.read_schema(conn)
        if at is None:
            raise SchemaError(f"{place.shown} is empty; there is nothing to copy")
        with conn.transaction():
            conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            row = conn.execute("SELECT pg_export_snapshot()").fetchone()
            rows = count_rows(conn)
            write_dump(place, draft, str(row and row[0]), rows, progress)
            epoch = servermigrate.read_epoch(conn)
    if count_dumped(draft, rows, progress) != rows:
        raise StorageFailedError("the copy has not the rows of the original; try again")
    return Copied(epoch, at, rows, draft.stat().st_size)


def count_rows(conn: psycopg.Connection[Any]) -> dict[str, int]:
    """Count each table's rows, of what is copied."""
    unlogged = {
        name for (name,) in conn.execute("SELECT relname FROM pg_class WHERE relpersistence = 'u'")
    }
    found = {}
    for name in whole.tables_of(conn):
        if name not in unlogged and name not in PASSING:
            query = f'SELECT count(*) FROM "{name}"'  # noqa: S608 - the database's own names
            found[name] = int((conn.execute(query.encode()).fetchone() or (0,))[0])
    return found


def write_dump(
    place: Place, draft: Path, snapshot: str, rows: dict[str, int], progress: Progress
) -> None:
    """Have `pg_dump` write the file, and tell how far it is by the tables that it names."""
    done, count, last = 0, 0, ""
    argv = [program("pg_dump"), *DUMP, f"--snapshot={snapshot}", f"--dbname={place.conninfo}"]
    with draft.open("wb") as file, running(argv, place, stdout=file) as process:
        for line in process.stderr or ():
            said = line.decode(errors="replace").strip()
            last = said if "error" in said or "fatal" in said.lower() else last
            if found := IN_HAND.search(said):
                done, count = done + count, rows.get(found[1], 0)
                progress("copying", done, sum(rows.values()))
        check_ended(process.wait(), last, draft)


def count_dumped(file: Path, rows: dict[str, int], progress: Progress) -> dict[str, int]:
    """Unpack a copy and count the rows of each table in it."""
    found = dict.fromkeys(rows, 0)
    name, count, done, total = "", 0, 0, sum(rows.values())
    argv = [program("pg_restore"), "--data-only", "--file=-", str(file)]
    with running(argv, None, stdout=subprocess.PIPE) as process:
        for line in process.stdout or ():
            if name and line == ENDS:
                found[name], name, done = count, "", done + count
            elif name:
                count += 1
                if count % TOLD_EACH == 0:
                    progress("checking", done + count, total)
            elif begins := BEGINS.fullmatch(line):
                name, count = begins[1].decode(), 0
        check_ended(process.wait(), "it cannot be read back", file)
    progress("checking", total, total)
    return found


def check_dump(file: Path) -> str:
    """Refuse what is no copy of a bus; gives its schema."""
    try:
        listed = read_out(["--list", str(file)])
        text = read_out(["--data-only", "--table=alembic_version", "--file=-", str(file)])
    except StorageFailedError as error:
        raise SchemaError(f"{file} cannot be read: {error.detail}") from error
    rows = text.partition(" FROM stdin;\n")[2].splitlines()
    if not rows or not all(f" {name} " in listed for name in ("meta", "log", "deliveries")):
        raise SchemaError(f"{file} is a copy of a PostgreSQL, but of none of a bus")
    return rows[0].strip()


def read_out(words: list[str]) -> str:
    """Give what `pg_restore` writes about a file."""
    with running([program("pg_restore"), *words], None, stdout=subprocess.PIPE) as process:
        out, said = process.communicate()
        check_ended(process.returncode, said.decode(errors="replace").strip(), None)
    return out.decode(errors="replace")


def restore_dump(place: Place, file: Path) -> None:
    """Put a copy into a database, all of it or nothing; extensions are left to the server's owner.

    Raises:
        StorageFailedError: it could not be put there.
    """
    listed = read_out(["--list", str(file)])
    wanted = [line for line in listed.splitlines() if " EXTENSION " not in line]
    with tempfile.NamedTemporaryFile("w", prefix="wakebus-") as names:
        names.write("\n".join(wanted))
        names.flush()
        argv = [program("pg_restore"), *RESTORE, "--single-transaction"]
        argv += [f"--use-list={names.name}", f"--dbname={place.conninfo}", str(file)]
        with running(argv, place, stdout=subprocess.DEVNULL) as process:
            said = process.communicate()[1].decode(errors="replace")
            check_ended(process.returncode, " ".join(said.split())[:500], None)


@contextmanager
def running(
    argv: list[str], place: Place | None, *, stdout: int | IO[bytes]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run one of PostgreSQL's programs; it does not outlive the block."""
    environ = {**os.environ, "LC_ALL": "C", "LANGUAGE": "C", **(place.environment if place else {})}
    process = subprocess.Popen(
        argv, env=environ, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def check_ended(code: int, said: str, draft: Path | None) -> None:
    """Say why a program failed, where it did."""
    if not code:
        return
    if draft is not None and "No space left" in said:
        raise StorageFailedError(full(draft))
    if "version mismatch" in said:
        raise ConfigError(
            "pg_dump is older than the server; install the server's own: apt install "
            f"postgresql-client-N ({said})"
        )
    raise StorageFailedError(f"the copy failed: {said or f'exit code {code}'}")


def program(name: str) -> str:
    """Find one of PostgreSQL's programs.

    Raises:
        ConfigError: it is not installed.
    """
    found = shutil.which(name)
    if found is None:
        raise ConfigError(f"{name} is not installed; on Debian: apt install postgresql-client")
    return found
