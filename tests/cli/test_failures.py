"""What goes wrong at the command line: one sentence, how to mend it, and a code for scripts."""

from __future__ import annotations

import json
import signal

import pytest

from tests import engine


@pytest.fixture(scope="module")
def bus(shared_bus):
    return shared_bus


def test_exit_codes_are_listed_by_help(as_admin):
    shown = as_admin("--help").out
    for code in "012345":
        assert f"\n  {code}  " in shown


def test_a_bus_that_is_not_there_is_code_3(as_admin):
    away = as_admin("agent", "list", BUS_URL="http://127.0.0.1:1")
    assert away.code == 3
    assert "no bus answers at http://127.0.0.1:1" in away.err
    assert "BUS_URL" in away.err
    assert "Traceback" not in away.err


def test_a_missing_token_file_is_code_4_and_says_where_to_get_one(as_admin, tmp_path):
    got = as_admin("inbox", BUS_TOKEN_FILE=str(tmp_path / "none"))
    assert got.code == 4
    assert "bus init" in got.err


def test_a_revoked_token_is_code_4(as_admin, act_as):
    ruth = act_as("ruth")
    tokens = as_admin("token", "list", "--json").json["tokens"]
    mine = next(token["id"] for token in tokens if token["subject"] == "ruth")
    assert as_admin("token", "revoke", mine).code == 0
    got = ruth("inbox")
    assert got.code == 4
    assert "unknown or was revoked" in got.err


def test_a_refusal_is_code_1_with_the_way_out(act_as):
    rob = act_as("rob")
    got = rob("send", "nobody", "hello")
    assert got.code == 1
    assert "bus agent list" in got.err
    as_json = rob("send", "nobody", "hello", "--json")
    assert as_json.code == 1
    error = json.loads(as_json.err)["error"]
    assert (error["code"], error["status"]) == ("unknown_recipient", 404)


@pytest.mark.parametrize(
    "words",
    [
        ("send",),
        ("send", "a", "b", "--in", "soon"),
        ("send", "a", "b", "--at", "noon"),
        ("trace",),
        ("nonsense",),
        ("token", "new", "agent"),
        ("agent", "change", "x"),
        ("release", "t_1", "m_1.1"),
        ("token", "new", "admin", "bob"),
        ("send", "a", "b", "--urgent", "--priority", "low"),
        ("send", "a", ""),
        ("send", "a", " \n"),
        ("send", "a"),
        ("reply", "m_1.1", ""),
        ("trace", "t_01M7YE7J8YN8JZDET6A910GA0S"),
        ("tail", "--from", "bogus"),
        ("inbox", "--limit", "101"),
        ("--token-file", "f", "inbox"),
    ],
)
def test_a_command_that_cannot_be_understood_is_code_2(as_admin, words):
    got = as_admin(*words)
    assert got.code == 2, got.err
    assert "Error: " in got.err
    assert "Traceback" not in got.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("send", "a", ""), "BODY is empty"),
        (("trace", "t_01M7YE7J8YN8JZDET6A910GA0S"), "is a thread; bus trace takes a message id"),
        (("tail", "--from", "bogus"), "now, earliest, pending, or a cursor"),
        (("--token-file", "f", "inbox"), "--token-file comes after the command"),
        (("token", "new", "admin", "bob"), "--label"),
        (("send", "a", "b", "--urgent", "--priority", "low"), "do not go together"),
    ],
)
def test_what_is_wrong_with_a_command_is_said(as_admin, words, said):
    assert said in as_admin(*words).err


@pytest.mark.parametrize(
    "words",
    [
        ("wakes", "--agent", "nobody"),
        ("wakes", "--agent", "nobody", "--all"),
        ("agent", "remove", "nobody"),
        ("agent", "remove", "nobody", "--yes"),
        ("node", "remove", "nowhere"),
        ("node", "remove", "nowhere", "--yes", "--force"),
        ("trace", "m_nope"),
        ("token", "revoke", "k_nope"),
    ],
)
def test_what_is_not_there_is_code_1_and_named(as_admin, words):
    got = as_admin(*words)
    assert got.code == 1, got.out
    assert "no " in got.err
    assert "/api/" not in got.err


