"""The bus as a service on a real systemd: installed, killed, hung, frozen, rebooted, removed."""

from __future__ import annotations

import json

import pytest
from servicebox import DATA, HERE, PORT, run

pytestmark = pytest.mark.lab

WATCHED = "[Service]\nWatchdogSec=2\n"


def test_whoever_is_not_root_is_told_what_to_run(bare):
    done = bare.do("setpriv --reuid=65534 --clear-groups bus unit install", check=False)
    assert done.returncode == 4
    assert "sudo /opt/wakebus/bin/bus unit install" in done.stderr


def test_one_command_gives_a_bus_a_token_and_what_comes_next(machine):
    assert "wrote /etc/systemd/system/wakebus.service" in machine.said
    assert f"export BUS_DATA_DIR={DATA}" in machine.said
    assert "bus node add shed" in machine.said
    assert "bus-watcher enrol" in machine.say("bus node add shed --agents carl,dora")
    assert machine.say(f"stat -Lc %a {DATA} {DATA}/admin.token").split() == ["700", "600"]
    assert machine.show("UnitFileState") == "enabled"


def test_a_second_install_changes_nothing_and_interrupts_nobody(machine):
    before = machine.pid(of_child=True)
    said = machine.say("bus unit install")
    assert "wrote" not in said
    assert "it went on running" in said
    assert machine.pid(of_child=True) == before


def test_the_units_are_what_systemd_understands_and_fenced(machine):
    for unit in ("wakebus.service", "wakebus-backup.service", "wakebus-backup.timer"):
        verified = machine.do(f"systemd-analyze verify /etc/systemd/system/{unit}")
        assert verified.stderr == ""
    for unit in ("wakebus", "wakebus-backup"):
        machine.do(f"systemd-analyze security --threshold=20 {unit}.service")
    assert machine.say("ps -o user= -p $(systemctl show -P MainPID wakebus)") == "wakebus"


def test_a_start_is_over_when_the_bus_serves_and_not_before(machine):
    ready = f"curl -s -o /dev/null -w '%{{http_code}}' http://127.0.0.1:{PORT}/readyz"
    assert machine.say(f"systemctl restart wakebus; {ready}") == "200"
    assert "serving at" in machine.show("StatusText")


def test_a_bus_that_cannot_write_is_still_starting_and_says_why(machine):
    hold = (
        f"import pathlib, signal, sqlite3; d = sqlite3.connect('{DATA}/bus.db');"
        "d.execute('BEGIN IMMEDIATE'); pathlib.Path('/run/held').touch(); signal.pause()"
    )
    machine.do(f'systemctl stop wakebus; systemd-run --quiet -u holder python3 -c "{hold}"')
    machine.until("test -e /run/held")
    machine.do("systemctl start --no-block wakebus")
    machine.until("systemctl show -P StatusText wakebus | grep -q 'what is due cannot be done'")
    assert machine.show("ActiveState") == "activating"
    machine.do("systemctl stop holder")
    machine.until("systemctl is-active wakebus")
    machine.until_ready()


@pytest.mark.parametrize("of_child", [True, False], ids=["worker", "arbiter"])
def test_a_kill_costs_a_moment_and_no_message(machine, of_child):
    machine.post("before-the-kill")
    killed = machine.pid(of_child=of_child)
    machine.do(f"kill -9 {killed}")
    machine.until(f"! test -e /proc/{killed}")
    machine.until_ready()
    machine.until("systemctl is-active wakebus")
    assert machine.lost() == []


def test_a_bus_that_hangs_is_started_again(machine):
    machine.drop_in(WATCHED)
    machine.do("systemctl restart wakebus")
    machine.post("before-the-hang")
    hung = machine.pid(of_child=True)
    machine.do(f"kill -STOP {hung}")
    machine.until(f"! test -e /proc/{hung}")
    machine.until_ready()
    assert "Watchdog timeout" in machine.say("journalctl -u wakebus --no-pager -o cat -n 50")
    assert machine.lost() == []


def test_a_machine_that_stood_still_goes_on(machine):
    machine.drop_in(WATCHED)
    machine.do("systemctl restart wakebus")
    machine.post("before-the-frost")
    asked = ["ip", "netns", "exec", machine.wire.agent, "curl", "-s", "-m", "4"]
    machine.box.do("freeze")
    still = run(*asked, f"http://{HERE}:{PORT}/readyz", check=False)
    machine.box.do("thaw")
    assert still.returncode
    machine.until("systemctl is-active wakebus")
    machine.until_ready()
    assert machine.lost() == []


