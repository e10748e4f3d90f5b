"""A lost administration token is replaced on the bus's machine, with the bus stopped."""

from __future__ import annotations

import re

from commandline import CommandLine


def test_a_new_token_ends_every_earlier_one_and_no_other(bus, as_admin, act_as, tmp_path):
    maria = act_as("maria", "person")
    spare = tmp_path / "spare.token"
    assert as_admin("token", "new", "admin", "--file", str(spare)).code == 0
    refused = as_admin("init", "--replace-admin-token")
    assert refused.code == 1
    assert re.search(r"stop (it|every one of them) first", refused.err)
    bus.stop()
    (bus.data_dir / "admin.token").unlink()
    made = as_admin("init", "--replace-admin-token")
    assert "2 earlier ones ended" in made.out
    token = bus.data_dir / "admin.token"
    assert token.stat().st_mode & 0o777 == 0o600
    assert token.read_text().strip() not in made.out
    bus.start()
    assert as_admin("token", "list").code == 0
    old = CommandLine(as_admin.environment | {"BUS_TOKEN_FILE": str(spare)})
    assert old("token", "list").code == 4
    assert maria("agent", "list").code == 0


def test_a_token_that_was_moved_away_stays_good_over_a_second_init(bus, as_admin, tmp_path):
    bus.stop()
    away = tmp_path / "admin.token"
    (bus.data_dir / "admin.token").rename(away)
    made = as_admin("init")
    assert "--replace-admin-token" in made.out
    assert not (bus.data_dir / "admin.token").exists()
    bus.start()
    kept = CommandLine(as_admin.environment | {"BUS_TOKEN_FILE": str(away)})
    assert kept("token", "list").code == 0


def test_a_new_agents_token_is_in_a_file_of_ones_own_and_on_no_screen(as_admin, tmp_path):
    assert as_admin("agent", "add", "ann").code == 0
    file = tmp_path / "ann.token"
    made = as_admin("token", "new", "agent", "ann", "--file", str(file))
    assert made.code == 0, made.err
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_text().strip() not in made.out + made.err
    ann = CommandLine(as_admin.environment | {"BUS_TOKEN_FILE": str(file)})
    assert ann("inbox").code == 0
