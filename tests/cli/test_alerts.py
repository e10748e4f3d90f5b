"""Alerts by the command line: a person and a script raise, read, ack and settle them."""

from __future__ import annotations


def test_an_alert_goes_from_its_raiser_to_an_ack(as_admin, act_as):
    ann, mo, pia = act_as("ann"), act_as("mo"), act_as("pia", "person")
    changed = as_admin("agent", "change", "ann", "--escalate-to", "mo,pia", "--json")
    assert changed.json["escalate_to"] == ["mo", "pia"]
    raised = ann("alert", "raise", "the oven is hot", "-", stdin="310 degrees\n")
    assert raised.code == 0, raised.err
    alert_id, told, then = raised.out.splitlines()
    assert told.startswith("told: mo; without an ack pia at ")
    assert then == f"bus alert show {alert_id}"
    assert "the oven is hot" in pia("alert", "list").out
    shown = mo("alert", "show", alert_id).out
    assert "310 degrees" in shown
    assert "open" in shown
    (item,) = mo("inbox", "--json").json["items"]
    assert item["type"] == "ALERT"
    assert item["priority"] == "high"
    assert mo("ack", item["handle"]).code == 0
    assert "acked by mo" in ann("alert", "show", alert_id).out
    assert "no open alerts" in ann("alert", "list").out
    assert alert_id in ann("alert", "list", "--all").out


def test_a_critical_alert_is_with_the_person_at_once_and_can_be_settled(as_admin, act_as):
    ann, pia = act_as("ann"), act_as("pia", "person")
    act_as("mo")
    as_admin("agent", "change", "ann", "--escalate-to", "mo,pia")
    raised = ann("alert", "raise", "fire", "--severity", "critical", "--json").json
    assert [step["to"] for step in raised["told"]] == ["mo", "pia"]
    assert raised["next_at"] is None, "nobody is left to be told"
    (item,) = pia("inbox", "--json").json["items"]
    assert (item["type"], item["priority"], item["from"]) == ("ALERT", "urgent", "wakebus")
    again = ann("alert", "raise", "fire", "--severity", "critical")
    assert "nothing new was raised" in again.out
    settled = pia("alert", "settle", raised["id"], "--reason", "it is out")
    assert settled.out == f"{raised['id']}: settled by pia: it is out\n"
    assert "(over before)" in pia("alert", "settle", raised["id"]).out
    usual = as_admin("agent", "change", "ann", "--escalate-as-usual", "--json")
    assert usual.json["escalate_to"] is None


def test_an_alert_that_nobody_could_hear_is_refused_with_the_command_that_helps(as_admin, act_as):
    ann = act_as("ann")
    got = ann("alert", "raise", "fire")
    assert got.code == 1
    assert "bus agent change ann --escalate-to NAMES" in got.err
    assert as_admin("agent", "change", "ann", "--escalate-to", "nobody").code == 1
