"""`bus up`: everything on one machine by one command, shown to work, until Ctrl-C.

It is for a first look and for a household of one machine; on a server `bus serve` and
`bus-watcher run` stand under systemd, each by itself.
"""

from __future__ import annotations

import os
import queue
import shlex
import signal
import sys
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from bus.cli import tail
from bus.cli.calling import ADMIN_FILE, Caller, calling, read_config
from bus.cli.children import Child, running
from bus.cli.failing import SETTINGS, Failure, told
from bus.cli.init import prepare
from bus.cli.output import harmless, paint, say
from bus.serving.port import check_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager

    from bus.cli.demonstration import Demonstration
    from bus.config import Config

READY_WITHIN_S = 30.0
DEFAULT_URL = "http://127.0.0.1:8091"
STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(BaseException):
    """A signal asked to stop; not an `Exception`, so that nothing takes it for a failure."""


@click.command("up")
@click.option("--no-demo", is_flag=True, help="Only the bus: no watcher, no demonstration.")
def command(*, no_demo: bool) -> None:
    """Make what is missing, start the bus, show a message's way, and run until Ctrl-C.

    All of it lies in BUS_DATA_DIR and is kept; BUS_PORT chooses another port.
    """
    with told():
        config = read_config()
        if config.port == 0:
            raise Failure("bus up needs a port that stays; BUS_PORT=0 is none", SETTINGS)
        check_port(config.host, config.port)
        was_there = config.db_path.exists()
        made = prepare(config)
    say(f"{'data' if was_there else 'new data'} in {made.data_dir}")
    with stopping_on_signals():
        run(config, with_demo=not no_demo)


@contextmanager
def stopping_on_signals() -> Iterator[None]:
    """Leave the block in order at the first signal to stop; the next ones change nothing."""

    def stop(*_: object) -> None:
        for each in STOPS:
            signal.signal(each, signal.SIG_IGN)
        raise Stopped

    for each in STOPS:
        signal.signal(each, stop)
    try:
        yield
    except Stopped:
        say("\nstopped; everything is kept, and the same command goes on from here")


def run(config: Config, *, with_demo: bool) -> None:
    """Start everything, show it, and stay until something ends."""
    environ = {**os.environ, "BUS_DATA_DIR": str(config.data_dir)}
    with ExitStack() as stack:
        argv = [sys.executable, "-m", "bus.cli", "serve"]
        bus = stack.enter_context(running("the bus", argv, config.data_dir / "bus.log", environ))
        admin = stack.enter_context(calling_admin(config))
        bus.await_ready(lambda: answers(admin), READY_WITHIN_S)
        say(f"the bus is at {paint(admin.bus.url, bold=True)}")
        children = [bus]
        if with_demo:
            children.append(show_demo(config, admin, environ, stack))
        say_next(config, admin.bus.url)
        stay(config, children)


def calling_admin(config: Config) -> AbstractContextManager[Caller]:
    """Call the bus on this machine as its administration."""
    url = replace(config, public_url="").url
    return calling(url, config.data_dir / ADMIN_FILE, as_admin=True, as_json=False)


def answers(admin: Caller) -> bool:
    """Say whether the bus takes work yet."""
    from bus.client import ClientError  # noqa: PLC0415 - loads requests

    try:
        return admin.bus.is_ready()
    except ClientError:
        return False


def show_demo(config: Config, admin: Caller, environ: Mapping[str, str], stack: ExitStack) -> Child:
    """Start the node with the demonstration agents and follow a task there and back."""
    from bus.cli.demonstration import ANSWERS, ASKS, NODE, Demonstration  # noqa: PLC0415 - loads requests

    demo = Demonstration(config, admin.bus, environ)
    demo.prepare()
    log = config.data_dir / "watcher.log"
    watcher = stack.enter_context(running("the watcher", demo.watcher_argv, log, environ))
    watcher.await_ready(demo.is_online, READY_WITHIN_S)
    say(f"node {NODE} listens, with the agents {ASKS} and {ANSWERS} (small programs, no model)")
    follow_task(admin, demo, ASKS, ANSWERS)
    return watcher


def follow_task(admin: Caller, demo: Demonstration, asks: str, answers: str) -> None:
    """Send the task and show each rung of it, then of its answer."""
    from bus.cli.trace import follow_message  # noqa: PLC0415 - loads requests

    say(f"\n{asks} sends {answers} a task, and is free at once:")
    task_id = demo.send_task()
    follow_message(admin, task_id)
    answer = demo.read_answer(task_id)
    say(f"\n{answers} answers, which wakes {asks}:")
    follow_message(admin, str(answer["id"]))
    say(f'\n{asks} has its answer: "{harmless(answer["body"].strip())}"')


def say_next(config: Config, url: str) -> None:
    """Print what a person does next."""
    bus, watcher = invoked("bus"), invoked("bus-watcher")
    say(f"""
Next, in another terminal:{exports(config, url)}
  {bus} send pong "how are you?" --follow    # you are `you`; your mail: {bus} inbox
  {bus} agent list                           # who is there; all commands: {bus} --help
A machine and its agents:
  {bus} node add laptop --agents anna,ben    # prints the commands for that machine
  {bus} agent add carl --node laptop         # one more agent, on a machine that is there
OpenClaw: enrol its machine; `{watcher} agents` there says how each agent is woken, and why.
Two machines in ten minutes: docs/tutorial.md. The logs are in {config.data_dir}.

What happens on the bus from now on (Ctrl-C stops it):""")


def exports(config: Config, url: str) -> str:
    """Write what another shell must be told where this one was told it."""
    lines = []
    if os.environ.get("BUS_DATA_DIR"):
        lines.append(f"\n  export BUS_DATA_DIR={shlex.quote(str(config.data_dir))}")
    if url != DEFAULT_URL:
        lines.append(f"\n  export BUS_URL={url}")
    return "".join(lines)


def invoked(name: str) -> str:
    """Write a command as this shell can run it."""
    beside = Path(sys.argv[0]).with_name(name)
    on_path = any(Path(folder) / name == beside.absolute() for folder in os.get_exec_path())
    return name if on_path or not beside.exists() else str(beside)


def stay(config: Config, children: list[Child]) -> NoReturn:
    """Show what happens until a child ends by itself or a signal comes."""
    ended: queue.SimpleQueue[Child] = queue.SimpleQueue()
    for child in children:
        threading.Thread(target=tell_end, args=[child, ended], daemon=True).start()
    threading.Thread(target=show_events, args=[config], daemon=True).start()
    raise ended.get().ended()


def tell_end(child: Child, ended: queue.SimpleQueue[Child]) -> None:
    """Wait for one child's end."""
    child.process.wait()
    ended.put(child)


def show_events(config: Config) -> None:
    """Write each event of the bus as `bus tail` does; a session of its own, a thread of its own."""
    with calling_admin(config) as admin:
        for event in admin.bus.tail("now"):
            tail.show(admin, event)
