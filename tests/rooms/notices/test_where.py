"""Where notices may go: hosts that the administration allowed, at addresses that are theirs."""

from __future__ import annotations

import socket
import ssl
import sys
import threading
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "attack"))

from test_who_is_called import TRICKS

from bus.config import Config
from bus.errors import BusError, ConfigError, ConflictError, InvalidRequestError, NotFoundError
from bus.notices import posting, service
from bus.notices.rules import find_place, read_hosts, read_place, read_url, why_not
from tests.receivers import receiving

GRACE_S = 6
GOOD = "hooks.example"


@pytest.mark.parametrize("url", TRICKS)
def test_an_address_that_only_looks_like_an_allowed_host_is_refused(url):
    allowed = read_hosts(f"http://{GOOD} {GOOD}")
    with pytest.raises(InvalidRequestError):
        service_check(allowed, url)


def service_check(allowed, url):
    address = read_url(url)
    if find_place(allowed, address) is None:
        raise InvalidRequestError


@pytest.mark.parametrize(
    "url",
    [
        "https://pat@ntfy.sh/",
        "https://pat:word@ntfy.sh/",
        "https://:@ntfy.sh/",
        "https://@ntfy.sh/",
        "https://ntfy.sh:/",
        "https://ntfy.sh:0/",
        "https://ntfy.sh:99999/",
        "https://ntfy.sh:044 3/",
        "https://ntfy.sh/#ntfy.sh",
        "https://ntfy.sh\\@evil.example/",
        "https://ntfy.sh\t.evil.example/",
        "https://ntfy.sh\r\nX: 1/",
        "https://ntfy.\u017fh/",
        "https://ntfy。sh/",
        "https://[::1",
        "https://[fe80::1%25eth0]/",
        "https://[v1.x]/",
        "https://127.1/",
        "https://0177.0.0.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://1.2.3.4.5/",
        "https://",
        "ntfy.sh",
        "",
        "https://ntfy.sh/" + "a" * 500,
    ],
)
def test_an_address_that_could_mean_two_things_is_none(url):
    with pytest.raises(InvalidRequestError):
        read_url(url)


@pytest.mark.parametrize(
    ("entries", "url", "is_allowed"),
    [
        ("ntfy.sh", "https://ntfy.sh", True),
        ("ntfy.sh", "https://NTFY.SH./", True),
        ("ntfy.sh", "https://ntfy.sh:443/", True),
        ("ntfy.sh", "http://ntfy.sh/", False),
        ("ntfy.sh", "http://ntfy.sh:443/", False),
        ("ntfy.sh", "https://ntfy.sh:8443/", False),
        ("ntfy.sh:8443", "https://ntfy.sh:8443/", True),
        ("ntfy.sh", "https://a.ntfy.sh/", False),
        ("*.example.org", "https://a.b.example.org/", True),
        ("*.example.org", "https://example.org/", False),
        ("*.example.org", "https://evilexample.org/", False),
        ("http://push.lan:8080", "http://push.lan:8080/x?y=1", True),
        ("http://push.lan:8080", "https://push.lan:8080/", False),
        ("http://10.0.0.5", "http://10.0.0.5/", True),
        ("http://10.0.0.5", "http://10.0.0.05/", False),
        ("http://[fd00::5]:80", "http://[fd00:0:0::5]/", True),
        ("", "https://ntfy.sh/", False),
        ("@ntfy.sh", "https://ntfy.sh/", False),
    ],
)
def test_an_entry_allows_what_it_says_and_no_more(entries, url, is_allowed):
    try:
        address = read_url(url)
    except InvalidRequestError:
        assert not is_allowed
        return
    assert (find_place(read_hosts(entries), address) is not None) == is_allowed


