"""Alerts over a real bus, whose own keeper has them go on, also after a kill."""

from __future__ import annotations

import signal

import pytest

from tests.conftest import Bus, serving


class ImpatientBus(Bus):
    """A bus whose alerts go on after two seconds."""

    @property
    def environment(self):
        return super().environment | {"BUS_ESCALATE_AFTER_S": "2"}


@pytest.fixture
def impatient(made_data, tmp_path):
    with serving(ImpatientBus(tmp_path / "data"), made_data) as made:
        yield made


def test_an_alert_goes_on_to_the_next_by_itself_after_the_bus_was_killed(impatient):
    bus = impatient
    ann, _, pia = (bus.add(*who) for who in (("ann",), ("mo",), ("pia", "person")))
    chain = {"escalate_to": ["mo", "pia"]}
    assert bus.call(bus.admin, "PATCH", "/api/agents/ann", chain)[0] == 200
    said = {"severity": "warning", "subject": "the oven is hot"}
    status, raised = bus.call(ann, "POST", "/api/alerts", said)
    assert (status, [step["to"] for step in raised["told"]]) == (201, ["mo"])
    bus.stop(signal.SIGKILL)
    bus.start()
    (item,) = bus.call(pia, "GET", "/api/inbox?wait=20")[1]["items"]
    assert (item["type"], item["subject"]) == ("ALERT", "the oven is hot")
    assert bus.call(pia, "POST", "/api/ack", {"handles": [item["handle"]]})[0] == 200
    shown = bus.call(ann, "GET", f"/api/alerts/{raised['id']}")[1]
    assert (shown["state"], shown["reason"]) == ("acked", "acked by pia")
    assert [step["to"] for step in shown["told"]] == ["mo", "pia"]
