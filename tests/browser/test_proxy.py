"""The page behind nginx, which speaks TLS for the bus and has it below a path."""

from __future__ import annotations

import subprocess

import fleetlife as life
import pytest
from browsing import House, Visits
from playwright.sync_api import expect

from tests.conftest import Bus, serving
from tests.faults.test_proxies import NGINX, free_port, make_certificate, needed, wait_for_port

pytestmark = pytest.mark.browser
BLOCK = """
server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {chain};
    ssl_certificate_key {key};
    location /bus/ {{
        proxy_pass {bus}/;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_buffering off;
    }}
}}
"""


class Behind(Bus):
    """A bus that knows by which address it is reached."""

    public_url = ""

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | {"BUS_PUBLIC_URL": self.public_url}


@pytest.fixture
def behind(tmp_path, made_data, browser):
    port, (chain, key) = free_port(), make_certificate(tmp_path)
    bus = Behind(tmp_path / "data")
    bus.public_url = f"https://localhost:{port}/bus"
    with serving(bus, made_data):
        house = House(bus)
        house.add("alice", kind="person")
        file = tmp_path / "nginx.conf"
        block = BLOCK.format(port=port, chain=chain, key=key, bus=bus.url)
        file.write_text(NGINX.format(folder=tmp_path, block=block))
        command = [needed("nginx"), "-e", str(tmp_path / "early.log"), "-c", str(file)]
        running = subprocess.Popen([*command, "-g", "daemon off;"])
        try:
            wait_for_port(port, running, tmp_path / "early.log")
            visits = Visits(browser, house)
            yield house, visits
            visits.end()
        finally:
            running.terminate()
            running.wait(20)


def test_all_works_there_and_the_cookie_is_for_tls_alone(behind):
    house, visits = behind
    page = visits.open(ignore_https_errors=True)
    page.goto(house.link("alice"))
    assert page.url.startswith(house.bus.public_url)
    page.get_by_role("button", name="Sign in as alice").click()
    expect(page.locator("#live")).to_have_text("live")
    assert page.url == f"{house.bus.public_url}/fleet"
    (cookie,) = page.context.cookies()
    assert cookie["name"] == "__Host-wakebus"
    assert cookie["secure"]
    life.add_machine(house, "attic", "anna", "ben")
    life.raise_alert(house, "anna", "smoke")
    page.get_by_role("button", name="Settle").click()
    expect(page.get_by_text("The alert is settled.")).to_be_visible()
    page.get_by_role("link", name="alice").click()
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.goto(f"{house.bus.public_url}/me")
    assert page.url == f"{house.bus.public_url}/sign-in?to=%2Fme"
