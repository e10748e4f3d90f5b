"""Times, charts and ways back of the pages."""

from __future__ import annotations

import re

import pytest

from bus.clock import to_text
from bus.directory.rules import name_browser, typed_code
from bus.pages.charts import draw_speeds, percentile
from bus.pages.problems import check_way
from bus.pages.showing import TEMPLATES
from bus.pages.statics import FOLDER, address, files, kind_of
from bus.pages.times import ago, duration

NOW_MS = 1_780_000_000_000


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        *((0, "just now"), (9, "just now"), (10, "10 s ago"), (59, "59 s ago"), (60, "1 min ago")),
        *((3599, "59 min ago"), (7200, "2 h ago"), (200_000, "2 d ago"), (-7300, "in 2 h")),
    ],
)
def test_how_long_ago_reads_as_one_would_say_it(seconds, said):
    assert ago(to_text(NOW_MS - seconds * 1000), NOW_MS) == said


def test_a_duration_has_the_unit_that_fits():
    said = [duration(ms) for ms in (None, 5, 999, 1500, 90_000, 5_400_000)]
    assert said == ["-", "5 ms", "999 ms", "1.5 s", "1.5 min", "1.5 h"]


def test_a_percentile_is_a_value_that_was_measured():
    assert percentile([], 50) is None
    assert percentile([7], 95) == 7
    assert percentile(list(range(1, 101)), 50) == 50
    assert percentile(list(range(1, 101)), 95) == 95


@pytest.mark.parametrize("took", [[0], [1, 1, 1], [5, 3_600_000], list(range(50))])
def test_a_chart_stays_in_its_frame_and_says_in_words_what_it_shows(took):
    chart = draw_speeds(tuple(took))
    assert chart.count("M") == len(took)
    assert f"Of the last {len(took)} wakes" in chart
    heights = [float(one) for one in re.findall(r"(?:V|y1=\")([\d.]+)", chart)]
    assert len(heights) == len(took) + 2
    assert all(0 <= height <= 26 for height in heights)


def test_no_chart_is_drawn_of_nothing():
    assert draw_speeds(()) == ""


@pytest.mark.parametrize(
    "way", ["/", "/fleet", "/messages/m_01?x=1&y=2", "/sessions/s_01/", "/a.b~c"]
)
def test_a_way_back_stays(way):
    assert check_way(way) == way


@pytest.mark.parametrize(
    "way",
    [
        *("", "//example.org", "/\\example.org", "https://example.org", "fleet", "/a\nb", "/a b"),
        *("/a#b", "/\t/example.org", "javascript:x", "/" + "a" * 600, "/a\\b", "/é"),
    ],
)
def test_a_way_elsewhere_leads_to_the_first_page(way):
    assert check_way(way) == "/"


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0 Safari/537.36", "Chrome on Linux"),
        ("Mozilla/5.0 (Android 15; Mobile) Firefox/140.0", "Firefox on Android"),
        ("Mozilla/5.0 (Macintosh) Version/18 Safari/605", "Safari on Mac"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/140 Edg/140", "Edge on Windows"),
        ("<script>\u202e\x1b[31mcurl/8.0", "script31mcurl/8.0"),
        ("", "unknown"),
        ("x" * 500, "x" * 40),
    ],
)
def test_a_browser_has_a_harmless_name(agent, name):
    assert name_browser(agent) == name


def test_a_code_is_read_as_people_type_it():
    assert typed_code(" oil1o-abcde ") == "01110ABCDE"


def test_every_file_of_the_pages_has_an_address_and_no_other_has():
    for name in ("page.css", "live.js", "page.js", "stream.js", "worker.js", "icon.svg"):
        assert address(name).endswith(f"/{name}")
        assert kind_of(name)
        assert files()[name]
    with pytest.raises(KeyError):
        address("../showing.py")


def test_what_scripts_read_of_a_page_stands_in_a_template():
    templates = "".join(path.read_text() for path in TEMPLATES.glob("*.html"))
    scripts = "".join(path.read_text() for path in FOLDER.glob("*.js"))
    kept_by_scripts = {"clock"}
    read = {
        re.sub(r"[A-Z]", lambda found: f"-{found[0].lower()}", name)
        for name in re.findall(r"\.dataset\.(\w+)", scripts)
    }
    assert {"cursor", "place", "stream"} <= read
    assert [
        name for name in sorted(read - kept_by_scripts) if f"data-{name}=" not in templates
    ] == []
    people = (TEMPLATES / "people.html").read_text()
    for name in re.findall(r"\bnow\.dataset\.(\w+)", (FOLDER / "conversation.js").read_text()):
        assert f"data-{name}=" in people
