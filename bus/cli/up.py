"""`bus up`: everything on one machine by one command, shown to work, until Ctrl-C.

It is for a first look and for a household of one machine; on a server `bus serve` and
`bus-watcher run` stand under systemd, each by itself.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, NoReturn

import click

from bus.cli import tail
from bus.cli.calling import ADMIN_FILE, Caller, calling, read_config
from bus.cli.children import Child, running
from bus.cli.failing import SETTINGS, Failure, told
from bus.cli.init import prepare
from bus.cli.next_steps import say_next
from bus.cli.output import complain, paint, say
from bus.cli.reaching import Reach, check_free, find_reach
from bus.serving.tls import warnings_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from bus.config import Config

READY_WITHIN_S = 30.0
BOUND_EVERY_S = 60.0
"""How often the children's logs are looked at."""
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
        reach = find_reach(config)
        if reach.ca_file:
            os.environ["REQUESTS_CA_BUNDLE"] = reach.ca_file  # for all that this process calls
        check_free(config, reach)
        was_there = config.is_postgresql or config.db_path.exists()
        # On PostgreSQL the token may be on another machine, and good.
        is_here = config.is_postgresql or (config.data_dir / ADMIN_FILE).exists()
        was_lost = was_there and not is_here
        made = prepare(config, replace_token=was_lost)  # what comes next calls with it
    for warning in warnings_of(config):
        complain(warning)
    say(f"{'data' if was_there else 'new data'} in {made.data_dir}")
    with stopping_on_signals():
        run(config, reach, with_demo=not no_demo)


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


def run(config: Config, reach: Reach, *, with_demo: bool) -> None:
    """Start everything, show it, and stay until something ends."""
    environ = {**os.environ, "BUS_DATA_DIR": str(config.data_dir)}
    with ExitStack() as stack:
        argv = [sys.executable, "-m", "bus.cli", "serve"]
        bus = stack.enter_context(running("the bus", argv, config.data_dir / "bus.log", environ))
        admin = stack.enter_context(calling_admin(config, reach))
        bus.await_ready(lambda: answers(admin), READY_WITHIN_S)
        say(f"the bus is at {paint(admin.bus.url, bold=True)}")
        children = [bus]
        if with_demo:
            from bus.cli.demonstration import Demonstration, show_demo  # noqa: PLC0415 - loads requests

            # its agents are no neighbours of this user's own: they have nothing to hide or seek
            apart = {**environ, "XDG_STATE_HOME": str(config.data_dir / "demo-state")}
            demo = Demonstration(config, admin.bus, apart, reach.ca_file)
            children.append(show_demo(demo, admin, stack))
        say_next(config, reach.url, with_demo=with_demo, ca_file=reach.ca_file)
        stay(config, reach, children)


def calling_admin(config: Config, reach: Reach) -> AbstractContextManager[Caller]:
    """Call the bus on this machine as its administration."""
    return calling(reach.url, config.data_dir / ADMIN_FILE, as_admin=True, as_json=False)


def answers(admin: Caller) -> bool:
    """Say whether the bus takes work yet."""
    from bus.client import ClientError  # noqa: PLC0415 - loads requests

    try:
        return bool(admin.bus.ready())
    except ClientError:
        return False


def stay(config: Config, reach: Reach, children: list[Child]) -> NoReturn:
    """Show what happens until a child ends by itself or a signal comes."""
    ended: queue.SimpleQueue[Child] = queue.SimpleQueue()
    for child in children:
        threading.Thread(target=tell_end, args=[child, ended], daemon=True).start()
    threading.Thread(target=show_events, args=[config, reach], daemon=True).start()
    raise ended.get().ended()


def tell_end(child: Child, ended: queue.SimpleQueue[Child]) -> None:
    """Wait for one child's end."""
    while not child.wait(BOUND_EVERY_S):
        pass
    ended.put(child)


def show_events(config: Config, reach: Reach) -> None:
    """Write each event of the bus as `bus tail` does; a session of its own, a thread of its own."""
    shown = tail.Shown()
    with calling_admin(config, reach) as admin:
        for event in admin.bus.tail("now"):
            shown.show(admin, event)
