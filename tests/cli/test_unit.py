"""The units as they are shipped, and what `bus unit` would write; systemd itself is in a box."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from bus.cli import unit, unitfiles
from bus.cli.failing import Failure
from bus.config import Config
from bus.errors import ConfigError
from bus.settings import SETTINGS

SERVICE = unitfiles.unit_text(unitfiles.SERVICE)


def options(text):
    return [line for line in text.splitlines() if re.match(r"[A-Z]\w+=", line)]


@pytest.mark.parametrize("name", unitfiles.UNITS)
def test_every_option_of_a_unit_has_its_reason(name):
    for block in unitfiles.unit_text(name).split("\n\n")[1:]:
        lines = [line for line in block.splitlines() if not line.startswith("[")]
        assert lines[0].startswith(("#", "Description=", "WantedBy=")), block


def test_a_unit_that_is_shipped_is_the_one_that_is_installed():
    shipped = (unitfiles.shipped_dir() / unitfiles.SERVICE).read_text()
    assert shipped.replace("/opt/wakebus/bin/bus", str(unitfiles.program())) == SERVICE
    assert "/opt/wakebus" not in SERVICE.replace(str(unitfiles.program()), "")


@pytest.mark.parametrize(
    "setting", [row for row in SETTINGS if row.secret], ids=lambda row: row.key
)
def test_each_secret_can_be_handed_to_the_service_and_none_must(setting):
    name = setting.field.replace("_", "-")
    assert f"LoadCredential={name}:/etc/wakebus/{name}" in options(SERVICE)
    assert f"SetCredential={name}:\\n" in options(SERVICE)
    assert f"Environment={setting.key}_FILE=%d/{name}" in options(SERVICE)


def test_the_backup_is_fenced_as_the_bus_is():
    fence = SERVICE[SERVICE.index("# No privilege") : SERVICE.index("[Install]")]
    backup = options(unitfiles.unit_text(unitfiles.BACKUP))
    assert set(options(fence)) <= set(backup)


@pytest.mark.parametrize("name", ["database-url", "notify-url"])
def test_the_backup_reaches_the_database_as_the_bus_does(name):
    handed = [option for option in options(SERVICE) if name in option]
    assert len(handed) == 3
    assert set(handed) <= set(options(unitfiles.unit_text(unitfiles.BACKUP)))


def test_a_unit_runs_this_program(as_admin):
    own = str(Path(sys.executable).with_name("bus"))
    said = as_admin("unit", "show", unitfiles.SERVICE)
    assert f"ExecStart={own} serve" in str(said)


def test_a_setting_is_set_changed_and_taken_out_and_the_rest_stays():
    first = unitfiles.with_settings("# mine\nBUS_PORT=1\n", ["BUS_PORT=8092", "BUS_HOST=::"])
    assert first == "# mine\nBUS_PORT=8092\nBUS_HOST=::\n"
    assert unitfiles.with_settings(first, ["BUS_PORT="]) == "# mine\nBUS_HOST=::\n"
    assert unitfiles.with_settings(first, ["BUS_HOST=::"]).count("BUS_HOST") == 1


def test_a_path_with_a_space_is_read_as_it_was_set():
    text = unitfiles.with_settings("", ["BUS_TLS_CERT=/a b", "BUS_TLS_KEY=/c"])
    assert unitfiles.read_settings(text) == {"BUS_TLS_CERT": "/a b", "BUS_TLS_KEY": "/c"}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("BUS_PORT", "KEY=VALUE"),
        ("PATH=/", "KEY=VALUE"),
        ("BUS_DATA_DIR=/srv", "has its data in /var/lib/wakebus"),
        ("BUS_SHARED_SECRET=x", "is a secret"),
        ("BUS_SHARED_SECRET_FILE=/x", "is a secret"),
        ("BUS_TLS_CERT=a\nb", "cannot stand in"),
    ],
)
def test_what_is_no_setting_of_the_service_is_refused(change, why):
    with pytest.raises(Failure, match=why):
        unitfiles.with_settings("", [change])


@pytest.mark.parametrize("change", ["BUS_PROT=1", "BUS_PORT=none", "BUS_TLS_KEY=/only"])
def test_settings_that_would_not_start_are_refused_before_they_are_written(change):
    with pytest.raises(ConfigError, match=r"/etc/wakebus/bus\.env: "):
        unitfiles.with_settings("", [change])


@pytest.fixture
def on_a_server(tmp_path, monkeypatch):
    """A machine whose service has its database on a PostgreSQL."""
    monkeypatch.setattr(unitfiles, "SETTINGS_DIR", tmp_path)
    (tmp_path / "database-url").write_text("postgresql+psycopg://wakebus@db1/wakebus\n")
    return tmp_path


def test_what_needs_a_postgresql_can_be_set_where_the_service_is_handed_one(on_a_server):
    assert unitfiles.with_settings("", ["BUS_WORKERS=2"]) == "BUS_WORKERS=2\n"
    (on_a_server / "database-url").unlink()
    with pytest.raises(ConfigError, match="BUS_WORKERS=2 needs BUS_DATABASE_URL"):
        unitfiles.with_settings("", ["BUS_WORKERS=2"])


def test_a_shell_that_knows_a_secret_as_the_service_does_is_not_told_to_set_it(on_a_server):
    here = {"BUS_DATABASE_URL_FILE": str(on_a_server / "database-url"), "BUS_DATA_DIR": "/x"}
    assert list(unitfiles.unread(here)) == []
    (said,) = unitfiles.unread({"BUS_DATABASE_URL": "postgresql+psycopg://other"})
    assert f"it reads {on_a_server / 'database-url'}" in said
    (said,) = unitfiles.unread({"BUS_PORT": "1"})
    assert "set it by --set" in said


def test_a_program_that_a_service_cannot_see_is_refused(tmp_path):
    for hidden in ("/root/x", "/home/ann/.venv/bin/bus", "/tmp/x"):
        assert "kept out of" in unitfiles.why_unseen(Path(hidden))
    assert "quoted" in unitfiles.why_unseen(Path("/opt/my bus"))
    assert "is not there" in unitfiles.why_unseen(Path("/opt/nothing/here"))
    assert unitfiles.why_unseen(Path("/usr/bin/env")) == ""


@pytest.mark.parametrize(
    ("settings", "said", "warned"),
    [
        ({}, "--set BUS_HOST=0.0.0.0 --set BUS_PUBLIC_URL=http://NAME:8091", ""),
        ({"BUS_HOST": "0.0.0.0"}, "", "install --set BUS_PUBLIC_URL=http://NAME:8091"),
        ({"BUS_HOST": "::", "BUS_PORT": "80"}, "", "install --set BUS_PUBLIC_URL=http://NAME:80"),
        ({"BUS_HOST": "0.0.0.0", "BUS_PUBLIC_URL": "http://pi:8091"}, "", ""),
        ({"BUS_HOST": "192.0.2.7"}, "", ""),
    ],
)
def test_who_opens_the_bus_to_others_hears_what_they_would_be_given(capsys, settings, said, warned):
    unit.say_installed(Config.from_env(settings), went_on=False)
    got = capsys.readouterr()
    assert ("BUS_PUBLIC_URL" in got.out) == bool(said)
    assert said in got.out
    assert ("which is themselves" in got.err) == bool(warned)
    assert warned in got.err
