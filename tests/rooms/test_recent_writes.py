"""The file of recent writes: a long read makes it grow, and it must not stay so."""

from __future__ import annotations

import itertools

import pytest

from bus.store import sqlite
from bus.store.beside import open_beside


@pytest.mark.sqlite_only("its file of recent writes")
def test_what_a_long_read_has_made_grow_shrinks_again(monkeypatch, request):
    monkeypatch.setattr(sqlite, "WAL_KEPT_BYTES", 1_000_000)
    house, numbers = request.getfixturevalue("house"), itertools.count()
    path = house.store.config.db_path
    wal = path.with_name("bus.db-wal")

    def write(times: int) -> None:
        for key in itertools.islice(numbers, times):
            row = (f"k{key}", "x" * 100_000)
            house.store.write(
                lambda tx, row=row: tx.conn.exec_driver_sql("INSERT INTO meta VALUES (?, ?)", row)
            )

    with open_beside(path) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM meta").fetchone()
        write(80)
        assert wal.stat().st_size > 8_000_000
    write(2)
    assert wal.stat().st_size <= 1_000_000
