"""Rotating tokens by the command line."""

from __future__ import annotations


def test_a_person_s_token_is_rotated_in_its_file_and_the_old_one_is_listed(
    as_admin, act_as, tmp_path
):
    petra = act_as("petra", "person")
    file = tmp_path / "petra.token"
    old = file.read_text()
    done = as_admin("token", "rotate", "person", "petra", "--file", str(file))
    assert done.code == 0, done.err
    new = file.read_text()
    assert new != old
    assert file.stat().st_mode & 0o777 == 0o600
    assert new.strip() not in done.out
    assert petra("inbox").code == 0
    listed = as_admin("token", "list").out
    assert "ends 20" in listed
    assert "LAST USED" in listed
    mine = [one for one in as_admin("token", "list", "--json").json["tokens"] if one["subject"]]
    assert sorted(bool(one["ends_at"]) for one in mine) == [False, True]


def test_the_administration_s_token_is_rotated_in_the_data_folder(bus, as_admin):
    file = bus.data_dir / "admin.token"
    assert as_admin("token", "rotate", "admin", "--file", str(file), "--grace", "1s").code == 0
    assert file.read_text().strip() != bus.admin
    assert as_admin("agent", "list").code == 0


def test_a_node_s_agent_is_renewed_by_its_node_unless_it_is_said_otherwise(as_admin):
    as_admin("node", "add", "shed", "--agents", "dora")
    nothing = as_admin("token", "rotate", "agent", "dora")
    assert nothing.code == 1
    assert "bus token new" in nothing.err
    as_admin("token", "new", "agent", "dora")
    assert "the watcher of shed renews it" in as_admin("token", "rotate", "agent", "dora").out
    assert "waits for its node" in as_admin("token", "list").out
    assert "wb_agent_" in as_admin("token", "rotate", "agent", "dora", "--here").out


def test_a_rotation_into_a_folder_that_is_not_there_makes_nothing(as_admin, act_as):
    act_as("petra", "person")
    got = as_admin("token", "rotate", "person", "petra", "--file", "/nowhere/petra.token")
    assert got.code == 4
    assert all(not one["ends_at"] for one in as_admin("token", "list", "--json").json["tokens"])