PRIVATE = ["10.0.0.1", "192.168.1.5", "172.16.0.9", "127.0.0.1", "100.64.0.7", "fd00::7", "::1"]
NEVER = [
    "169.254.169.254",
    "169.254.1.1",
    "fe80::1",
    "fe80::1%eth0",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
    "fd00:ec2::254",
    "100.100.100.200",
    "::ffff:100.100.100.200",
    "224.0.0.1",
    "ff02::1",
    "0.0.0.0",
    "::",
    "255.255.255.255",
    "240.0.0.1",
    "not an address",
]
MAPPED = ["::ffff:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:7f00:1::", "::7f00:1"]
PUBLIC = ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"]


@pytest.mark.parametrize("ip", PRIVATE + NEVER + MAPPED + ["fec0::1", "192.0.2.1", "2001:db8::1"])
def test_a_name_may_not_stand_for_what_is_not_public(ip):
    assert why_not(ip, read_place("ntfy.sh"))


@pytest.mark.parametrize("ip", PUBLIC)
def test_a_name_may_stand_for_what_is_public(ip):
    assert why_not(ip, read_place("ntfy.sh")) == ""


@pytest.mark.parametrize("ip", PRIVATE + MAPPED + PUBLIC)
def test_a_private_name_may_stand_for_a_house_of_its_own(ip):
    assert why_not(ip, read_place("private:push.lan")) == ""


@pytest.mark.parametrize("ip", NEVER)
def test_not_even_a_private_name_stands_for_where_secrets_lie(ip):
    assert why_not(ip, read_place("private:push.lan"))


@pytest.mark.parametrize(
    "entry",
    ["https://", "a b@c", "ftp://x", "*", "*.", "*.1.2.3.4", "x/path", "@", "@x/y", "x:0",
     "x:99999", "user@host", "127.1", "2130706433", "[::1", "private:", "http://[zz]"],
)  # fmt: skip
def test_a_list_that_cannot_be_read_refuses_to_start(tmp_path, entry):
    with pytest.raises(ConfigError, match="BUS_NOTICE_HOSTS"):
        Config.from_env({"BUS_DATA_DIR": str(tmp_path), "BUS_NOTICE_HOSTS": entry})


def test_a_name_is_looked_up_once_and_the_judged_address_is_called(told, receiver, monkeypatch):
    port = receiver.url.rpartition(":")[2]
    told.set(notice_hosts=f"private:http://push.lan:{port}")
    told.put(kind="webhook", url=f"http://push.lan:{port}/")
    answers = [["127.0.0.1"], ["169.254.169.254"]]
    monkeypatch.setattr(posting, "resolve", lambda _host, _port: answers.pop(0))
    told.house.send("alice", "pat")
    told.pass_time(GRACE_S)
    assert len(receiver.requests) == 1
    assert receiver.requests[0].headers["host"] == f"push.lan:{port}"
    assert len(answers) == 1, "a second look would have found another address"


def test_a_name_that_means_another_address_by_now_is_not_called(told, receiver, monkeypatch):
    port = receiver.url.rpartition(":")[2]
    told.set(notice_hosts=f"http://push.example:{port}")
    told.put(kind="webhook", url=f"http://push.example:{port}/")
    for ip in ("127.0.0.1", "::ffff:127.0.0.1", "169.254.169.254"):
        monkeypatch.setattr(posting, "resolve", lambda _host, _port, ip=ip: ["93.184.216.34", ip])
        monkeypatch.setattr(socket, "create_connection", lambda *_: pytest.fail("it was called"))
        told.house.send("alice", "pat")
        assert told.pass_time(60) == 1
        (target,) = told.shown()["targets"]
        assert f"stands for {ip}" in target["error"]
    assert receiver.requests == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(told, receiver, status):
    receiver.status = status
    receiver.headers = {"Location": f"{receiver.url}/latest/meta-data/"}
    told.put(kind="webhook", url=receiver.url)
    told.house.send("alice", "pat")
    told.pass_time(GRACE_S)
    assert len(receiver.requests) == 1
    (target,) = told.shown()["targets"]
    assert "redirects are not followed" in target["error"]


