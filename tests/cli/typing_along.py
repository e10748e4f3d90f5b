"""Types the commands of a tutorial as a reader does, each as it stands there."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.conftest import BIN, clean_environment, until

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def commands(page: Path, stands_already: tuple[str, ...]) -> list[str]:
    """Give the page's commands in their order, without those; one over several lines is one."""
    found: list[str] = []
    for line in re.findall(r"^ {4}(.*)$", page.read_text(encoding="utf-8"), re.MULTILINE):
        begun = found[-1] if found else ""
        if ("<<'EOF'" in begun and "\nEOF" not in begun) or begun.count("'") % 2:
            found[-1] += f"\n{line}"
        else:
            found.append(line)
    return [one for one in found if not one.startswith(stands_already)]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def at_home(home: Path, **more: str) -> dict[str, str]:
    """Give the environment of somebody whose home is empty, with the project's commands."""
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    return clean_environment(HOME=str(home), PATH=path, **more)


@dataclass
class Reader:
    """Types what the page says, and puts in what was printed where the page says so."""

    environment: dict[str, str]
    addresses: Mapping[str, str]
    """What the page calls by an address, and where it is in truth."""
    seen: Mapping[str, list[str]]
    """What a command that begins so has shown, soon if not at once."""
    stays: tuple[str, ...]
    """What goes on until its reader ends it."""
    printed: Mapping[str, tuple[str, str]]
    """A word of the page, in whose output it is printed, and by which pattern."""
    words: dict[str, str] = field(default_factory=dict)
    staying: list[subprocess.Popen[str]] = field(default_factory=list)

    def type(self, command: str, exit_code: int = 0) -> None:
        text = command
        for said, meant in {**self.addresses, **self.words}.items():
            text = text.replace(said, meant)
        words = ["bash", "-c", text]
        if command.startswith(self.stays):
            words[-1] = f"exec {text}"
            self.staying.append(subprocess.Popen(words, env=self.environment, text=True))
            return

        def look() -> str:
            done = subprocess.run(
                words, env=self.environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == exit_code, (text, done.stdout, done.stderr)
            return done.stdout if all(part in done.stdout for part in wanted) else ""

        wanted = next((self.seen[word] for word in self.seen if command.startswith(word)), [])
        said = until(look, 30, f"{text}: {wanted}") if wanted and not exit_code else look()
        for word, (printer, pattern) in self.printed.items():
            if re.search(printer, command):
                self.words[word] = re.findall(pattern, said)[0]

    def end(self) -> None:
        for one in self.staying:
            one.terminate()
            one.wait(20)
