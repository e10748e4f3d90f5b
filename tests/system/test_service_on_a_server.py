"""The bus as a service whose database is a PostgreSQL of Debian's package, with two workers.

The machine is set up as docs/howto/move-to-postgresql.md and two-bus-machines.md say.
"""

from __future__ import annotations

import pytest
from servicebox import DATA, PORT

from tests.postgres import program as postgresql

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]

FILE = "/etc/wakebus/database-url"
AS_POSTGRES = "cd /; runuser -u postgres --"
SERVER = f"""
version=$(ls /usr/lib/postgresql | sort -V | tail -n 1)
pg_createcluster $version bus --port 5439 --start-conf=auto >/dev/null
systemctl enable --quiet postgresql
systemctl start postgresql@$version-bus
{AS_POSTGRES} psql -q -p 5439 -c "CREATE ROLE wakebus LOGIN PASSWORD 'a-word'"
{AS_POSTGRES} createdb -p 5439 -O wakebus -E UTF8 -T template0 wakebus
install -d -m 700 /etc/wakebus
install -m 600 /dev/null {FILE}
echo 'postgresql+psycopg://wakebus:a-word@127.0.0.1:5439/wakebus' > {FILE}
"""
WITH_ALL = f"export BUS_DATABASE_URL_FILE={FILE}; "
LIVE = f"curl -s http://127.0.0.1:{PORT}/readyz | grep -q '\"processes\":2'"


@pytest.fixture(scope="module")
def served(bare):
    """The service with two workers on a PostgreSQL of the same machine."""
    postgresql("initdb")
    bare.do(SERVER)
    bare.said = bare.say("bus unit install --set BUS_WORKERS=2")
    bare.add_agents()
    return bare


@pytest.fixture
def machine(served):
    served.drop_in("[Service]\nWatchdogSec=3\n")
    served.do("systemctl reset-failed wakebus; systemctl restart wakebus")
    served.until(LIVE)
    return served


def workers(machine):
    main = machine.pid()
    return machine.say(f"cat /proc/{main}/task/{main}/children").split()


def test_who_installs_it_is_told_what_a_shell_needs_to_see_its_database(served):
    told = f"export BUS_DATA_DIR={DATA} BUS_DATABASE_URL_FILE={FILE}"
    assert told in served.said
    assert "bus -" not in served.do("bus doctor", check=False).stdout
    assert told in served.do("bus doctor", check=False).stderr


def test_its_doctor_sees_both_workers_and_its_backup_is_a_dump(machine):
    said = machine.say(WITH_ALL + "bus doctor")
    for pid in workers(machine):
        assert f"process {pid} on " in said
    machine.post("before-the-backup")
    machine.do("systemctl start wakebus-backup")
    assert ".dump" in machine.say(f"ls {DATA}/backups")


@pytest.mark.parametrize("which", ["worker", "arbiter"])
def test_a_kill_costs_a_moment_and_no_message(machine, which):
    machine.post("before-the-kill")
    killed = workers(machine)[0] if which == "worker" else machine.pid()
    machine.do(f"kill -9 {killed}")
    machine.until(f"! test -e /proc/{killed}")
    machine.until_ready()
    machine.post("after-the-kill")
    machine.until(LIVE)  # once the others have given up hope of the dead one
    assert machine.lost() == []
    assert (machine.show("NRestarts") == "0") == (which == "worker")


def test_workers_that_hang_together_are_started_again(machine):
    machine.post("before-the-hang")
    hung = workers(machine)
    machine.do(f"kill -STOP {' '.join(hung)}")
    machine.until(f"! test -e /proc/{hung[0]}")
    machine.until_ready()
    assert "Watchdog timeout" in machine.say("journalctl -u wakebus --no-pager -o cat -n 80")
    assert machine.lost() == []


def test_a_bus_that_is_there_before_its_database_waits_for_it(machine):
    machine.post("before-the-stop")
    machine.do("systemctl stop wakebus postgresql; systemctl start --no-block wakebus")
    machine.until("test $(systemctl show -P NRestarts wakebus) -ge 1")
    machine.do("systemctl start postgresql")
    machine.until("systemctl is-active wakebus")
    machine.until_ready()
    assert machine.lost() == []


def test_it_is_there_again_after_a_reboot_with_all_it_had(machine):
    machine.post("before-the-reboot")
    machine.box.do("reboot")
    machine.until("systemctl is-active wakebus")
    assert machine.lost() == []
