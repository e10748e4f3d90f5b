"""Takes a picture of each page, light and dark, at a desk and on a phone: `make screenshots`.

`python tests/browser/screenshots.py [FOLDER]`; where none is given into docs/screenshots.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
import urllib.request
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(1, str(Path(__file__).parent))
sys.path.insert(1, str(Path(__file__).parents[2]))

import believable
import fleetlife as life
from browsing import DESKTOP, PHONE, House, Visits
from pastbus import PastBus
from PIL import Image
from playwright.sync_api import expect

from tests.chromium import driving
from tests.conftest import BIN, Bus

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

KEPT = Path(__file__).parents[2] / "docs" / "screenshots"
LONGEST_PX = 1080
MOST_BYTES = 150_000
COLOURS = 128
DEVICES = {
    "desktop": {"viewport": DESKTOP},
    "phone": {"viewport": PHONE, "has_touch": True, "is_mobile": True, "device_scale_factor": 2},
}


def main(folder: Path) -> None:
    """Fill a bus, look at it, keep what is seen."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        data = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "data"
        bus = Bus(data)
        subprocess.run(
            [str(BIN / "bus"), "init"], env=bus.environment, check=True, stdout=subprocess.DEVNULL
        )
        past = PastBus(data, begin_hours_ago=72)
        team = believable.fill(past)
        past.end()
        bus.admin = past.admin
        bus.start()
        stack.callback(bus.stop)
        house = House(bus, team.house.tokens)
        for node in ("desk", "attic"):
            stack.enter_context(life.listen(house, node))
        life.listen(house, "boathouse").close()
        speaking = Speaking(house, team)
        stack.callback(speaking.end)
        browser = stack.enter_context(driving())()
        taken = [
            take(browser, house, team, folder, device, scheme)
            for device, scheme in product(DEVICES, ("light", "dark"))
        ]
        browser.close()
    print(f"{sum(map(len, taken))} pictures in {folder}, {sum(map(sum, taken)) // 1000} kB")


class Speaking:
    """An agent that is in the middle of a sentence for as long as the pictures take."""

    def __init__(self, house: House, team: believable.Team) -> None:
        path = f"/api/sessions/{team.session}/outputs"
        made = house.call("anna", "POST", path, {"lease_s": 3600})
        self._house, self._stream = house, made["stream"]
        for text in (believable.WORDS, believable.REST):
            self._append(text.encode())

    def end(self) -> None:
        self._append(b"", Stream_Closed="true")

    def _append(self, data: bytes, **headers: str) -> None:
        url = f"{self._house.url}/streams/{self._stream}"
        request = urllib.request.Request(url, data, method="POST")
        request.add_header("Authorization", f"Bearer {self._house.tokens['anna']}")
        request.add_header("Content-Type", "text/plain; charset=utf-8")
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        urllib.request.urlopen(request, timeout=30).close()


def take(
    browser: Browser, house: House, team: believable.Team, folder: Path, device: str, scheme: str
) -> list[int]:
    """Take a picture of each page on one device; gives how many bytes each has."""
    visits = Visits(browser, house)
    page = visits.sign_in("maria", color_scheme=scheme, **DEVICES[device])
    sizes = []
    for name, path in believable.pages_of(team).items():
        page.goto(f"{house.url}{path}")
        expect(page.locator("#live")).to_have_text("live", timeout=30_000)
        sizes.append(keep(page, folder / f"{name}-{device}-{scheme}.png"))
    visits.end()
    return sizes


def keep(page: Page, file: Path) -> int:
    """Write what a page shows, as small as a picture of a page can be."""
    page.evaluate("document.fonts.ready")
    high = page.evaluate("document.documentElement.scrollHeight")
    size = page.viewport_size or DESKTOP
    clip = {"x": 0, "y": 0, "width": size["width"], "height": min(high, LONGEST_PX)}
    seen = Image.open(io.BytesIO(page.screenshot(full_page=True, clip=clip, animations="disabled")))
    small = seen.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    small.save(file, optimize=True)
    number = file.stat().st_size
    assert number <= MOST_BYTES, f"{file} has {number} bytes"
    return number


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else KEPT)
