"""The long searches, by `pytest -m long tests/attack`: atheris, schemathesis, sqlmap and wapiti.

Each tool is found on this machine, or its test skips and says so. WAKEBUS_FUZZ_S is how long
atheris searches each parser.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import scanners
from parsers import PARSERS

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]
FUZZ_S = int(os.environ.get("WAKEBUS_FUZZ_S", "20"))


def need(tool):
    if not scanners.find(tool):
        pytest.skip(f"{tool} is not here: install it, or name it in WAKEBUS_{tool.upper()}")


@pytest.mark.parametrize("name", PARSERS)
def test_a_search_guided_by_the_code_finds_nothing_in_a_parser(name):
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("atheris is not here: pip install atheris (CPython up to 3.13, x86-64)")
    search = [sys.executable, str(Path(__file__).with_name("fuzz.py")), name, str(FUZZ_S)]
    done = subprocess.run(search, capture_output=True, timeout=FUZZ_S + 120, check=False)
    said = done.stderr.decode(errors="backslashreplace")
    assert done.returncode == 0, said[-4000:]
    runs = [line for line in said.splitlines() if "number_of_executed_units" in line]
    print(name, *runs)


@pytest.fixture
def things(world):
    """Make what the requests of a scanner name; gives ids, and the cast's tokens."""
    item = world.give("ben", "ann")
    world.send("ben", "ann")
    wake = world.admin("GET", "/api/wakes?agent=ann")["wakes"][0]["wake_id"]
    kept = {"message": item["id"], "handle": item["handle"], "thread": item["thread"]}
    return kept | {"wake": wake, "node": "here", "person": "pia"}


def check_log(world):
    log = (world.bus.data_dir / "bus.log").read_text()
    assert "fault_met" not in log
    assert "status=500" not in log
    assert world.call("ann", "GET", "/api/whoami")[0] == 200


@pytest.mark.parametrize("who", ["ann", "pia", "here", "admin"])
def test_the_api_answers_as_its_description_says(world, things, tmp_path, who):
    need("schemathesis")
    # The administration's calls remove what the others need: it searches what is its own.
    code, said = scanners.schemathesis(world.bus.url, world.tokens[who], tmp_path)
    assert code == 0, said[-6000:]
    check_log(world)
    print(who, said.strip().splitlines()[-1])


@pytest.mark.parametrize("name", scanners.REQUESTS)
def test_sqlmap_finds_no_way_into_the_database(world, things, tmp_path, name):
    need("sqlmap")
    said = scanners.sqlmap(world.bus.url, name, things, world.tokens, tmp_path)
    assert scanners.NONE_FOUND in said, said[-3000:]
    assert not scanners.FINDINGS.findall(said)
    check_log(world)


@pytest.mark.parametrize("who", ["ann", "admin"])
def test_wapiti_finds_nothing(world, tmp_path, who):
    need("wapiti")
    report = scanners.wapiti(world.bus.url, world.tokens[who], tmp_path)
    found = [one for kind in ("vulnerabilities", "anomalies") for ones in report[kind].values()
             for one in ones if one["info"] != scanners.FRAMED]  # fmt: skip
    assert found == []
    check_log(world)
