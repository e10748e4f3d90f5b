"""The open protocol's own suite against a real bus: what passes, and each case that is left."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
from tokenproxy import Proxy

from tests.conftest import Bus, serving

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "reference" / "streams.md"
PINNED = {
    "@durable-streams/server-conformance-tests": "0.3.6",
    "@durable-streams/client": "0.2.6",
    "fast-check": "4.10.2",
    "vitest": "4.1.12",
}
REFERENCE_PASSES = 324
INSTALL_S, RUN_S = 240, 400


class RoomyBus(Bus):
    """A bus on which no limit of rate or number is in the way, open to pages of other sites."""

    @property
    def environment(self):
        rates = {"BUS_RATE_PER_S": "100000", "BUS_RATE_BURST": "100000"}
        many = {"BUS_MAX_STREAMS_EACH": "500", "BUS_DURABLE_EACH": "10000"}
        return super().environment | rates | many | {"BUS_DURABLE_ORIGINS": "*"}


@contextmanager
def proxy_of(bus):
    """Stand between the suite and the bus."""
    bus.call(bus.admin, "POST", "/api/agents", {"name": "anna"})
    _, made = bus.call(bus.admin, "POST", "/api/tokens", {"kind": "agent", "subject": "anna"})
    with Proxy(bus.url, made["token"]) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        yield proxy
        proxy.shutdown()


@pytest.fixture
def suite(tmp_path):
    """The suite, installed in a folder of its own."""
    if shutil.which("npm") is None:
        assert not os.environ.get("WAKEBUS_LAB"), "npm is not there, and the lab needs it"
        pytest.skip("npm is not there: it installs the protocol's suite")
    folder = tmp_path / "suite"
    folder.mkdir()
    about = {"private": True, "type": "module", "devDependencies": PINNED}
    (folder / "package.json").write_text(json.dumps(about))
    shutil.copy(HERE / "suite.test.ts", folder)
    install = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts"]
    subprocess.run(install, cwd=folder, check=True, timeout=INSTALL_S)
    return folder


def run(suite, url):
    """Run every case; gives the outcome of each by its full name."""
    # A case waits up to 20 s for the end of a long poll; vitest's own patience is 5 s. Some sleep
    # to within half a second of the end of a TTL, which a loaded machine oversleeps.
    command = ["npx", "vitest", "run", "--testTimeout=30000", "--retry=2"]
    command += ["--reporter=default", "--reporter=json", "--outputFile.json=report.json"]
    environment = os.environ | {"SUITE_URL": url}
    subprocess.run(command, cwd=suite, env=environment, timeout=RUN_S, check=False)
    report = json.loads((suite / "report.json").read_text())
    each = [case for file in report["testResults"] for case in file["assertionResults"]]
    assert len(each) == report["numTotalTests"]
    return {case["fullName"]: case["status"] for case in each}


def left_by_the_page():
    """Read which cases the reference names as left."""
    text = PAGE.read_text(encoding="utf-8").partition("## How much of the protocol")[2]
    return set(re.findall(r"^\| (?!case|---)(.+?) \| .+ \|$", text, re.MULTILINE))


@pytest.mark.timeout(INSTALL_S + RUN_S + 60)
def test_an_existing_client_of_the_open_protocol_finds_here_what_its_suite_promises(
    tmp_path, made_data, suite
):
    with serving(RoomyBus(tmp_path / "data"), made_data) as bus, proxy_of(bus) as proxy:
        outcomes = run(suite, proxy.url)
    passed = {name for name, outcome in outcomes.items() if outcome == "passed"}
    print(f"{len(passed)} of {len(outcomes)} cases pass")
    assert set(outcomes) - passed == left_by_the_page()
    assert len(passed) >= REFERENCE_PASSES
    said = PAGE.read_text(encoding="utf-8")
    assert f"Of its {len(outcomes)} cases {len(passed)} pass" in said
    assert f"`{next(iter(PINNED))}` {PINNED[next(iter(PINNED))]}" in said
    assert f"reference server passes {REFERENCE_PASSES} of" in said
