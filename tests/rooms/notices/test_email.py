"""Notices by email, to a real SMTP server."""

from __future__ import annotations

import socket
import ssl

import pytest

from bus.config import Config
from bus.errors import ConfigError
from bus.notices import outgoing
from tests.receivers import mailbox

GRACE_S = 6


@pytest.fixture
def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
def by_mail(told, port):
    told.set(smtp_host="127.0.0.1", smtp_port=port, smtp_from="Bus <bus@example.org>")
    told.set(smtp_security="none")
    told.put("mail", kind="email", address="pat@example.org")
    return told


def test_an_email_says_it_short_and_is_known_by_its_id(by_mail, port):
    with mailbox(port) as box:
        by_mail.house.send("alice", "pat", subject="the shed\u202e burns é")
        by_mail.pass_time(GRACE_S)
    (mail,) = box.mails
    assert mail["To"] == "pat@example.org"
    assert mail["Subject"] == "Message from alice"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Message-ID"].startswith("<n_")
    assert mail["Message-ID"].endswith("@example.org>")
    text = mail.get_content().replace("\r\n", "\n")
    assert text.startswith('"the shed burns é"\n\nhttp')
    assert "hello" not in text
    assert by_mail.shown()["targets"][0]["ok_at"]


def test_a_refusal_is_told_by_its_code_and_not_in_the_servers_words(by_mail, port):
    with mailbox(port) as box:
        box.refused.add("pat@example.org")
        by_mail.house.send("alice", "pat")
        by_mail.pass_time(GRACE_S)
    assert by_mail.shown()["targets"][0]["error"] == "SMTP 550 for its recipient"


def test_a_server_that_is_away_is_tried_again(by_mail, port):
    by_mail.house.send("alice", "pat")
    by_mail.pass_time(GRACE_S)
    assert "cannot be reached" in by_mail.shown()["targets"][0]["error"]
    with mailbox(port) as box:
        by_mail.pass_time(2)
    assert len(box.mails) == 1


def make_context(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


def test_the_log_in_goes_over_tls_to_a_server_that_is_who_it_says(
    by_mail, port, certificate, monkeypatch
):
    by_mail.set(smtp_security="starttls", smtp_user="bus", smtp_password="open sesame")
    monkeypatch.setattr(
        outgoing, "trust", lambda: ssl.create_default_context(cafile=certificate[0])
    )
    with mailbox(port, tls_context=make_context(certificate), auth_required=True) as box:
        by_mail.house.send("alice", "pat")
        by_mail.pass_time(GRACE_S)
    assert by_mail.shown()["targets"][0]["error"] is None
    assert box.logged_in == [(b"bus", b"open sesame")]
    assert len(box.mails) == 1


def test_a_server_that_speaks_tls_from_the_begin_is_spoken_to_so(
    by_mail, port, certificate, monkeypatch
):
    by_mail.set(smtp_security="tls")
    monkeypatch.setattr(
        outgoing, "trust", lambda: ssl.create_default_context(cafile=certificate[0])
    )
    with mailbox(port, ssl_context=make_context(certificate)) as box:
        by_mail.house.send("alice", "pat")
        by_mail.pass_time(GRACE_S)
    assert by_mail.shown()["targets"][0]["error"] is None
    assert len(box.mails) == 1


def test_no_password_goes_to_a_server_whose_certificate_is_not_good(by_mail, port, certificate):
    by_mail.set(smtp_security="starttls", smtp_user="bus", smtp_password="open sesame")
    with mailbox(port, tls_context=make_context(certificate)) as box:
        by_mail.house.send("alice", "pat")
        by_mail.pass_time(GRACE_S)
    assert box.logged_in == []
    assert "certificate is not good" in by_mail.shown()["targets"][0]["error"]


def test_no_password_goes_to_a_server_without_tls(by_mail, port):
    by_mail.set(smtp_security="starttls", smtp_user="bus", smtp_password="open sesame")
    with mailbox(port) as box:
        by_mail.house.send("alice", "pat")
        by_mail.pass_time(GRACE_S)
    assert (box.logged_in, box.mails) == ([], [])
    assert "STARTTLS" in by_mail.shown()["targets"][0]["error"]


@pytest.mark.parametrize(
    "settings",
    [
        {"BUS_SMTP_HOST": "mail.example.org"},
        {"BUS_SMTP_HOST": "mail.example.org", "BUS_SMTP_FROM": "bus"},
        {"BUS_SMTP_HOST": "m", "BUS_SMTP_FROM": "bus@example.org\r\nBcc: x@y.z"},
        {"BUS_SMTP_SECURITY": "perhaps"},
        {"BUS_SMTP_USER": "bus", "BUS_SMTP_PASSWORD": "x", "BUS_SMTP_SECURITY": "none"},
    ],
)
def test_settings_that_send_no_email_or_a_password_in_the_clear_refuse_to_start(tmp_path, settings):
    with pytest.raises(ConfigError, match="BUS_SMTP"):
        Config.from_env({"BUS_DATA_DIR": str(tmp_path), **settings})


def test_the_password_comes_from_a_file_and_is_not_shown(tmp_path):
    file = tmp_path / "password"
    file.write_text("open sesame\n")
    settings = {"BUS_SMTP_USER": "bus", "BUS_SMTP_PASSWORD_FILE": str(file)}
    config = Config.from_env({"BUS_DATA_DIR": str(tmp_path), **settings})
    assert config.smtp_password == "open sesame"
