"""A throw-away machine with a real systemd, this program's wheel, and a wire to another one."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.lab import Box

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = "/opt/wakebus"
DATA = "/var/lib/wakebus"
PORT = 8091
HERE, THERE = "10.79.0.1", "10.79.0.2"
WITHIN_S = 60


def run(*argv: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=110)
    if check and done.returncode:
        raise AssertionError(f"{shlex.join(argv)}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done


@dataclass
class Wire:
    """Two network namespaces with a cable: the machine's, and that of an agent's machine."""

    bus: str = f"wbsys{os.getpid()}"
    agent: str = f"wbsys{os.getpid()}a"

    def up(self) -> None:
        for name in (self.bus, self.agent):
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
        ends = ["ip", "-n", self.bus, "link", "add", "wire", "type", "veth"]
        run(*ends, "peer", "name", "wire", "netns", self.agent)
        for name, address in ((self.bus, HERE), (self.agent, THERE)):
            run("ip", "-n", name, "address", "add", f"{address}/24", "dev", "wire")
            run("ip", "-n", name, "link", "set", "wire", "up")

    def down(self) -> None:
        for name in (self.bus, self.agent):
            run("ip", "netns", "delete", name, check=False)


@dataclass
class Machine:
    """The box with the program, and what was sent to its bus."""

    box: Box
    wire: Wire
    said: str = ""
    sent: list[str] = field(default_factory=list)

    @classmethod
    def with_program(cls, program: Path) -> Machine:
        wire = Wire()
        options = ("--share-ro", f"{program}:{PROGRAM}", "--netns", wire.bus)
        return cls(Box(f"wakebus-{os.getpid()}", options), wire)

    def do(self, script: str, *, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a shell script inside, as root who set what `bus unit install` told."""
        told = f"set -e; PATH={PROGRAM}/bin:$PATH; export BUS_DATA_DIR={DATA}\n"
        return self.box.do("exec", "bash", "-c", told + script, may_fail=not check)

    def say(self, script: str) -> str:
        return self.do(script).stdout.strip()

    def show(self, what: str, unit: str = "wakebus") -> str:
        return self.say(f"systemctl show -P {what} {unit}")

    def until(self, condition: str) -> None:
        """Wait until a shell's condition holds."""
        loop = f"until {condition}; do sleep 0.1; done"
        done = self.do(f"timeout {WITHIN_S} bash -c {shlex.quote(loop)}", check=False)
        assert done.returncode == 0, (condition, self.status(), done.stderr)

    def until_ready(self) -> None:
        self.until(f"curl -sf -m 2 http://127.0.0.1:{PORT}/readyz")

    def pid(self, *, of_child: bool = False) -> int:
        main = self.show("MainPID")
        child = f"cat /proc/{main}/task/{main}/children"
        return int(self.say(child) if of_child else main)

    def status(self) -> str:
        return self.do("systemctl status --no-pager -n 30 wakebus", check=False).stdout

    def drop_in(self, text: str) -> None:
        """Change the unit as `systemctl edit` would; empty takes the change back."""
        folder = "/etc/systemd/system/wakebus.service.d"
        self.do(
            f"mkdir -p {folder}; printf %s {shlex.quote(text)} > {folder}/test.conf; "
            f"test -s {folder}/test.conf || rm -r {folder}; systemctl daemon-reload"
        )

    def add_agents(self) -> None:
        """Make ann, who sends, and ben."""
        for name in ("ann", "ben"):
            self.do(f"bus agent add {name}; bus token new agent {name} --file /root/{name}.token")
        self.do('echo "Authorization: Bearer $(cat /root/ann.token)" > /root/ann.header')

    def post(self, body: str) -> str:
        """Have a message accepted; it must be there at the end of whatever comes."""
        message = json.dumps({"to": "ben", "body": body})
        headers = "-H @/root/ann.header -H 'Content-Type: application/json'"
        url = f"http://127.0.0.1:{PORT}/api/send"
        done = self.say(f"curl -sf {headers} -d '{message}' {url}")
        self.sent.append(json.loads(done)["id"])
        return self.sent[-1]

    def lost(self) -> list[str]:
        """List the accepted messages that are not there."""
        asked = f"curl -sf -o /dev/null -H @/root/ann.header http://127.0.0.1:{PORT}/api/messages"
        return self.say("".join(f"{asked}/{each} || echo {each}\n" for each in self.sent)).split()