def test_no_proxy_of_the_environment_is_asked(told, receiver, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    told.put(kind="webhook", url=receiver.url)
    told.house.send("alice", "pat")
    told.pass_time(GRACE_S)
    assert len(receiver.requests) == 1


def test_a_host_that_is_not_allowed_any_more_is_not_called(told, receiver):
    told.put(kind="webhook", url=receiver.url)
    told.set(notice_hosts="ntfy.sh")
    told.house.send("alice", "pat")
    told.pass_time(GRACE_S)
    assert receiver.requests == []
    assert "not allowed any more" in told.shown()["targets"][0]["error"]


def test_what_a_target_answers_is_not_shown(told, receiver):
    receiver.status, receiver.answer = 403, b"<script>the secret of another</script>" * 1000
    told.put(kind="webhook", url=receiver.url)
    told.house.send("alice", "pat")
    told.pass_time(GRACE_S)
    assert told.shown()["targets"][0]["error"] == "HTTP 403 Forbidden"


def test_where_no_host_is_allowed_it_is_said_and_nothing_is_kept(told):
    told.set(notice_hosts="")
    with pytest.raises(ConflictError, match="BUS_NOTICE_HOSTS is empty"):
        told.put(kind="ntfy", url="https://ntfy.sh", topic="t")
    shown = told.shown()
    assert "nobody is told" in shown["why"]
    assert shown["targets"] == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"kind": "pigeon", "url": "https://x"}, "'kind' is one of"),
        ({"kind": "webhook", "url": "https://evil.example"}, "has not allowed that host"),
        ({"kind": "webhook", "url": ""}, "'url' is an address"),
        ({"kind": "webhook", "url": "http://127.0.0.1:9", "topic": "t"}, "takes"),
        ({"kind": "ntfy", "url": "http://127.0.0.1:9/t", "topic": "t"}, "server of ntfy alone"),
        ({"kind": "ntfy", "url": "http://127.0.0.1:9", "topic": "a/b"}, "'topic'"),
        ({"kind": "ntfy", "url": "http://127.0.0.1:9", "topic": "t", "token": "a\r\nb"}, "'token'"),
        ({"kind": "email", "address": "pat@example.org"}, "BUS_SMTP_HOST"),
        ({"kind": "webhook", "url": "http://127.0.0.1:9", "events": ["all"]}, "'events'"),
    ],
)
def test_a_wrong_target_is_refused_with_what_is_right(told, given, said):
    with pytest.raises(BusError, match=said):
        told.put(**{"topic": "", "address": "", "url": ""} | given)
    assert told.shown()["targets"] == []


@pytest.mark.parametrize(
    "address",
    ["pat", "pat@", "@example.org", "pat@evil.example", "a b@example.org", "a@b@example.org",
     "pat@example.org, x@y.z", "<pat@example.org>", "pat@example.org\r\nBcc: x@y.z",
     '"a"@example.org', "pat@exa\u200bmple.org"],
)  # fmt: skip
def test_an_address_of_email_is_one_of_an_allowed_domain(told, address):
    told.set(smtp_host="127.0.0.1", smtp_from="bus@example.org")
    with pytest.raises(InvalidRequestError):
        told.put(kind="email", address=address)


def test_others_targets_are_as_absent(told, receiver):
    told.put("hook", kind="webhook", url=receiver.url)
    quinn = told.house.principal("quinn")
    for verb in (
        lambda tx: service.show_all(tx.conn, told.config, quinn, "pat"),
        lambda tx: service.remove(tx, quinn, "pat", "hook"),
        lambda tx: service.remove(tx, quinn, "self", "hook"),
        lambda tx: service.put(tx, quinn, "pat", "hook", {"kind": "webhook", "url": receiver.url}),
        lambda tx: service.begin_test(tx.conn, quinn, "pat", "hook", None),
    ):
        with pytest.raises(NotFoundError):
            told.house.store.write(verb)
    assert [one["name"] for one in told.shown()["targets"]] == ["hook"]


