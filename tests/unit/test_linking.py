"""Ids in a text become links, and nothing else in it becomes anything."""

from __future__ import annotations

from bus.pages.linking import link_ids

ID = "01KSR492000000000000000006"


def test_each_kind_of_thing_is_linked_to_its_page():
    text = f"m_{ID} t_{ID} c_{ID} r_{ID} s_{ID}"
    linked = link_ids(text, "/bus")
    for address in (f"/messages/m_{ID}", f"/messages?thread=t_{ID}", f"/sessions/s_{ID}"):
        assert f'<a href="/bus{address}" title="' in linked
    assert f'<a href="/bus/board/c_{ID}" title="' in linked
    assert f'<a href="/bus/runs/r_{ID}" title="r_{ID}">r_…000006</a>' in linked


def test_a_hostile_text_around_an_id_stays_text():
    linked = link_ids(f'<script>alert(1)</script> "m_{ID}" onclick=x', "")
    assert "<script>" not in linked
    assert linked.startswith("&lt;script&gt;")
    assert linked.count("<a ") == 1
    assert linked.endswith("&#34; onclick=x")


def test_what_only_looks_like_an_id_is_no_link():
    for text in ("m_short", f"xm_{ID}", f"m_{ID}X", f"k_{ID}", f"m_{ID.lower()}"):
        assert link_ids(text) == text
