"""What `bus up` prints for a person to do next: commands that work as they stand there."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bus.cli.calling import PERSON_FILE
from bus.cli.output import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bus.config import Config

DEFAULT_URL = "http://127.0.0.1:8091"


def say_next(config: Config, url: str, *, with_demo: bool, ca_file: str) -> None:
    """Print what a person does next; the names are none that the tutorial takes."""
    bus, watcher = invoked("bus"), invoked("bus-watcher")
    said = "".join(f"\n  {line}" for line in exports(config, url, ca_file))
    say(f"\nNext, in another terminal:{said}")
    if with_demo:
        say(f'  {bus} send pong "how are you?" --follow    # you are `you`; your mail: {bus} inbox')
    say(f"""\
  {bus} agent list                           # who is there; all commands: {bus} --help
A machine and its agents:
  {bus} node add shed --agents carl,dora     # prints the commands for that machine
  {bus} agent add emil --node shed           # one more agent, on a machine that is there""")
    own = config.data_dir / PERSON_FILE
    if not own.exists():
        say(f"""\
A person, with a link to the page, and the person's token for these commands:
  {bus} person add you
  {bus} token new person you --file {shlex.quote(str(own))}""")
    say(f"""\
OpenClaw: enrol its machine; `{watcher} agents` there says how each agent is woken, and why.
Two machines in ten minutes: docs/tutorial.md. The logs are in {config.data_dir}.

What happens on the bus from now on (Ctrl-C stops it):""")


def exports(config: Config, url: str, ca_file: str = "") -> Iterator[str]:
    """Write what another shell must be told where this one was told it."""
    if os.environ.get("BUS_DATA_DIR"):
        yield f"export BUS_DATA_DIR={shlex.quote(str(config.data_dir))}"
    if url != DEFAULT_URL:
        yield f"export BUS_URL={url}"
    if ca_file:
        yield f"export REQUESTS_CA_BUNDLE={shlex.quote(str(Path(ca_file).absolute()))}"


def invoked(name: str) -> str:
    """Write a command as this shell can run it."""
    beside = Path(sys.argv[0]).with_name(name)
    on_path = any(Path(folder) / name == beside.absolute() for folder in os.get_exec_path())
    return name if on_path or not beside.exists() else str(beside)
