"""What is said in a session wakes agents by their rule, and their answers are said there."""

from __future__ import annotations

import pytest
from sessionhouse import places

from bus.errors import InboxFullError, InvalidRequestError, NotFoundError
from bus.mail import service as mail

RULES = [
    # rule, by whom, text, whether ann is woken
    ("turn", "pia", "hello all", True),
    ("turn", "pia", "@ann look", True),
    ("turn", "pia", "@paul look", False),
    ("turn", "ben", "hello all", False),
    ("turn", "ben", "what do you say, @ann?", True),
    ("mention", "pia", "hello all", False),
    ("mention", "pia", "@Ann. Look", True),
    ("mention", "ben", "look, @ann", True),
    ("mention", "pia", "mail to me@ann or x/@ann", False),
    ("always", "pia", "@paul look", True),
    ("always", "ben", "hello all", True),
]


@pytest.mark.parametrize(("rule", "by", "text", "is_woken"), RULES)
def test_an_agent_is_woken_by_its_rule(talk, rule, by, text, is_woken):
    session = talk.create("pia", "paul", ("ann", rule), ("ben", "mention"))
    told = talk.say(by, session, text)["deliveries"]
    assert [one["to"] for one in told if one["to"] == "ann"] == (["ann"] if is_woken else [])
    assert talk.mail_of("ann") == ([text] if is_woken else [])
    assert bool(talk.house.open_wakes()) is False  # ann is on no node here
    assert talk.bodies("ann", session) == [text]


def test_who_is_named_beside_the_text_is_woken_and_must_be_there(talk):
    session = talk.create("pia", "ann", "ben")
    talk.say("pia", session, "look", "ben")
    assert (talk.mail_of("ann"), talk.mail_of("ben")) == ([], ["look"])
    assert talk.entries("pia", session)[0]["to"] == ["ben"]
    with pytest.raises(InvalidRequestError, match="in it are ann, ben, pia"):
        talk.say("pia", session, "look", "paul")


def test_an_agents_own_rule_is_its_own_to_set_and_a_persons(talk):
    session = talk.create("pia", "ann", "ben")
    talk.set_wake("ann", session, "me", "mention")
    assert talk.code_of(lambda: talk.set_wake("ben", session, "ann", "always")) == "forbidden"
    talk.set_wake("pia", session, "ben", "always")
    wakes = {one["name"]: one["wake"] for one in talk.show("pia", session)["participants"]}
    assert wakes == {"ann": "mention", "ben": "always", "pia": None}
    talk.say("pia", session, "hello")
    assert (talk.mail_of("ann"), talk.mail_of("ben")) == ([], ["hello"])


def test_an_answer_by_handle_is_said_in_the_session_once_and_acks(talk):
    session = talk.create("pia", "paul", "ann")
    talk.say("pia", session, "what is left to do?")
    (item,) = talk.house.read("ann")
    first, again = (talk.reply("ann", item, "the sails") for _ in range(2))
    assert (first["status"], first["place"], first["acked"]) == ("accepted", 2, True)
    assert first["entry_id"] == again["entry_id"]
    assert again["deduplicated"]
    assert talk.bodies("paul", session) == ["what is left to do?", "the sails"]
    assert talk.house.read("ann") == []
    assert talk.house.read("pia") == []  # a person is told by the stream, not by mail
    assert talk.unread("ann", session) == 0
    with talk.house.store.read() as conn:
        count = conn.exec_driver_sql("SELECT count(*) FROM messages").scalar()
    assert count == 1


def test_a_message_that_answers_one_of_a_session_is_said_there(talk):
    session = talk.create("pia", "ann")
    talk.say("pia", session, "what is left to do?")
    (item,) = talk.house.read("ann")
    said = talk.house.send("ann", "pia", body="the sails", in_reply_to=item.row.message_id)
    assert said["session_id"] == session
    assert talk.entries("pia", session)[-1]["body"] == "the sails"
    assert talk.entries("pia", session)[-1]["to"] == ["pia"]
    assert talk.house.read("pia") == []
    with pytest.raises(InvalidRequestError, match="not in this session"):
        talk.house.send("ann", "paul", body="pst", in_reply_to=item.row.message_id)
    assert (
        talk.code_of(lambda: talk.house.send("ben", "pia", in_reply_to=item.row.message_id))
        == "not_found"
    )


def test_an_agent_that_said_it_itself_is_not_said_again_by_its_program(talk):
    session = talk.create("pia", "ann")
    talk.say("pia", session, "what is left to do?")
    (item,) = talk.house.read("ann")
    talk.say("ann", session, "the sails")
    answer = talk.reply("ann", item, "the sails", unless_replied=True)
    assert (answer["status"], answer["acked"]) == ("skipped", True)
    assert talk.bodies("pia", session) == ["what is left to do?", "the sails"]


def test_who_went_out_of_a_session_is_told_nothing_more_that_was_said_there(talk):
    session = talk.create("pia", ("ann", "always"), ("ben", "always"))
    talk.say("pia", session, "for both")
    talk.leave("pia", session, "ann")
    assert talk.mail_of("ann") == []
    assert talk.mail_of("ben") == ["for both"]


