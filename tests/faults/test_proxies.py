"""Behind nginx and Caddy: the blocks of the page work at once; a proxy that buffers is named."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.conftest import until

BIN = Path(sys.executable).parent
PAGE = Path(__file__).resolve().parents[2] / "docs" / "howto" / "behind-a-proxy.md"
MISSET = {
    "nginx": ("proxy_buffering off;", "proxy_ignore_headers X-Accel-Buffering;"),
    "caddy": (":BUS\n", ":BUS {\n\t\tbuffer_responses\n\t}\n"),
}
NGINX = """pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{block}
}}
"""
CADDY = "{{\n\tadmin off\n\tauto_https disable_redirects\n\tskip_install_trust\n}}\n{block}"


def free_port():
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        return taken.getsockname()[1]


def needed(program):
    """Give a program's path, or skip: only where the lab is asked for must it be there."""
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if found is None:
        assert not os.environ.get("WAKEBUS_LAB"), f"{program} is not installed"
        pytest.skip(f"needs {program}")
    return found


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("tls"))


def make_certificate(folder):
    """Make a certificate for this machine, and its key."""
    files = folder / "own.pem", folder / "own.key"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    made += ["-subj", "/CN=bus", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    made += ["-out", str(files[0]), "-keyout", str(files[1])]
    subprocess.run(made, check=True, capture_output=True)
    return files


def block_of(kind, bus, port, certificate, *, misset):
    """Give the page's own block, with this test's addresses and files."""
    found = re.search(rf"```{kind}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    block = found[1].replace("127.0.0.1:8091", "127.0.0.1:BUS")
    if misset:
        assert MISSET[kind][0] in block
        block = block.replace(*MISSET[kind])
    chain, key = certificate
    changes = {
        ":BUS": f":{bus.url.rpartition(':')[2]}",
        "listen 443": f"listen 127.0.0.1:{port}",
        "bus.example.org {": f"https://localhost:{port} {{\n\ttls {chain} {key}",
        "chain.pem": str(chain),
        "key.pem": str(key),
    }
    for old, new in changes.items():
        block = block.replace(old, new)
    return block


@contextmanager
def proxy(kind, bus, folder, certificate, *, misset=False):
    """Run a proxy in front of the bus; gives its address."""
    program = needed(kind)
    port = free_port()
    block = block_of(kind, bus, port, certificate, misset=misset)
    file = folder / f"{kind}.conf"
    file.write_text({"nginx": NGINX, "caddy": CADDY}[kind].format(folder=folder, block=block))
    command = {
        "nginx": [program, "-e", str(folder / "early.log"), "-c", str(file), "-g", "daemon off;"],
        "caddy": [program, "run", "--adapter", "caddyfile", "--config", str(file)],
    }[kind]
    homes = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with (folder / "proxy.log").open("w") as log:
        running = subprocess.Popen(command, stderr=log, stdout=log, env=bus.environment | homes)
    try:
        wait_for_port(port, running, folder / "proxy.log")
        yield f"https://localhost:{port}"
    finally:
        running.terminate()
        running.wait(20)


def wait_for_port(port, running, log):
    def is_open():
        assert running.poll() is None, log.read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    until(is_open, 30, f"{log} tells of an open port")


@pytest.mark.parametrize("kind", ["nginx", "caddy"])
def test_a_bus_behind_a_proxy_as_the_page_says_works_at_once(bus, add, tmp_path, certificate, kind):
    ann, ben = add("ann"), add("ben")
    with proxy(kind, bus, tmp_path, certificate) as url:
        trust = ssl.create_default_context(cafile=str(certificate[0]))
        where = url.removeprefix("https://")
        link = http.client.HTTPSConnection(where, timeout=60, context=trust)
        with closing(link):
            link.request("GET", "/api/stream", headers={"Authorization": f"Bearer {ann}"})
            answer = link.getresponse()
            assert answer.readline().startswith(b"retry:")
            while answer.readline() != b"event: ready\n":
                pass
            began_s = time.monotonic()
            assert bus.call(ben, "POST", "/api/send", {"to": "ann", "body": "x"})[0] == 202
            while answer.readline() != b"event: message\n":
                pass
            print(f"{kind}: sent to heard {(time.monotonic() - began_s) * 1000:.1f} ms")


@pytest.mark.parametrize("kind", ["nginx", "caddy"])
def test_a_proxy_that_buffers_is_named_with_the_line_that_mends_it(
    bus, add, tmp_path, certificate, kind
):
    boss = add("boss", "person")
    _, node = bus.call(bus.admin, "POST", "/api/nodes", {"name": "attic", "agents": ["ann"]})
    token = tmp_path / "boss.token"
    token.write_text(boss)
    token.chmod(0o600)
    folder, chain = tmp_path / "node", str(certificate[0])
    with proxy(kind, bus, tmp_path, certificate, misset=True) as url:
        environment = bus.environment | {
            "REQUESTS_CA_BUNDLE": chain,
            "XDG_STATE_HOME": str(tmp_path / "state"),
        }
        tail = [str(BIN / "bus"), "tail", "--url", url, "--token-file", str(token)]
        enrol = [str(BIN / "bus-watcher"), "enrol", url, node["code"], "--dir", str(folder)]
        subprocess.run([*enrol, "--ca-file", chain], env=environment, check=True)
        watch = [str(BIN / "bus-watcher"), "run", "--dir", str(folder)]
        for command, word in ((tail, "keeps it back"), (watch, "code=held_back")):
            line = first_line_with(command, environment, word)
            assert "proxy_buffering off;" in line
            assert "behind-a-proxy.md" in line


def first_line_with(command, environment, word):
    """Run a program until it says something; gives that line."""
    running = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    said = []
    try:
        for line in running.stdout:
            said.append(line)
            if word in line:
                return line
        raise AssertionError("".join(said))
    finally:
        running.terminate()
        running.communicate(timeout=60)
