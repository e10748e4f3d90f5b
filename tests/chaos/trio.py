"""Several buses on one PostgreSQL with a standby, behind a proxy: all of them die in turn.

Senders come by the proxy, readers by whichever bus they happen to choose. Nothing that was accepted
may be lost or doubled, and each reader hears all of its own in strictly rising order.
"""

from __future__ import annotations

import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from bus.client import BusClient
from tests.chaos.ledger import Ledger, Verdict, judge_store
from tests.chaos.rover import Rover
from tests.chaos.senders import Letter, say, send_all
from tests.chaos.taken import take_tables
from tests.conftest import clean_environment, until
from tests.postgres import Cluster, free_port
from tests.relay import Relay
from tests.serverbus import ServerBus

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DATABASE, SENDERS, READERS, WAIT_S = "bus", 10, 10, 3
SETTINGS = {
    "BUS_DATABASE_WAIT_S": str(WAIT_S),
    "BUS_HEARTBEAT_S": "2",
    "BUS_MAX_INBOX": "1000000",
    "BUS_GUARD_BURST": "1000000",
    "BUS_RATE_PER_S": "100000",
    "BUS_RATE_BURST": "100000",
    **{f"BUS_GUARD_{rule}": "0" for rule in ("LAPS", "CHAIN", "MESSAGES", "THREAD_WAKES", "WAKES")},
}
CADDYFILE = """{
	admin off
	auto_https off
	skip_install_trust
}
http://127.0.0.1:%s {
	reverse_proxy %s {
		lb_policy random
		lb_try_duration 1s
		flush_interval -1
	}
}
"""
FAULTS = (
    *("bus killed", "bus stopped", "bus frozen", "proxy killed"),
    *("database restarted", "database killed", "database frozen"),
    *("connections cut", "network silent", "standby promoted"),
)
QUIET_WITHIN_S = 90


@dataclass(frozen=True)
class Plan:
    """How many buses, what breaks how often, and how much is accepted between two faults."""

    seed: int
    buses: int
    rounds: int
    between: int
    faults: tuple[str, ...] = FAULTS

    def throw(self) -> list[str]:
        """Give the faults in their order: each once a round."""
        rng, order = random.Random(self.seed), []
        for _ in range(self.rounds):
            order += rng.sample(self.faults, len(self.faults))
        return order


SHORT = Plan(seed=1, buses=3, rounds=1, between=40)
LONG = Plan(seed=0, buses=3, rounds=10, between=400)


