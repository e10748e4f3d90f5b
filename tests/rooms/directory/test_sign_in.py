"""A person's browser comes to a token by a code: once, in time, and for that person alone."""

from __future__ import annotations

import pytest

from bus.access import rotation
from bus.access import service as access
from bus.access.model import Principal
from bus.directory import service as directory
from bus.directory import signin
from bus.errors import ForbiddenError, NotFoundError, UnauthorizedError
from bus.store.transaction import token_topic
from tests import engine

ADMIN = Principal("admin", "admin", "k_admin")
DAY_S = 86_400
CHROME = "Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0"


@pytest.fixture
def people(house):
    for name in ("alice", "bob"):
        house.add(name, kind="person")
    return house


def code_of(house, name="alice", who=ADMIN):
    return house.write(signin.make_code, who, name)["code"]


def enter(house, code, before=""):
    return house.write(signin.sign_in, code, CHROME, before)


def test_a_code_makes_a_token_of_the_browser_s_own(people):
    token = enter(people, code_of(people))
    principal = people.enter(token)
    assert (principal.kind, principal.name) == ("person", "alice")
    (one,) = people.read(signin.browsers, principal)
    assert one["browser"] == "Chrome on Linux"
    assert one["is_this"]


def test_a_code_is_good_once_and_not_longer_than_it_says(people):
    code = code_of(people)
    enter(people, code)
    with pytest.raises(NotFoundError):
        enter(people, code)
    late = code_of(people)
    people.clock.advance(signin.CODE_S)
    with pytest.raises(NotFoundError):
        enter(people, late)


def test_looking_whom_a_code_is_for_does_not_use_it_up(people):
    code = code_of(people)
    for _ in range(2):
        found = people.read(signin.find_person, code, people.clock.now_ms())
        assert found.name == "alice"
    assert enter(people, code.lower().replace("-", " "))


def test_a_new_code_ends_the_older_ones_of_that_person_alone(people):
    old, others, new = code_of(people), code_of(people, "bob"), code_of(people)
    with pytest.raises(NotFoundError):
        enter(people, old)
    assert enter(people, others)
    assert enter(people, new)


def test_a_code_is_for_a_person_by_that_person_or_the_administration(people):
    people.add("carl")
    alice = people.enter(enter(people, code_of(people)))
    assert code_of(people, "alice", alice)
    with pytest.raises(ForbiddenError):
        code_of(people, "bob", alice)
    for name in ("carl", "nobody"):
        with pytest.raises(NotFoundError):
            code_of(people, name)


def test_a_code_of_who_was_removed_is_no_good(people):
    code = code_of(people)
    people.write(directory.remove, "alice")
    with pytest.raises(NotFoundError):
        enter(people, code)


def test_no_code_lies_in_the_database(people):
    code = code_of(people)
    bare = code.replace("-", "")
    kept = engine.dump(people.config.data_dir)
    assert bare.encode() not in kept
    assert code.encode() not in kept


def test_a_restored_database_takes_no_code_of_before(people):
    code = code_of(people)
    people.write(signin.void_codes)
    with pytest.raises(NotFoundError):
        enter(people, code)


def test_a_browser_that_is_not_used_is_signed_out_and_one_that_is_stays(people):
    idle, used = enter(people, code_of(people)), enter(people, code_of(people))
    token_id = people.enter(used).token_id
    people.clock.advance(60 * DAY_S)
    people.write(rotation.note_use, token_id)
    people.clock.advance(29 * DAY_S)
    assert people.write(rotation.end_old) == 0
    people.clock.advance(1 * DAY_S)
    people.topics.clear()
    assert people.write(rotation.end_old) == 1
    with pytest.raises(UnauthorizedError):
        people.enter(idle)
    assert people.enter(used).name == "alice"
    assert token_topic(token_id) not in people.topics


def test_when_a_token_ends_is_told(people):
    enter(people, code_of(people))
    (row,) = people.read(access.list_tokens)
    assert access.ends_ms_of(row) == people.clock.now_ms() + signin.IDLE_S * 1000
    assert row["label"] == "browser Chrome on Linux"


def test_signing_in_anew_ends_what_the_browser_had(people):
    old = enter(people, code_of(people))
    new = enter(people, code_of(people, "bob"), people.enter(old).token_id)
    assert people.enter(new).name == "bob"
    with pytest.raises(UnauthorizedError):
        people.enter(old)


def test_a_person_signs_out_their_own_browsers_and_no_other_token(people):
    alice = people.enter(enter(people, code_of(people)))
    bob = people.enter(enter(people, code_of(people, "bob")))
    of_commands = people.write(access.create_token_for, "person", "alice", "laptop")[0]
    for token_id in (bob.token_id, of_commands, "k_none"):
        with pytest.raises(NotFoundError):
            people.write(signin.sign_out, alice, token_id)
    people.write(signin.sign_out, alice, alice.token_id)
    assert people.read(signin.browsers, alice) == []
