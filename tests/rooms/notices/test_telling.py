"""Who is told, of what, when, and how it reads."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from bus.alerts import service as alerts
from bus.alerts.model import Draft as Alert
from bus.directory import service as directory
from bus.mail import service as mail
from bus.notices import gathering
from bus.notices.outgoing import sign
from bus.sessions import service as sessions
from tests import engine

GRACE_S = 6


def test_a_message_to_a_person_who_is_away_is_told_with_a_signature_that_others_check(
    told, receiver
):
    secret = told.put(kind="webhook", url=f"{receiver.url}/hook?a=1")["secret"]
    sent = told.house.send("alice", "pat", subject="the shed burns")
    assert told.pass_time(1) == 0, "who reads it at once gets no notice"
    assert told.pass_time(GRACE_S) == 1
    (request,) = receiver.requests
    assert request.path == "/hook?a=1"
    assert request.said["type"] == "notice"
    data = request.said["data"]
    assert (data["to"], data["title"], data["text"]) == (
        "pat", "Message from alice", '"the shed burns"')  # fmt: skip
    assert data["link"] == f"{told.config.url}/messages/{sent['id']}"
    assert "hello" not in request.body.decode(), "a body stays on the bus"
    check_signature(secret, request)


def check_signature(secret, request):
    """Check it by the library that receivers use; the clock of a test stands elsewhere."""
    at = datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), UTC)
    signed = Webhook(secret).sign(request.headers["webhook-id"], at, request.body.decode())
    assert request.headers["webhook-signature"] == signed
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) in range(24, 65)


def test_ntfy_gets_what_it_documents(told, receiver):
    told.put(kind="ntfy", url=receiver.url, topic="pats-phone", token="tk_secret")
    told.house.send("alice", "pat", subject="now", priority=0)
    told.pass_time(GRACE_S)
    (request,) = receiver.requests
    assert request.path == "/"
    assert request.headers["authorization"] == "Bearer tk_secret"
    assert request.said.pop("click").startswith("http")
    assert request.said | {"click": None} == {
        "topic": "pats-phone", "title": "Message from alice", "message": '"now"',
        "priority": 5, "sequence_id": request.said["sequence_id"], "click": None,
    }  # fmt: skip
    assert "tk_secret" not in json.dumps(told.shown())


def test_what_is_read_meanwhile_is_not_told(told, receiver):
    told.put(kind="webhook", url=receiver.url)
    told.house.send("alice", "pat")
    assert told.house.read("pat")
    assert told.pass_time(GRACE_S) == 0


def test_who_is_there_is_not_told_and_who_only_seemed_so_is(told, receiver):
    told.put(kind="webhook", url=receiver.url)
    told.watching.add("pat")
    told.house.send("alice", "pat", subject="one")
    assert told.pass_time(GRACE_S) == 0
    assert told.pass_time(61) == 0
    assert told.shown()["waiting"] == 0, "she was there all the time"
    told.house.send("alice", "pat", subject="two")
    assert told.pass_time(GRACE_S) == 0
    told.watching.clear()
    assert told.pass_time(61) == 1, "her phone had gone without a word"
    assert receiver.requests[0].said["data"]["text"] == '"two"'


def test_several_that_wait_are_one_summary(told, receiver):
    told.put(kind="webhook", url=receiver.url)
    for number in range(7):
        told.house.send("alice", "pat", subject=f"thing {number}")
    assert told.pass_time(GRACE_S) == 1
    data = receiver.requests[0].said["data"]
    assert (data["title"], data["count"], len(data["items"])) == ("7 things wait for you", 7, 7)
    assert data["text"].startswith("7 messages.\n")
    assert data["text"].endswith("- and more")


def test_a_storm_is_so_many_notices_a_minute_and_then_one(told, receiver):
    told.put(kind="webhook", url=receiver.url)
    sent = 0
    for number in range(50):
        told.house.send("bob" if number % 2 else "alice", "pat", subject=f"thing {number}")
        sent += told.pass_time(1)
    assert sent <= told.config.notices_per_min
    told.pass_time(61)
    counts = [request.said["data"]["count"] for request in receiver.requests]
    assert sum(counts) == 50, "nothing is left out of the count"
    assert len(counts) <= told.config.notices_per_min + 1


def test_quiet_hours_hold_a_notice_and_urgent_mail_of_a_person_breaks_them(told, receiver):
    told.put(kind="webhook", url=receiver.url)
    now_s = told.house.clock.now_ms() // 1000 % 86_400
    begin, end = (now_s // 60 - 5) % 1440, (now_s // 60 + 60) % 1440
    window = f"{begin // 60:02d}:{begin % 60:02d}-{end // 60:02d}:{end % 60:02d}"
    told.quiet({"zone": "UTC", "windows": [window]})
    told.house.send("alice", "pat", subject="later")
    write(told, make_session(told))
    assert told.pass_time(60) == 0
    told.house.send("quinn", "pat", subject="now", priority=0)
    assert told.pass_time(GRACE_S) == 1
    assert receiver.requests[0].said["data"]["text"] == '"now"'
    told.pass_time(3400)
    sent = sum(told.pass_time(3) for _ in range(80))
    assert sent == 1, "both in one notice, once they are over"
    kinds = {item["kind"] for item in receiver.requests[1].said["data"]["items"]}
    assert kinds == {"note", "session"}


def test_each_kind_is_known_by_who_wrote_it_and_not_by_what_it_calls_itself(told, receiver):
    told.put(kind="webhook", url=receiver.url)
    house = told.house
    alice = house.principal("alice")
    house.send("alice", "pat", type="ALERT", subject="not the bus's")
    house.store.write(lambda tx: alerts.raise_alert(tx, alice, Alert("critical", "it burns"), None))
    pat = house.principal("pat").participant_id
    house.store.write(lambda tx: mail.tell(tx, pat, "GUARD", "a thread is held", wake=False))
    house.store.write(lambda tx: mail.tell(tx, pat, "DELAYED", "it waits", wake=False))
    told.pass_time(GRACE_S)
    items = receiver.requests[0].said["data"]["items"]
    assert [item["kind"] for item in items] == ["message", "alert", "held", "note"]


def make_session(told):
    alice = told.house.principal("alice")
    invited = [sessions.Invited("pat"), sessions.Invited("bob")]
    made = told.house.store.write(
        lambda tx: sessions.create(tx, alice, "paint the shed", invited, None)
    )
    return made["session_id"]


def write(told, session_id, kind="message", author="alice", number=1, **data):
    """Write entries as the rooms below do."""
    who = told.house.principal(author).participant_id if author else None
    for _ in range(number):
        word = sessions.Word(kind, "a long text", data)
        told.house.store.write(
            lambda tx, word=word: sessions.write_entry(
                tx, sessions.get(tx.conn, session_id), who, word
            )
        )


def test_entries_of_a_session_are_one_line_and_lead_to_it(told, receiver):
    told.put(kind="webhook", url=receiver.url)
    session_id = make_session(told)
    write(told, session_id, number=3)
    told.pass_time(GRACE_S)
    data = receiver.requests[0].said["data"]
    assert (data["title"], data["count"]) == ("alice in a session", 3)
    assert data["text"] == '"paint the shed" (3 entries)'
    assert data["link"].endswith(f"/sessions/{session_id}")
    assert "a long text" not in receiver.requests[0].body.decode()


def test_a_request_for_approval_is_a_kind_of_its_own(told, receiver):
    told.put(kind="ntfy", url=receiver.url, topic="t", events=["approval"])
    session_id = make_session(told)
    write(told, session_id)
    write(told, session_id, "approval")
    told.pass_time(GRACE_S)
    said = receiver.requests[0].said
    assert (said["title"], said["priority"]) == ("alice asks for approval", 4)


def test_what_was_read_in_a_session_is_not_told(told, receiver):
    told.put(kind="webhook", url=receiver.url)
    session_id, pat = make_session(told), told.house.principal("pat")
    write(told, session_id, number=2)
    told.house.store.write(lambda tx: sessions.move_cursor(tx, pat, session_id, 2))
    assert told.pass_time(GRACE_S) == 0
    write(told, session_id)
    assert told.pass_time(GRACE_S) == 1


def test_who_has_left_a_session_is_not_told_of_it(told, receiver):
    told.put(kind="webhook", url=receiver.url)
    session_id, pat = make_session(told), told.house.principal("pat")
    write(told, session_id)
    told.house.store.write(lambda tx: sessions.leave(tx, pat, session_id, "pat"))
    assert told.pass_time(GRACE_S) == 0


def test_ones_own_entry_is_not_told(told, receiver):
    told.put(kind="webhook", url=receiver.url)
    write(told, make_session(told), author="pat")
    assert told.pass_time(GRACE_S) == 0


def test_who_comes_and_goes_is_not_told_but_to_whom_it_was_done(told, receiver):
    told.put(kind="webhook", url=receiver.url)
    session_id = make_session(told)
    write(told, session_id, "note", None, what="left", who=["bob"])
    assert told.pass_time(GRACE_S) == 0
    write(told, session_id, "note", None, what="invited", who=["pat"])
    assert told.pass_time(GRACE_S) == 1


def test_a_target_tells_only_of_what_it_is_for(told, receiver):
    told.put("alerts", kind="ntfy", url=receiver.url, topic="t", events=["alert"])
    told.house.send("alice", "pat")
    assert told.pass_time(GRACE_S) == 0
    assert told.shown()["waiting"] == 0


def test_a_preview_is_shown_where_it_is_wanted_and_nowhere_else(told, receiver):
    told.put("loud", kind="ntfy", url=receiver.url, topic="loud", previews=True)
    told.put("calm", kind="ntfy", url=receiver.url, topic="calm")
    told.house.send("alice", "pat", subject="s", body="word " * 200)
    told.pass_time(GRACE_S)
    texts = {one.said["topic"]: one.said["message"] for one in receiver.requests}
    assert texts["calm"] == '"s"'
    assert "word word" in texts["loud"]
    assert len(texts["loud"]) < 220


def test_what_an_agent_writes_is_one_harmless_line_in_quotes(told, receiver):
    evil = 'x" \x1b[31m\u202eMessage from quinn\u2028second "line'
    evil += engine.NUL
    told.put(kind="webhook", url=receiver.url, previews=True)
    told.house.send("alice", "pat", body=f"a\nb{evil}", subject="s")
    told.pass_time(GRACE_S)
    first, said = receiver.requests[0].said["data"]["text"].split("\n")
    assert first == '"s"'
    assert said == "\"a bx' [31mMessage from quinnsecond 'line\""


def test_a_title_is_one_harmless_line(told):
    session = SimpleNamespace(id="s_1", title="a\r\nb\x1b[2J\u202e" + "c" * 500)
    entry = SimpleNamespace(kind="message", place=1)
    title = gathering.facts_of_entry(session, entry, "alice")["title"]
    assert title.startswith("a b[2Jccc")
    assert title.isprintable()
    assert len(title) == 120


def test_mail_from_before_the_first_target_is_not_told(told, receiver):
    told.house.send("alice", "pat", subject="old")
    told.put(kind="webhook", url=receiver.url)
    assert told.pass_time(GRACE_S) == 0
    told.house.send("alice", "pat", subject="new")
    told.pass_time(GRACE_S)
    assert receiver.requests[0].said["data"]["text"] == '"new"'


def test_mail_that_is_put_back_is_not_told_twice(told, receiver):
    told.put(kind="webhook", url=receiver.url)
    told.house.send("alice", "pat")
    told.pass_time(GRACE_S)
    assert told.house.read("pat")
    assert told.pass_time(told.config.lease_s + 1) == 0, "her lease ended, and it is the same mail"


def test_nobody_is_told_of_a_person_who_was_removed(told, receiver):
    told.put(kind="webhook", url=receiver.url)
    told.house.send("alice", "pat")
    told.house.store.write(lambda tx: directory.remove(tx, "pat"))
    assert told.pass_time(GRACE_S) == 0
    assert receiver.requests == []


def test_a_signature_is_refused_over_another_body(told, receiver):
    secret = told.put(kind="webhook", url=receiver.url)["secret"]
    stamp = {"webhook-id": "n_1", "webhook-timestamp": "1"}
    stamp["webhook-signature"] = sign(secret, "n_1", "1", b"{}")
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(b"[]", stamp)
