"""A new program on an old database, and the other way round, as an upgrade meets them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from servicebox import DATA, PROGRAM

from bus.store.version import HEAD

pytestmark = pytest.mark.lab

AT = """python3 -c "import sqlite3
print(sqlite3.connect('file:%s?mode=ro', uri=True)
  .execute('SELECT version_num FROM alembic_version').fetchone()[0])" """


def version(machine, file):
    return machine.say(AT % file)


def test_an_old_database_is_saved_and_brought_up_with_all_its_mail(machine, program):
    shutil.copy(Path(__file__).with_name("olden.py"), program)
    machine.post("of-the-old-days")
    machine.do(f"systemctl stop wakebus; {PROGRAM}/bin/python {PROGRAM}/olden.py {DATA}")
    assert version(machine, f"{DATA}/bus.db") == "0001"
    machine.do("systemctl start wakebus")
    assert version(machine, f"{DATA}/bus.db") == HEAD
    (saved,) = re.findall(r"\S+before\S+", machine.say(f"ls -d {DATA}/*before*"))
    assert version(machine, saved) == "0001"
    machine.post("of-the-new-ones")
    assert machine.lost() == []
    assert "of-the-old-days" in machine.say("bus inbox --token-file /root/ben.token")


def test_an_old_program_refuses_a_new_database_says_so_once_and_touches_nothing(machine):
    change = f"sqlite3.connect('{DATA}/bus.db', isolation_level=None).execute"
    machine.do(f"""systemctl stop wakebus
        python3 -c "import sqlite3; {change}('UPDATE alembic_version SET version_num=9999')" """)
    before = machine.say(f"cat {DATA}/bus.db | sha256sum; ls {DATA}")
    try:
        assert machine.do("systemctl start wakebus", check=False).returncode
        machine.until("systemctl is-failed wakebus")
        assert "a newer program has changed this database" in machine.show("StatusText")
        assert "Install the newer program again" in machine.status()
        assert machine.show("NRestarts") == "0"
        assert machine.say(f"cat {DATA}/bus.db | sha256sum; ls {DATA}") == before
    finally:
        machine.do(f"""python3 -c "import sqlite3
{change}('UPDATE alembic_version SET version_num=\\'{HEAD}\\'')" """)
