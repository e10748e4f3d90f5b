"""Quiet hours of a real bus: what it holds outlives it, and comes at their end as one brief."""

from __future__ import annotations

import datetime as dt
import signal


def test_what_is_held_outlives_the_bus_and_ends_in_one_brief(bus):
    hour = dt.timedelta(hours=1)
    now = dt.datetime.now(dt.UTC)
    window = f"{now - hour:%H:%M}-{now + 6 * hour:%H:%M}"
    quiet = {"zone": "UTC", "windows": [window]}
    tokens = {"pat": bus.add("pat", "person"), "ada": bus.add("ada")}
    status, shown = bus.call(bus.admin, "PATCH", "/api/agents/pat", {"quiet": quiet})
    assert (status, shown["quiet"]["windows"]) == (200, [window])
    assert shown["quiet_until"]
    for priority in ("low", "urgent"):
        message = {"to": "pat", "body": f"{priority} thing", "priority": priority}
        _, sent = bus.call(tokens["ada"], "POST", "/api/send", message)
        assert sent["deliveries"][0]["state"] == "held"
    assert bus.call(tokens["pat"], "GET", "/api/inbox?view=headers")[1]["items"] == []

    bus.stop(signal.SIGKILL)
    bus.start()
    assert bus.call(tokens["pat"], "GET", "/api/inbox?view=headers")[1]["items"] == []

    assert bus.call(bus.admin, "PATCH", "/api/agents/pat", {"quiet": None})[0] == 200
    _, inbox = bus.call(tokens["pat"], "GET", "/api/inbox?wait=20")
    assert [item["type"] for item in inbox["items"]] == ["MESSAGE", "BRIEF", "MESSAGE"]
    listed = inbox["items"][1]["body"]
    assert listed.index("urgent thing") < listed.index("low thing")
