"""What turns cost as a page shows it: unknown is said so, and bars are of what is known."""

from __future__ import annotations

from bus.pages.charts import draw_days
from bus.pages.cost import describe, fill_days, find_largest


def cost(what, usd, tokens):
    return {"what": what, "tokens_in": tokens, "tokens_out": 0, "cost_usd": usd, "turns": 1}


ROWS = [cost("2026-11-01", 2.0, 10), cost("2026-11-03", 0.0, 900)]


def test_tokens_without_dollars_are_an_unknown_cost_and_never_nothing():
    largest = find_largest(ROWS)
    dear, dark = (describe(one, largest) for one in ROWS)
    assert (dear["is_known"], dear["part"]) == (True, 100)
    assert (dark["is_known"], dark["part"]) == (False, 0)
    assert describe(cost("none", 0.0, 0), largest)["is_known"]


def test_where_no_dollars_are_known_the_bars_are_of_tokens():
    rows = [cost("a", 0.0, 50), cost("b", 0.0, 200)]
    assert [describe(one, find_largest(rows))["part"] for one in rows] == [25, 100]


def test_each_day_has_its_place_and_an_unknown_one_is_hatched():
    largest = find_largest(ROWS)
    shown = [describe(one, largest) for one in ROWS]
    days = fill_days(shown, "2026-11-01", 4)
    assert [one["day"][-2:] for one in days] == ["01", "02", "03", "04"]
    drawn = draw_days(days, cost("all", 2.0, 910))
    assert drawn.count("<rect") == 2
    assert drawn.count('class="unknown"') == 1
    assert "2.00 US dollars" in drawn
