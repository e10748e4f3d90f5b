"""What is asked for a send, a read, a stream and a search is found by an index, on PostgreSQL too.

The server writes down each plan, and may read a whole table only where nothing else is left: so a
statement that has an index shows it, however few rows there are.
"""

from __future__ import annotations

import json
import re

import pytest

from tests.following import Follower
from tests.live.fleetrig import fleet_on
from tests.postgres import serving

TOLD = {
    "session_preload_libraries": "auto_explain",
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_format": "json",
    "enable_seqscan": "off",
}
FEW_ROWS = {"alembic_version", "leases", "meta", "notice_sends", "processes"}
"""Tables that never have many: of what is on its way, two for each target at most."""
OPEN_ONLY = {"ix_deliveries_held"}
"""Indexes that have no row of what has ended: they may be read from end to end."""
OF_A_PERSON = ("SELECT log.seq", {"memberships", "participants"})
"""Whom a person may see is asked of all who are there, with each page of the log."""
PLAN = re.compile(r"^[^\t].* (\S+) LOG: .*plan:\n((?:\t.*\n)+)", re.MULTILINE)


@pytest.fixture(scope="module")
def cluster():
    with serving(**TOLD) as one:
        yield one


def nodes(plan, table="", *, is_limited=False):
    """List each part of a plan with the table that it reads, and whether only its first rows."""
    table = plan.get("Relation Name", table)
    yield plan, table, is_limited and "Filter" not in plan
    for below in plan.get("Plans", ()):
        yield from nodes(below, table, is_limited=plan["Node Type"] == "Limit")


def reads_all(node):
    """Say whether a part of a plan reads a whole table or index."""
    kind = node["Node Type"]
    return kind == "Seq Scan" or (
        "Index" in kind and "Index Cond" not in node and node["Index Name"] not in OPEN_ONLY
    )


def read_whole(log, database):
    """List the questions that read tables as a whole, each with those.

    The timers' questions may be among them: when the next row is due is the first of an index.
    """
    found = []
    for name, text in PLAN.findall(log):
        if name == database:
            told = json.loads(text)
            parts = nodes(told["Plan"])
            tables = {table for node, table, first in parts if reads_all(node) and not first}
            tables -= FEW_ROWS
            begins, all_of = OF_A_PERSON
            question = told["Query Text"]
            if tables - (all_of if question.startswith(begins) else set()):
                found.append(f"{sorted(tables)}: {question}")
    return found


def test_nothing_that_is_asked_for_each_message_reads_a_whole_table(cluster, tmp_path):
    with fleet_on(cluster, tmp_path, 1, name="plans") as fleet:
        (bus,) = fleet.machines
        ada, pat = fleet.agent("ada"), fleet.agent("pat", "person")
        bob = fleet.agent("bob")

        def ask(token, method, path, body=None):
            status, said = bus.call(token, method, path, body)
            assert status < 300, said
            return said

        made = ask(ada, "POST", "/api/sessions", {"title": "the shed", "participants": ["pat"]})
        talk = f"/api/sessions/{made['session_id']}"
        readers = [Follower(bus.url, token) for token in (bob, pat, fleet.admin)]
        begun = cluster.log.stat().st_size
        sent = ask(ada, "POST", "/api/send", {"to": "bob", "body": "x"})
        readers[0].hear({sent["id"]})
        (item,) = ask(bob, "GET", "/api/inbox")["items"]
        ask(bob, "POST", f"/api/messages/{item['handle']}/reply", {"body": "y"})
        ask(pat, "POST", f"{talk}/entries", {"body": "paint it green"})
        ask(pat, "GET", f"{talk}/entries")
        (hit,) = ask(ada, "GET", "/api/sessions/search?q=green")["entries"]
        assert hit["place"]
        for one in readers:
            one.close()
        with cluster.log.open() as log:
            log.seek(begun)
            told = log.read()
        assert len(PLAN.findall(told)) > 50
        assert not read_whole(told, "plans")
