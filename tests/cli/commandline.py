"""The command `bus` as a person runs it: a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BUS = str(Path(sys.executable).with_name("bus"))


@dataclass
class Answer:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class CommandLine:
    """Runs `bus WORDS` with a token file and an address in the environment."""

    environment: dict[str, str]

    def __call__(self, *words: str, stdin: str = "", **environment: str) -> Answer:
        done = subprocess.run(
            [BUS, *words],
            env=self.environment | environment,
            input=stdin,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )
        return Answer(done.returncode, done.stdout, done.stderr)
