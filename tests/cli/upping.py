"""`bus up` as a person has it: read until it has said what it has to say, and ended by Ctrl-C."""

from __future__ import annotations

import signal
import subprocess
from contextlib import contextmanager

from commandline import BUS


@contextmanager
def up(environment, *words):
    """Run it until it has said what it has to say, give that, and end it as Ctrl-C does."""
    with subprocess.Popen(
        [BUS, "up", *words],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        said = []
        for line in process.stdout:
            said.append(line)
            if "from now on" in line:
                break
        try:
            yield "".join(said), process
        finally:
            process.send_signal(signal.SIGINT)
            rest = process.stdout.read()
            assert process.wait(30) == 0, "".join(said) + rest
            assert "everything is kept" in rest
