"""The backup that nobody thinks of until it is needed."""

from __future__ import annotations

import pytest
from servicebox import DATA

pytestmark = pytest.mark.lab


def test_the_bus_is_saved_every_day_and_a_backup_brings_its_mail_back(machine):
    assert machine.show("UnitFileState", "wakebus-backup.timer") == "enabled"
    assert machine.show("NextElapseUSecRealtime", "wakebus-backup.timer")
    machine.post("of-before-the-backup")
    machine.do("systemctl start wakebus-backup")
    (name,) = machine.say(f"ls {DATA}/backups").split()
    assert machine.say(f"stat -Lc %a {DATA}/backups/{name}") == "600"
    machine.do(f"systemctl stop wakebus; bus restore {DATA}/backups/{name}")
    machine.do("systemctl start wakebus")
    assert machine.lost() == []


def test_a_backup_before_the_first_start_is_skipped_and_no_failure(bare):
    bare.do("bus unit uninstall; bus unit install; systemctl stop wakebus")
    bare.do(f"mv {DATA}/bus.db {DATA}/away; systemctl start wakebus-backup")
    assert bare.show("ConditionResult", "wakebus-backup") == "no"
