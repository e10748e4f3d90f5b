"""Senders that keep a ledger of what was accepted, and a disk that fails as it is told."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path


def worker_of(bus) -> int:
    """Give the process that serves: the arbiter's only child."""
    pid = bus.process.pid
    while not (found := Path(f"/proc/{pid}/task/{pid}/children").read_text().split()):
        pass
    return int(found[0])


def kill(bus):
    """Kill both processes, and wait until the files of the serving one are closed."""
    pid = worker_of(bus)
    bus.stop(signal.SIGKILL)
    end_s = time.monotonic() + 10
    with suppress(OSError):
        while time.monotonic() < end_s:
            os.listdir(f"/proc/{pid}/fd")  # noqa: PTH208 - a process that ends meanwhile raises


@contextmanager
def injected(bus, *rules):
    """Have system calls of the serving process fail or take long: `pwrite64:error=EIO`."""
    pid = worker_of(bus)
    names = ",".join(rule.partition(":")[0] for rule in rules)
    command = ["strace", "-f", "-p", str(pid), "-o", "/dev/null", "-e", f"trace={names}"]
    command += [part for rule in rules for part in ("-e", f"inject={rule}")]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        line = tracer.stderr.readline()  # all threads are attached when it says so
        assert "attached" in line, line
        yield
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.communicate(timeout=60)


@contextmanager
def mounted(folder: Path, *options):
    """Mount something for a while."""
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", *options, str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@contextmanager
def loop_device(image: Path):
    """Make a block device of a file."""
    made = ["losetup", "--find", "--show", str(image)]
    device = subprocess.run(made, check=True, capture_output=True, text=True).stdout.strip()
    try:
        yield device
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)


def is_root() -> bool:
    return os.geteuid() == 0


class Ledger:
    """What was sent, and what became of it, by the word in its subject."""

    def __init__(self, bus, token, to):
        self.bus, self.token, self.to = bus, token, to
        self.accepted, self.refused = set(), []
        self.took_s = []
        self.lock = threading.Lock()

    def send(self, word, size=100):
        """Send once; gives the status and keeps what was said."""
        body = {"to": self.to, "subject": word, "body": "x" * size}
        began_s = time.monotonic()
        status, said = self.bus.call(
            self.token, "POST", "/api/send", body, Idempotency_Key=f"key {word}"
        )
        with self.lock:
            self.took_s.append(time.monotonic() - began_s)
            if status == 202:
                self.accepted.add(word)
            else:
                self.refused.append((status, said))
        return status

    def send_all(self, words, size=100, tries=1):
        """Send each from one of eight senders, until it is accepted or its tries are used up."""
        left = list(words)

        def work():
            while True:
                with self.lock:
                    if not left:
                        return
                    word = left.pop()
                for _ in range(tries):
                    if self.send(word, size) == 202:
                        break

        senders = [threading.Thread(target=work, daemon=True) for _ in range(8)]
        for each in senders:
            each.start()
        for each in senders:
            each.join(100)
            assert not each.is_alive()

    def print_figures(self, what):
        times = sorted(self.took_s)
        rate = len(times) / sum(times) * 8 if times else 0
        print(
            f"{what}: {len(self.accepted)} accepted, {len(self.refused)} refused, "
            f"p50 {times[len(times) // 2] * 1000:.1f} ms, worst {times[-1] * 1000:.1f} ms, "
            f"about {rate:.0f}/s by eight"
        )


def subjects_of(bus, reader):
    """List the subjects of all that waits, twice where it is there twice."""
    said = bus.call(reader, "GET", "/api/inbox?view=headers&limit=100")[1]
    assert said["more"] == 0
    return sorted(item["subject"] for item in said["items"])