@dataclass
class Trio:
    """What is running, and how it breaks."""

    folder: Path
    rng: random.Random
    primary: Cluster
    standby: Cluster
    relay: Relay
    buses: list[ServerBus] = field(default_factory=list)
    proxy: subprocess.Popen[bytes] | None = None
    proxy_port: int = 0
    done: Counter[str] = field(default_factory=Counter)

    @property
    def proxy_url(self) -> str:
        return f"http://127.0.0.1:{self.proxy_port}"

    def choose(self) -> str:
        """Give where a reader goes next: to any bus, now and then by the proxy."""
        return self.rng.choice([*(one.url for one in self.buses), self.proxy_url])

    def start_proxy(self) -> None:
        """Start it, and wait until it listens."""
        program = shutil.which("caddy") or "caddy"
        file = self.folder / "Caddyfile"
        where = " ".join(one.url.removeprefix("http://") for one in self.buses)
        file.write_text(CADDYFILE % (self.proxy_port, where))
        homes = {name: str(self.folder) for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
        command = [program, "run", "--adapter", "caddyfile", "--config", str(file)]
        with (self.folder / "proxy.log").open("ab") as log:
            self.proxy = subprocess.Popen(
                command, stdout=log, stderr=log, env=clean_environment(**homes)
            )
        until(lambda: is_open(self.proxy_port), 30, "the proxy listens")

    def break_once(self, fault: str) -> None:
        """Break one thing, for a while, and mend it."""
        bus, pause_s = self.rng.choice(self.buses), self.rng.uniform(0, WAIT_S * 1.5)
        say(f"{fault}, for {pause_s:.1f} s")
        pause = threading.Event()
        if fault in {"bus killed", "bus stopped"}:
            bus.stop(signal.SIGKILL if fault == "bus killed" else signal.SIGTERM)
            pause.wait(pause_s)
            bus.start()
        elif fault == "bus frozen":
            bus.signal(signal.SIGSTOP)
            pause.wait(WAIT_S + pause_s)  # so long that the others must take its lock from it
            bus.signal(signal.SIGCONT)
        elif fault == "proxy killed":
            assert self.proxy is not None
            self.proxy.kill()
            self.proxy.wait(30)
            pause.wait(pause_s)
            self.start_proxy()
        elif fault == "connections cut":
            self.relay.cut()
        elif fault == "network silent":
            self.relay.hold()
            pause.wait(pause_s)
            self.relay.cut()
            self.relay.let_go()
        else:
            self._break_database(fault, pause_s)
        self.done[fault] += 1

    def _break_database(self, fault: str, pause_s: float) -> None:
        pause = threading.Event()
        if fault == "database frozen":
            self.primary.signal(signal.SIGSTOP)
            pause.wait(pause_s)
            self.primary.signal(signal.SIGCONT)
            return
        if fault == "database restarted":
            self.primary.stop()
        else:
            self.primary.kill()
        pause.wait(pause_s)
        if fault == "standby promoted":
            self.standby.promote()
            self.relay.move(self.standby.port)
            self.primary.end()
            self.primary = self.standby
            self.standby = self.primary.standby(synchronous=True)
        else:
            self.primary.run()


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def running_trio(plan: Plan, folder: Path) -> Iterator[Trio]:
    """Start it all; whatever happens, all of it is gone afterwards."""
    with ExitStack() as stack:
        primary = Cluster.start(fsync=True)
        one = Trio(folder, random.Random(plan.seed), primary, primary, Relay(primary.port))
        stack.callback(end_clusters, one)
        stack.callback(one.relay.close)
        primary.create(DATABASE)
        one.standby = primary.standby(synchronous=True)
        for number in range(plan.buses):
            url = primary.url(DATABASE, one.relay.port)
            bus = ServerBus(folder / f"bus{number}", database_url=url, settings=SETTINGS)
            if not one.buses:
                bus.init()
            stack.callback(bus.end)
            bus.start()
            one.buses.append(bus)
        one.proxy_port = free_port()
        one.start_proxy()
        stack.callback(lambda: (one.proxy.kill(), one.proxy.wait(30)))
        yield one


def end_clusters(trio: Trio) -> None:
    """End whichever two there are by then."""
    for one in {id(one): one for one in (trio.primary, trio.standby)}.values():
        one.end()


def register(trio: Trio) -> dict[str, str]:
    """Make the senders and the readers; gives their tokens."""
    names = [f"s{number}" for number in range(SENDERS)]
    names += [f"r{number}" for number in range(READERS)]
    with BusClient(trio.buses[0].url, trio.buses[0].admin, timeout_s=30) as client:
        for name in names:
            client.add_agent(name)
        return {name: client.new_token("agent", name)["token"] for name in names}


def endless(name: str, seed: int) -> Iterator[Letter]:
    """Write letters to readers at random, each under a key of its own."""
    rng = random.Random(f"{seed} {name}")
    for number in count():
        yield Letter(f"{name}-{number}", name, f"r{rng.randrange(READERS)}", "silent", "-")


def run_trio(plan: Plan, folder: Path) -> tuple[Verdict, list[str]]:
    """Send and read while everything breaks in turn; then judge. Gives what to print, too."""
    with running_trio(plan, folder) as trio, ThreadPoolExecutor(SENDERS) as pool:
        tokens, ledger, stop = register(trio), Ledger(), threading.Event()
        rovers = [
            Rover(name, token, trio.choose, plan.seed)
            for name, token in tokens.items()
            if name.startswith("r")
        ]
        sent = [
            pool.submit(
                *(send_all, BusClient(trio.proxy_url, tokens[name], timeout_s=10)),
                *(endless(name, plan.seed), ledger, random.Random(name), stop),
            )
            for name in tokens
            if name.startswith("s")
        ]
        try:
            for fault in plan.throw():
                wait_more(ledger, plan.between)
                trio.break_once(fault)
            wait_more(ledger, plan.between)
        finally:
            stop.set()
            for one in sent:
                one.result(60)
        wait_heard(rovers, set(ledger.accepted.values()))
        taken = take_tables(trio.primary.url(DATABASE), folder / "taken")
        verdict = judge_store(taken, dict(ledger.accepted))
        judge_heard(verdict, rovers, taken)
        judge_logs(verdict, trio)
        counts = sum((one.counts for one in rovers), Counter())
        lines = [
            f"counts: {dict(verdict.counts)}",
            f"faults done: {dict(trio.done)}",
            f"senders: {ledger.repeated} heard only at a repetition; {dict(ledger.refusals)}",
            f"readers: {dict(counts)}",
        ]
    return verdict, lines


def wait_more(ledger: Ledger, more: int) -> None:
    """Wait until so many more are accepted."""
    if not ledger.wait_for(len(ledger.accepted) + more, QUIET_WITHIN_S):
        raise AssertionError(f"nothing is accepted any more: {ledger.refusals}")


def wait_heard(rovers: list[Rover], ids: set[str]) -> None:
    """Wait until the readers have heard all of it between them; then they stop."""
    with suppress(AssertionError):  # who did not hear is named by the verdict
        until(lambda: ids <= {one for each in rovers for one in each.ids}, QUIET_WITHIN_S, "heard")
    for one in rovers:
        one.end()


def judge_heard(verdict: Verdict, rovers: list[Rover], database: Path) -> None:
    """Each reader must have heard all of its own once, in rising order, wherever it was."""
    query = """SELECT m.id FROM messages m JOIN deliveries d ON d.message_id = m.id
        JOIN participants p ON p.id = d.recipient_id WHERE p.name = ? AND m.body LIKE 'chaos %'"""
    with closing(sqlite3.connect(database)) as db:
        for one in rovers:
            verdict.wrong += one.wrong
            sent = {its_id for (its_id,) in db.execute(query, (one.name,))}
            missed, beyond = len(sent - set(one.ids)), len(one.ids) - len(set(one.ids))
            verdict.counts["heard"] += len(one.ids)
            verdict.claim(not missed, f"{one.name} never heard of {missed} of {len(sent)}")
            verdict.claim(not beyond, f"{one.name} heard {beyond} twice")


def judge_logs(verdict: Verdict, trio: Trio) -> None:
    """No bus may have met what it did not expect."""
    for bus in trio.buses:
        at = bus.log.find("Traceback")
        verdict.claim(at < 0, f"{bus.data_dir.name}: {bus.log[at : at + 3000]}")