def test_so_many_targets_are_enough(told, receiver):
    for number in range(10):
        told.put(f"t{number}", kind="webhook", url=receiver.url)
    with pytest.raises(ConflictError, match="enough"):
        told.put("more", kind="webhook", url=receiver.url)
    assert told.put("t3", kind="webhook", url=f"{receiver.url}/other")["url"].endswith("/other")


def test_a_secret_is_shown_once_and_kept_until_another_is_asked_for(told, receiver):
    first = told.put(kind="webhook", url=receiver.url)["secret"]
    assert "secret" not in told.put(kind="webhook", url=receiver.url)
    assert first not in str(told.shown())
    assert told.put(kind="webhook", url=receiver.url, new_secret=True)["secret"] != first


def test_a_token_does_not_go_along_to_another_server(told, receiver):
    told.put(kind="ntfy", url=receiver.url, topic="t", token="tk_secret")
    assert told.put(kind="ntfy", url=receiver.url, topic="u")["token"] is True
    assert told.put(kind="ntfy", url="http://127.0.0.1:9", topic="u")["token"] is False


@pytest.fixture
def odd_server(told):
    """A server that answers as a test says, byte by byte; gives how to set that up."""
    with ExitStack() as stack:

        def serve(answer):
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            told.set(notice_hosts=url)
            told.put("hook", kind="webhook", url=url)

            def run():
                with suppress(OSError):
                    link, _ = listener.accept()
                    with link:
                        link.recv(65_536)
                        answer(link)

            thread = threading.Thread(target=run, daemon=True)
            thread.start()
            stack.callback(thread.join, 20)

        yield serve


def test_an_answer_without_end_is_not_read_to_its_end(told, odd_server):
    def answer(link):
        link.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")
        while True:
            link.sendall(b"x" * 65_536)

    odd_server(answer)
    told.house.send("alice", "pat")
    told.pass_time(GRACE_S)
    assert told.shown()["targets"][0]["ok_at"]


def test_who_never_answers_is_given_so_long(told, odd_server, monkeypatch):
    monkeypatch.setattr(posting, "STEP_S", 0.2)
    done = threading.Event()
    odd_server(lambda _link: done.wait(20))
    told.house.send("alice", "pat")
    told.pass_time(GRACE_S)
    done.set()
    assert "no answer" in told.shown()["targets"][0]["error"]


@pytest.mark.parametrize(
    "said", [b"", b"SSH-2.0-x\r\n", b"HTTP/1.1 2000 OK\r\n\r\n", b"\0" * 70_000]
)
def test_what_is_no_http_is_said_to_be_none(told, odd_server, said):
    odd_server(lambda link: link.sendall(said))
    told.house.send("alice", "pat")
    told.pass_time(GRACE_S)
    assert told.shown()["targets"][0]["error"]
    assert told.shown()["targets"][0]["ok_at"] is None


@pytest.fixture
def tls_receiver(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    named = []
    context.sni_callback = lambda _sock, name, _context: named.append(name)
    with receiving(tls=context) as one:
        yield one, named


def test_tls_is_spoken_with_the_name_and_its_certificate_checked(
    told, tls_receiver, certificate, monkeypatch
):
    receiver, named = tls_receiver
    told.set(notice_hosts=f"private:{receiver.url}")
    told.put(kind="webhook", url=receiver.url)
    told.house.send("alice", "pat")
    told.pass_time(GRACE_S)
    assert "certificate is not good" in told.shown()["targets"][0]["error"]
    assert receiver.requests == [], "nothing was said to who is not who it should be"
    trusting = ssl.create_default_context(cafile=certificate[0])
    monkeypatch.setattr(posting, "trust", lambda: trusting)
    told.pass_time(2)
    assert len(receiver.requests) == 1
    assert set(named) == {"localhost"}
