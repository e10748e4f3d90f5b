"""The lab: its place, its scripts, and a machine of its own with a real systemd and a disk.

`call` runs any script of the lab. It knows no network but by name, and no bus.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

LIMIT_S = 110
BOXES = Path("/tmp/systemd-boxes")
ALONE = f"""
awk '$5 ~ "^{BOXES}/" {{ print $5 }}' /proc/self/mountinfo | xargs -r -n1 umount -l 2>/dev/null
echo ready; exec sleep infinity
"""


class LabError(Exception):
    """A script of the lab failed; its words are in the message."""


def lab() -> Path | None:
    """Give the folder of the lab's scripts, or None where there is none."""
    where = os.environ.get("WAKEBUS_LAB")
    return Path(where) if where else None


def call(
    script: str,
    *words: str,
    fleet: str = "",
    before: Sequence[str] = (),
    stdin: str = "",
    may_fail: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run a script of the lab, behind the words of `before`; gives how it ended."""
    folder = lab()
    assert folder is not None, "WAKEBUS_LAB is not set"
    done = subprocess.run(
        [*before, str(folder / script), *words],
        env=os.environ | {"FLEET": fleet},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    if done.returncode and not may_fail:
        raise LabError(f"{script} {' '.join(words)}: {done.stdout}{done.stderr}".strip())
    return done


@dataclass
class Box:
    """A machine with a real systemd; with a disk it loses at a power cut what was not synced."""

    name: str
    options: tuple[str, ...] = ()
    keeper: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def up(self) -> None:
        """Boot it: for the first time, or again after its power was cut."""
        if "--disk" in self.options and self.keeper is None:
            self.keep_to_itself()
        # On a loaded machine the lab looks whether it boots before there is anything to be seen.
        # Asked again it waits for what it has begun.
        if self.do("up", *self.options, may_fail=True).returncode:
            self.do("up", *self.options)

    def run(self, *argv: str, stdin: str = "", may_fail: bool = False) -> str:
        """Run a command inside as root."""
        return self.do("exec", *argv, stdin=stdin, may_fail=may_fail).stdout

    def do(
        self, verb: str, *words: str, stdin: str = "", may_fail: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Do one of: up, exec, as, reboot, crash, freeze, thaw, down."""
        where = ["nsenter", "-t", str(self.keeper.pid), "-m"] if self.keeper else []
        words = (verb, self.name, *words)
        return call("systemd-box.sh", *words, before=where, stdin=stdin, may_fail=may_fail)

    def down(self) -> None:
        """Switch it off for good."""
        self.do("down", may_fail=True)
        if self.keeper is not None:
            self.keeper.kill()
            self.keeper.communicate()

    def keep_to_itself(self) -> None:
        """Have the disk mounted where no other machine sees it.

        One that is switched on takes a copy of every mount there is, and while a copy is there
        a disk whose power was cut cannot be mounted anew.
        """
        argv = ["unshare", "-m", "--propagation", "private", "sh", "-c", ALONE]
        self.keeper = subprocess.Popen(argv, stdout=subprocess.PIPE)
        assert self.keeper.stdout is not None
        assert self.keeper.stdout.readline() == b"ready\n"

    def write(self, path: str, text: str) -> None:
        """Write a file inside."""
        self.run("sh", "-c", f"mkdir -p {Path(path).parent} && cat > {path}", stdin=text)

    def start_service(self, unit: str, text: str) -> None:
        """Install a system unit, have it start at each boot, and start it."""
        self.write(f"/etc/systemd/system/{unit}", text)
        self.run("systemctl", "daemon-reload")
        self.run("systemctl", "enable", "--now", "--quiet", unit)

    def path(self, inside: str) -> Path:
        """Give where a file of the disk is on this machine; to be read while the box is off."""
        root = Path(f"/proc/{self.keeper.pid}/root") if self.keeper else Path("/")
        place = BOXES.relative_to("/") / self.name / "fs" / "upper"
        return root / place / inside.lstrip("/")

    def cpu_s(self) -> float:
        """Give the processor time that everything inside has taken since it was booted."""
        mounts = (line.split() for line in Path("/proc/mounts").read_text().splitlines())
        root = next(Path(words[1]) for words in mounts if words[2] == "cgroup2")
        stat = (root / f"box-{self.name}" / "cpu.stat").read_text()
        return int(stat.split()[1]) / 1e6
