"""TLS at the command line: a certificate of one's own works, and a wrong one is said at once."""

from __future__ import annotations

import re
import socket
import subprocess

import pytest
from commandline import BUS, CommandLine
from upping import up

from tests.conftest import clean_environment


def make_certificate(folder, names="IP:127.0.0.1", stem="own"):
    """Make a certificate that signed itself; gives its file and its key's."""
    cert, key = folder / f"{stem}.pem", folder / f"{stem}.key"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    made += ["-subj", "/CN=bus", "-addext", f"subjectAltName={names}"]
    subprocess.run([*made, "-out", cert, "-keyout", key], check=True, capture_output=True)
    return str(cert), str(key)


@pytest.fixture
def certificate(tmp_path):
    return make_certificate(tmp_path)


@pytest.fixture
def home(tmp_path, certificate):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    cert, key = certificate
    return clean_environment(
        HOME=str(tmp_path), BUS_PORT=str(port), BUS_TLS_CERT=cert, BUS_TLS_KEY=key
    )


def test_everything_comes_up_under_a_certificate_that_signed_itself(home, certificate):
    with up(home) as (said, _):
        assert 'ping has its answer: "pong:' in said
        url = f"https://127.0.0.1:{home['BUS_PORT']}"
        assert f"the bus is at {url}" in said
        told = dict(re.findall(r"export (\w+)=(\S+)", said))
        assert told == {"BUS_URL": url, "REQUESTS_CA_BUNDLE": certificate[0]}
        client = {key: value for key, value in home.items() if not key.startswith("BUS_")}
        run = CommandLine(client | told)
        assert run("agent", "list").code == 0
        assert run("agent", "list", REQUESTS_CA_BUNDLE="", CURL_CA_BUNDLE=certificate[0]).code == 0
        untrusting = run("agent", "list", REQUESTS_CA_BUNDLE="")
        assert untrusting.code == 3
        assert "could not be verified (self-signed certificate)" in untrusting.err
        assert "REQUESTS_CA_BUNDLE=FILE" in untrusting.err
        assert "Is it running" not in untrusting.err


def test_a_file_of_authorities_that_is_none_is_code_4_and_named(as_admin, tmp_path):
    for file in (tmp_path / "none.pem", tmp_path / "empty.pem"):
        if file.stem == "empty":
            file.touch()
        url = as_admin.environment["BUS_URL"].replace("http:", "https:")
        got = as_admin("agent", "list", BUS_URL=url, REQUESTS_CA_BUNDLE=str(file))
        assert got.code == 4, got.err
        assert f"REQUESTS_CA_BUNDLE={file}" in got.err
        assert "Traceback" not in got.err


def test_an_https_address_of_a_bus_without_tls_says_so(as_admin):
    url = as_admin.environment["BUS_URL"].replace("http:", "https:")
    got = as_admin("agent", "list", BUS_URL=url)
    assert got.code == 3
    assert "no TLS is spoken" in got.err
    assert "http://" in got.err


@pytest.mark.parametrize("command", ["serve", "up"])
@pytest.mark.parametrize(
    ("key", "content", "said"),
    [
        ("BUS_TLS_CERT", None, "cannot be read (no such file or directory)"),
        ("BUS_TLS_KEY", None, "cannot be read (no such file or directory)"),
        ("BUS_TLS_CERT", "words", "is not a certificate in PEM form"),
        ("BUS_TLS_KEY", "words", "is not a key in PEM form"),
    ],
)
def test_a_wrong_certificate_or_key_is_code_4_before_anything_listens(
    home, tmp_path, command, key, content, said
):
    file = tmp_path / "wrong"
    if content:
        file.write_text(content)
    got = CommandLine(home)(command, **{key: str(file)})
    assert got.code == 4
    assert f"{key}={file} {said}" in got.err
    assert "listens" not in got.err
    assert "Traceback" not in got.err


def test_the_key_of_another_certificate_is_code_4_before_anything_listens(home, tmp_path):
    _, other = make_certificate(tmp_path, stem="other")
    for words in (("serve",), ("up",), ("config", "--check")):
        got = CommandLine(home)(*words, BUS_TLS_KEY=other)
        assert got.code == 4, got.err
        assert f"BUS_TLS_KEY={other} does not fit" in got.err
        assert "the key of another certificate" in got.err


def test_a_certificate_for_another_name_is_said_before_anything_starts(home, tmp_path):
    cert, key = make_certificate(tmp_path, "DNS:bus.example.org", "named")
    got = CommandLine(home)("up", BUS_TLS_CERT=cert, BUS_TLS_KEY=key)
    assert got.code == 4
    assert "mismatch" in got.err
    assert "BUS_PUBLIC_URL" in got.err
    assert not (tmp_path / ".local").exists()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"BUS_TLS_CERT": "", "BUS_TLS_KEY": "", "BUS_HOST": "0.0.0.0"}, "plain HTTP on 0.0.0.0"),
        ({"BUS_PUBLIC_URL": "http://127.0.0.1:1"}, "BUS_PUBLIC_URL=http://127.0.0.1:1 says http"),
    ],
)
def test_what_is_unsafe_is_said_in_one_line_at_the_start(home, settings, said):
    environment = home | settings | {"BUS_PORT": "0"}
    assert CommandLine(environment)("init").code == 0
    serve = [BUS, "serve"]
    with subprocess.Popen(serve, env=environment, stderr=subprocess.PIPE, text=True) as process:
        lines = [process.stderr.readline()]
        while "listens on" not in lines[-1]:
            assert lines[-1], lines
            lines.append(process.stderr.readline())
        process.terminate()
    warnings = [line for line in lines if line.startswith("warning: ")]
    assert len(warnings) == 1
    assert said in warnings[0]


def test_the_usual_bus_starts_without_a_warning(bus):
    assert "warning" not in (bus.data_dir / "bus.log").read_text()


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(as_admin):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        assert as_admin("agent", "list", **{name: "http://127.0.0.1:1", "no_proxy": ""}).code == 0
