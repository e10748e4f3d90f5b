"""On a machine where systemd runs the bus, a hint names the command that fits there."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from bus.cli import checksfiles, cli, installed
from bus.cli.calling import read_token
from bus.cli.failing import Failure, from_bus
from bus.errors import NoDatabaseError


@pytest.fixture
def service(tmp_path, monkeypatch):
    """A machine with the service, and its folder behind a link as systemd makes it."""
    (tmp_path / "private").mkdir()
    (tmp_path / "data").symlink_to("private")
    (tmp_path / installed.SERVICE).touch()
    monkeypatch.setattr(installed, "UNIT_DIR", tmp_path)
    monkeypatch.setattr(installed, "DATA_DIR", tmp_path / "data")
    monkeypatch.setattr(installed, "DATABASE_URL", tmp_path / "database-url")
    for key in ("BUS_DATA_DIR", "BUS_DATABASE_URL", "BUS_DATABASE_URL_FILE"):
        monkeypatch.delenv(key, raising=False)
    return tmp_path


def test_root_who_forgot_the_folder_is_not_told_to_make_a_new_bus(service):
    found = [from_bus(NoDatabaseError("there is none"))]
    with pytest.raises(Failure) as caught:
        read_token(service / "none" / "admin.token")
    for failure in (*found, caught.value):
        assert f"export BUS_DATA_DIR={service / 'data'}" in failure.mend
        assert "bus init" not in failure.mend


def test_who_named_the_folder_is_not_told_to_name_it(service, monkeypatch):
    monkeypatch.setenv("BUS_DATA_DIR", str(service / "private"))
    assert installed.where_else() == ""


def test_who_named_the_folder_alone_is_told_of_the_services_postgresql(service, monkeypatch):
    monkeypatch.setenv("BUS_DATA_DIR", str(service / "private"))
    (service / "database-url").touch()
    assert f"BUS_DATABASE_URL_FILE={service / 'database-url'}" in installed.where_else()
    monkeypatch.setenv("BUS_DATABASE_URL_FILE", str(service / "database-url"))
    assert installed.where_else() == ""


@pytest.mark.parametrize("words", ["init", "migrate"])
def test_who_forgot_the_services_postgresql_makes_no_second_bus(service, monkeypatch, words):
    folder, url = service / "data", service / "database-url"
    folder.mkdir(exist_ok=True)
    monkeypatch.setenv("BUS_DATA_DIR", str(folder))
    url.touch()
    done = CliRunner().invoke(cli, [words])
    assert done.exit_code == 1, done.output
    assert f"BUS_DATABASE_URL_FILE={url}" in done.stderr
    assert not list(folder.iterdir())
    url.unlink()  # the service has its file again, or has one for the first time
    assert CliRunner().invoke(cli, [words]).exit_code == 0
    assert (folder / "bus.db").exists()


@pytest.mark.parametrize(
    ("folder", "command"), [("private", "systemctl start wakebus"), ("other", "bus serve")]
)
def test_a_stopped_bus_is_started_by_what_runs_it(service, folder, command):
    look = SimpleNamespace(holder="", config=SimpleNamespace(data_dir=service / folder))
    assert checksfiles.see_lock(look).mend == command


def test_without_a_service_nothing_is_said_of_one(service):
    (service / installed.SERVICE).unlink()
    assert installed.where_else() == ""
    assert installed.how_to_start(service / "data") == "bus serve"


def test_a_folder_with_the_demonstrations_node_is_started_with_it(service, tmp_path):
    (tmp_path / "own" / "demo").mkdir(parents=True)
    assert installed.how_to_start(tmp_path / "own") == "bus up"
