"""Taking mail back and sending dead letters again, by the command line."""

from __future__ import annotations


def kill(one, other, body="do it"):
    sent = one("send", "ben", body, "--json").json["id"]
    (item,) = [item for item in other("inbox", "--json").json["items"] if item["id"] == sent]
    assert other("release", item["handle"], "--mode", "fatal", "--reason", "no disk").code == 0
    return sent


def test_a_message_is_taken_back_once_and_its_trace_says_by_whom(act_as):
    anna, ben = act_as("anna"), act_as("ben")
    sent = anna("send", "ben", "too early", "--json").json["id"]
    assert "cancelled" in anna("cancel", sent, "--reason", "wrong week").out
    assert "already" in anna("cancel", sent).out
    assert 'cancelled by anna: "wrong week"' in anna("trace", sent).out
    assert ben("inbox", "--json").json["items"] == []


def test_what_was_acked_is_not_taken_back(act_as):
    anna, ben = act_as("anna"), act_as("ben")
    sent = anna("send", "ben", "do it", "--json").json["id"]
    ben("ack", ben("inbox", "--json").json["items"][0]["handle"])
    late = anna("cancel", sent)
    assert late.code == 1
    assert "for ben it is acked" in late.err


def test_dead_letters_are_listed_and_sent_again(as_admin, act_as):
    anna, ben = act_as("anna"), act_as("ben")
    sent = kill(anna, ben)
    listed = as_admin("dead", "--agent", "ben").out
    assert sent in listed
    assert "no disk" in listed
    assert "1 sent again" in anna("redrive", sent).out
    assert [item["id"] for item in ben("inbox", "--json").json["items"]] == [sent]
    assert "no dead letters" in as_admin("dead").out
    again = anna("redrive", sent)
    assert again.code == 1
    assert "not_failed" in again.out


def test_all_dead_letters_of_an_agent_are_sent_again(as_admin, act_as):
    anna, ben = act_as("anna"), act_as("ben")
    kill(anna, ben, "one")
    kill(anna, ben, "two")
    assert "2 sent again" in as_admin("redrive", "--all", "--agent", "ben").out
    assert len(ben("inbox", "--json").json["items"]) == 2
    assert "nothing to send" in as_admin("redrive", "--all", "--agent", "ben").out
    assert as_admin("redrive", "--all").code == 2


def test_what_has_expired_is_sent_again_with_a_new_time_to_live(act_as):
    anna = act_as("anna")
    act_as("ben")
    sent = anna("send", "ben", "soon", "--ttl", "0.01", "--json").json["id"]
    anna("trace", sent, "--follow")
    assert "needs_ttl" in anna("redrive", sent).out
    assert anna("redrive", sent, "--ttl", "60").code == 0
