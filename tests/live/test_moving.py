"""A bus that moves as docs/howto/move-the-bus.md says: its node follows, and no mail is lost."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import BIN, WATCHER, clean_environment

HOWTO = Path(__file__).parents[2] / "docs" / "howto" / "move-the-bus.md"
ANSWER = [sys.executable, "-c", "import sys; sys.stdin.read(); print('done')"]


def command(start: str) -> list[str]:
    """Give a command as the howto has it."""
    found = re.search(rf"^    ({start}[^#\n]*)", HOWTO.read_text(), re.MULTILINE)
    assert found, start
    return found[1].split()


def run(words: list[str], environment: dict[str, str]) -> str:
    words = [str(BIN / words[0]), *words[1:]]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.sqlite_only("its file goes along; a database on a server stays where it is")
def test_a_bus_moves_to_another_folder_and_port_and_its_node_follows(bus, tmp_path):
    boss = bus.add("boss", "person")
    home, folder = clean_environment(HOME=str(tmp_path)), tmp_path / "node"
    bus.add_node("attic", folder, {"ben": ANSWER})

    def send(text: str) -> str:
        status, sent = bus.call(boss, "POST", "/api/send", {"to": "ben", "body": text})
        assert status == 202, sent
        return sent["id"]

    bus.follow_until(boss, send("before"), "acked", 30)
    watcher = bus.watchers.pop()
    watcher.terminate()
    watcher.wait(20)
    waiting = send("while nobody is there")

    # at the bus
    bus.stop(signal.SIGTERM)
    old, moved = bus.url, str(tmp_path / "move.db")
    run([*command("bus backup")[:2], moved], bus.environment)
    bus.data_dir = tmp_path / "other-machine"
    with socket.create_server(("127.0.0.1", 0)) as free:
        bus.url = f"http://127.0.0.1:{free.getsockname()[1]}"
    run([*command("bus restore")[:2], moved], bus.environment)
    bus.start()
    assert bus.url != old
    bus.admin = (bus.data_dir / "admin.token").read_text().strip()

    # at the node
    shown = run(command("bus node code"), bus.environment | {"BUS_URL": bus.url})
    code = re.search(r"enrol (\S+) (\S+)", shown)[2]
    enrol = [{"CODE": code}.get(word, word) for word in command("bus-watcher enrol")]
    enrol[2] = bus.url
    run([*enrol, "--dir", str(folder)], home)
    kept = json.loads((folder / "watcher.json").read_text())["agents"]["ben"]
    assert kept["method"] == "program", "how it is woken stays as it was set"
    bus.watch(folder, home)
    bus.follow_until(boss, waiting, "acked", 60)
    bus.follow_until(boss, send("after"), "acked", 60)
    (node,) = bus.call(bus.admin, "GET", "/api/nodes")[1]["nodes"]
    assert (node["online"], node["url"]) == (True, bus.url)
    doctor = subprocess.run(
        [WATCHER, "doctor", "--dir", str(folder), "--json"],
        env=home,
        capture_output=True,
        text=True,
        check=False,
    )
    checks = {one["name"]: one["state"] for one in json.loads(doctor.stdout)["checks"]}
    assert (checks["bus"], checks["node's token"], checks["watcher"]) == ("ok", "ok", "ok")
