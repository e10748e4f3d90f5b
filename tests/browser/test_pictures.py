"""What the documents' pictures are taken of: each page has something to show, and a picture."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from believable import fill, pages_of
from browsing import House
from pastbus import PastBus
from playwright.sync_api import expect

from tests import engine
from tests.conftest import Bus, serving

pytestmark = pytest.mark.browser
DOCS = Path(__file__).parents[2] / "docs"
SIZE = 1_500_000


@pytest.fixture(scope="module")
def team(tmp_path_factory, made_data):
    data = tmp_path_factory.mktemp("past") / "data"
    engine.copy_data(made_data, data)
    past = PastBus(data, begin_hours_ago=72)
    made = fill(past)
    past.end()
    bus = Bus(tmp_path_factory.mktemp("now") / "data")
    with serving(bus, data):
        made.house = House(bus, made.house.tokens)
        yield made


@pytest.fixture
def house(team):
    return team.house


def test_the_made_up_days_show_on_every_page(team, sign_in):
    page = sign_in("maria")
    for name, path in pages_of(team).items():
        page.goto(f"{team.house.url}{path}")
        expect(page.locator("#live")).to_have_text("live")
        if name not in {"fleet", "me"}:
            wanted = r"winter timetable|Berth 3|Publish|proofs|autumn fares|dora"
            expect(page.locator("main")).to_contain_text(re.compile(wanted))


def test_each_page_is_in_the_pictures_and_they_stay_small(team):
    text = (DOCS / "pages-in-pictures.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"\(screenshots/(.*?)\)", text))
    kinds = ("desktop-light", "phone-dark")
    assert shown == {f"{name}-{kind}.png" for name in pages_of(team) for kind in kinds}
    files = [DOCS / "screenshots" / name for name in shown]
    assert sum(file.stat().st_size for file in files) < SIZE