def test_a_token_of_the_wrong_kind_is_code_4_and_the_command_is_named_as_it_was_typed(act_as):
    will = act_as("will")
    got = will("agent", "add", "other")
    assert got.code == 4
    assert "bus agent add is for the administration; this token is of the kind agent" in got.err
    assert "/api/" not in got.err


def test_no_answer_sends_a_person_to_http(act_as):
    noah = act_as("noah")
    for words in (("send", "nobody", "hello"), ("ack", "m_01M7YE7J8YN8JZDET6A910GA0S.1")):
        got = noah(*words)
        assert got.code == 1
        assert "/api/" not in got.err, got.err
        assert "bus agent list" in got.err or "bus inbox" in got.err


def test_a_setting_that_is_no_number_is_said_in_words(as_admin):
    got = as_admin("config", BUS_PORT="abc")
    assert got.code == 4
    assert "'abc' is not a whole number" in got.err


def test_a_token_that_cannot_be_written_is_not_made(as_admin, tmp_path):
    before = len(as_admin("token", "list", "--json").json["tokens"])
    file = tmp_path / "none" / "x"
    got = as_admin("token", "new", "admin", "--file", str(file))
    assert got.code == 4
    assert str(file) in got.err
    assert ".x." not in got.err
    assert len(as_admin("token", "list", "--json").json["tokens"]) == before


def test_a_token_that_was_revoked_is_revoked_already(as_admin, act_as):
    act_as("vera")
    tokens = as_admin("token", "list", "--json").json["tokens"]
    mine = next(token["id"] for token in tokens if token["subject"] == "vera")
    assert as_admin("token", "revoke", mine).code == 0
    again = as_admin("token", "revoke", mine)
    assert (again.code, again.out) == (0, f"{mine} is revoked already\n")


def test_an_unknown_setting_is_code_4_and_the_nearest_is_named(as_admin):
    got = as_admin("config", BUS_LEASES="3")
    assert got.code == 4
    assert "BUS_LEASE_S" in got.err


def test_a_bus_that_ends_meanwhile_is_no_traceback(bus, act_as):
    emma = act_as("emma")
    bus.stop(signal.SIGKILL)
    got = emma("inbox")
    assert got.code == 3
    assert "Traceback" not in got.err
    bus.start()


def test_a_taken_port_is_said_at_once(bus, as_admin, tmp_path):
    port = bus.url.rpartition(":")[2]
    other = {"BUS_DATA_DIR": str(tmp_path / "other"), "BUS_PORT": port}
    assert as_admin("init", **other).code == 0
    got = as_admin("serve", **other)
    assert got.code == 4
    assert f"port {port} on 127.0.0.1 is taken" in got.err
    assert "BUS_PORT" in got.err


@pytest.mark.sqlite_only("one bus at a time")
def test_a_second_bus_on_the_same_data_is_refused(as_admin):
    got = as_admin("serve", BUS_PORT="0")
    assert got.code == 1
    assert "another bus (process" in got.err


def test_init_twice_keeps_the_token_and_a_lost_one_is_made_new_with_the_service_stopped(
    bus, as_admin
):
    token = bus.data_dir / "admin.token"
    before = token.read_text()
    running = as_admin("init", "--replace-admin-token")
    assert running.code == 1
    assert ("a bus runs on" if engine.IS_POSTGRESQL else "another bus") in running.err
    bus.stop()
    assert as_admin("init").code == 0
    assert token.read_text() == before
    assert as_admin("init", "--replace-admin-token").code == 0
    assert token.read_text() != before
    bus.start()
    assert as_admin("token", "list").code == 0