def test_agents_on_other_machines_reach_it_by_one_setting(machine):
    asked = ["ip", "netns", "exec", machine.wire.agent, "curl", "-sf", "-m", "5"]
    there = f"http://{HERE}:{PORT}"
    assert run(*asked, f"{there}/readyz", check=False).returncode
    machine.do(f"bus unit install --set BUS_HOST=0.0.0.0 --set BUS_PUBLIC_URL={there}")
    try:
        assert json.loads(run(*asked, f"{there}/readyz").stdout)["status"] == "ready"
        assert there in machine.say("bus node add barn --agents emil")
    finally:
        machine.do("bus unit install --set BUS_HOST= --set BUS_PUBLIC_URL=")


def test_a_wrong_setting_is_said_and_not_tried_for_ever(machine):
    done = machine.do("bus unit install --set BUS_PROT=8092", check=False)
    assert done.returncode == 4
    assert "did you mean BUS_PORT?" in done.stderr
    machine.do("echo BUS_PROT=8092 >> /etc/wakebus/bus.env")
    try:
        assert machine.do("systemctl restart wakebus", check=False).returncode
        machine.until("systemctl is-failed wakebus")
        assert "did you mean BUS_PORT?" in machine.status()
        assert machine.show("NRestarts") == "0"
    finally:
        machine.do("sed -i /BUS_PROT/d /etc/wakebus/bus.env")


def test_a_secret_comes_out_of_a_file_that_only_root_reads(machine):
    send = (
        "curl -s -o /dev/null -w '%{http_code}' -H @/root/headers"
        """ -d '{"to": "ben", "body": "hello"}'"""
        f" http://127.0.0.1:{PORT}/api/send"
    )
    headers = (
        "X-Agent: eve\\nX-Shared-Secret: a-household-of-two\\nContent-Type: application/json\\n"
    )
    machine.do(f"bus agent add eve; printf '{headers}' > /root/headers")
    assert machine.say(send) == "401"
    machine.do("umask 077; echo a-household-of-two > /etc/wakebus/shared-secret")
    try:
        machine.do("systemctl restart wakebus")
        assert machine.say(send) == "202"
    finally:
        machine.do("rm /etc/wakebus/shared-secret; systemctl restart wakebus")


def test_a_key_that_only_root_reads_serves_tls(machine):
    machine.do("""umask 077; mkdir -p /root/tls
        openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=bus \
          -addext subjectAltName=IP:127.0.0.1 -out /root/tls/own.pem -keyout /root/tls/own.key""")
    machine.drop_in("""[Service]
LoadCredential=tls-cert:/root/tls/own.pem
LoadCredential=tls-key:/root/tls/own.key
Environment=BUS_TLS_CERT=%d/tls-cert BUS_TLS_KEY=%d/tls-key
""")
    try:
        machine.do("systemctl restart wakebus")
        machine.do(f"curl -sf --cacert /root/tls/own.pem https://127.0.0.1:{PORT}/readyz")
    finally:
        machine.drop_in("")
        machine.do("systemctl restart wakebus")


def test_what_root_left_in_the_folder_does_not_keep_the_bus_from_it(machine):
    machine.do(f"systemctl stop wakebus; chown -R --no-dereference root:root {DATA}/bus.db*")
    machine.do("systemctl start wakebus")
    machine.post("after-root-was-there")


def test_it_is_there_again_after_a_reboot_with_all_it_had(machine):
    machine.post("before-the-reboot")
    machine.box.do("reboot")
    machine.until("systemctl is-active wakebus")
    assert machine.lost() == []
    assert machine.show("ActiveState", "wakebus-backup.timer") == "active"


def test_what_is_removed_leaves_the_data_and_says_where(bare):
    bare.say("bus unit install")
    said = bare.say("bus unit uninstall")
    assert f"rm -r /etc/wakebus {DATA} /var/lib/private/wakebus" in said
    assert bare.do("systemctl cat wakebus", check=False).returncode
    assert bare.do("pgrep -f 'bus serve'", check=False).returncode
    bare.do(said.splitlines()[-1])
    assert bare.do(f"ls {DATA} /etc/wakebus", check=False).stdout == ""