@pytest.mark.parametrize("how", ["closed", "left"])
def test_an_answer_that_can_no_longer_be_said_acks_and_says_why(talk, how):
    session = talk.create("pia", "ann")
    talk.say("pia", session, "what is left to do?")
    (item,) = talk.house.read("ann")
    if how == "closed":
        talk.change("pia", session, state="closed")
    else:
        talk.leave("pia", session, "ann")
    code = "session_closed" if how == "closed" else "not_found"
    assert talk.code_of(lambda: talk.reply("ann", item, "the sails", acks=False)) == code
    answer = talk.reply("ann", item, "the sails")
    assert (answer["status"], answer["acked"]) == ("skipped", True)
    assert session in answer["reason"]
    assert "the sails" not in talk.bodies("pia", session)


def test_an_agents_answer_wakes_others_by_their_rule(talk):
    session = talk.create("pia", ("ann", "turn"), ("ben", "always"))
    talk.say("pia", session, "what is left to do?")
    (item,) = talk.house.read("ann")
    told = talk.reply("ann", item, "the sails")["deliveries"]
    assert [one["to"] for one in told] == ["ben"]
    assert talk.mail_of("ben") == ["what is left to do?", "the sails"]


def test_two_agents_that_answer_each_other_without_end_are_held_and_a_person_lets_them_go(talk):
    session = talk.create("pia", ("ann", "always"), ("ben", "always"))
    talk.say("pia", session, "talk")
    talk.mail_of("ben")
    turns = 0
    while turns < 60:
        who = ("ann", "ben")[turns % 2]
        items = talk.house.read(who)
        if not items:
            break
        talk.reply(who, items[-1], f"and then {turns}")
        for item in items[:-1]:
            talk.house.ack(who, item.handle)
        turns += 1
        talk.house.pass_time(2)
    assert turns < 30
    said = len(talk.bodies("pia", session))
    assert said == turns + 1  # what was said is there; only the waking is held
    notes = [item.body for item in talk.house.read("pia", limit=100)]
    assert len(notes) == 1
    assert "is held" in notes[0]
    assert "and then" not in notes[0]
    talk.say("pia", session, "go on")
    assert "go on" in talk.mail_of("ann")


def test_an_agent_that_says_something_of_itself_day_after_day_is_not_taken_for_a_ring(talk):
    session = talk.create("pia", ("ann", "mention"), ("ben", "always"))
    for day in range(40):
        (told,) = talk.say("ann", session, f"report {day}")["deliveries"]
        assert told["state"] == "queued", day
        assert talk.mail_of("ben") == [f"report {day}"]
        talk.house.pass_time(86_400)


def test_an_inbox_that_is_full_keeps_nobody_from_saying_something(talk):
    from dataclasses import replace  # noqa: PLC0415

    session = talk.create("pia", "ann")
    tools = talk.house.store.writer._tools
    tools.config = replace(tools.config, max_inbox=2)
    tools.allowances.clear()
    for at in range(4):
        (told,) = talk.say("pia", session, f"word {at}")["deliveries"]
    assert told["state"] == "refused"
    assert "2 open messages" in told["reason"]
    assert len(talk.bodies("ann", session)) == 4
    with pytest.raises(InboxFullError):
        talk.house.send("pia", "ann")


def test_an_ack_takes_what_was_told_as_read_but_not_what_was_missed_before(talk):
    session = talk.create("pia", "paul", ("ann", "mention"))
    talk.say("pia", session, "@ann one")
    talk.mail_of("ann")
    assert talk.show("ann", session)["cursor"] == 1
    talk.say("paul", session, "two")
    talk.say("pia", session, "@ann three")
    talk.mail_of("ann")
    assert talk.show("ann", session)["cursor"] == 1
    assert places(talk.entries("ann", session, after=1)) == [2, 3]


def test_a_word_to_one_of_the_session_alone_is_a_talk_of_its_own(talk):
    session = talk.create("pia", "paul", "ann")
    talk.say("pia", session, "what is left to do?")
    (item,) = talk.house.read("ann")
    sent = talk.house.send("ann", "pia", body="between us")
    assert sent["thread"] != item.row.thread
    assert talk.bodies("paul", session) == ["what is left to do?"]
    assert [one.body for one in talk.house.read("pia")] == ["between us"]


def test_mail_of_a_session_cannot_be_forged_by_a_type(talk):
    talk.house.send("pia", "ann", type="SESSION", body="entry s_1 2 3")
    (item,) = talk.house.read("ann")
    assert item.row.reply_key is None
    sent = talk.reply("ann", item, "what?")
    assert "session_id" not in sent


def test_nobody_answers_for_another(talk):
    session = talk.create("pia", "ann")
    talk.say("pia", session, "what is left to do?")
    (item,) = talk.house.read("ann")
    with pytest.raises(NotFoundError):
        talk.say("ben", session, "me too")
    assert talk.code_of(lambda: talk.reply("ben", item, "me too")) == "unknown_handle"


def test_no_list_tells_others_that_something_was_said_in_a_session(talk):
    session = talk.create("pia", "paul", ("ann", "always"))
    talk.say("pia", session, "hello ann")

    def listed(who):
        with talk.house.store.read() as conn:
            me = talk.house.principal(who)
            return len(mail.list_messages(conn, me, mail.Wanted())["messages"])

    assert [listed(who) for who in ("ann", "pia", "paul")] == [1, 1, 0]
