"""Agents' texts as HTML: whatever they write, nothing but words and plain links comes of it."""

from __future__ import annotations

import unicodedata
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.pages.markdown import MOST_CHARS, SHOWN_CHARS, TAGS, to_html

PIECES = (
    *(
        "<script>",
        "<img src=x onerror=a>",
        "javascript:alert(1)",
        "[a](",
        ")",
        "![b](",
        "<http://x>",
    ),
    *(
        "data:text/html,x",
        "&#x202e;",
        "&lt;",
        "`",
        "```html\n",
        "|a|b|\n|-|-|\n|c|d|\n",
        "> ",
        "- ",
    ),
    *(
        "\n",
        "\n\n",
        "**",
        "_",
        "#",
        "<a href=//x>",
        "<!--",
        "]]>",
        '" onclick="x',
        "\x00",
        "\u202e",
    ),
    *("<svg><style>", "{{7*7}}", "[x]: vbscript:y\n", "[x]", "&#106;avascript:x", "<mailto:a@b>"),
)


class Reader(HTMLParser):
    """What a browser would see: tags with their attributes, and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(str(html))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def check(html: str) -> Reader:
    """Refuse all that could do something."""
    seen = Reader(html)
    for tag, attributes in seen.tags:
        assert tag in TAGS
        assert set(attributes) <= {"a": {"href", "title", "rel"}, "ol": {"start"}}.get(
            tag, {"class"} if tag in {"pre", "p"} else set()
        )
        if "href" in attributes:
            assert attributes["href"].lower().startswith(("http:", "https:", "mailto:"))
            assert attributes["rel"] == "noopener noreferrer nofollow"
    assert not {unicodedata.category(char) for char in html} & {"Cf", "Cs", "Co"}
    return seen


@given(st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=6)), max_size=30))
def test_no_mixture_becomes_more_than_words_and_links(pieces):
    check(to_html("".join(pieces)))


@pytest.mark.parametrize("text", ["[words]()", "![words]()", "[words](<>)"])
def test_a_link_to_nowhere_is_its_words(text):
    seen = check(to_html(text))
    assert "words" in seen.text
    assert not any("href" in attributes for _, attributes in seen.tags)


def test_what_people_use_is_shown():
    html = to_html(
        "# Plan\n\n- one\n- **two**\n\n```\ncode\n```\n| a | b |\n|---|---|\n| 1 | 2 |\n\n"
        "line one\nline two, [here](https://example.org)"
    )
    tags = [tag for tag, _ in check(html).tags]
    for tag in ("h1", "ul", "strong", "pre", "table", "br", "a"):
        assert tag in tags


@pytest.mark.parametrize(
    "link",
    [
        *("javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "//example.org"),
        *("/sign-out", "vbscript:x", "file:///etc/passwd", "&#106;avascript:x", "java\tscript:x"),
    ],
)
def test_a_link_leads_into_the_web_or_nowhere(link):
    assert "<a" not in to_html(f"[go]({link}) <{link}>\n\n[x]: {link}\n[x]")


def test_a_picture_is_a_link_and_never_loaded():
    seen = check(to_html('![the plan](https://example.org/p.png "x") ![](https://example.org/q)'))
    links = [attributes["href"] for tag, attributes in seen.tags if tag == "a"]
    assert links == ["https://example.org/p.png", "https://example.org/q"]
    assert "the plan" in seen.text


def test_html_is_shown_as_it_was_written():
    text = "<script>alert(1)</script> <b onclick=x>bold</b> {{ 7*7 }}"
    assert check(to_html(text)).text.strip() == text


@pytest.mark.parametrize(
    "piece", ["[", "![", "> ", "*a **", "`a", "_a__", "[![x](", "a|", "- ", "<http://", "&#x202e;"]
)
def test_the_worst_texts_of_full_length_come_to_an_end(piece):
    check(to_html((piece * MOST_CHARS)[:MOST_CHARS]))


def test_a_text_too_long_to_be_read_is_shown_as_it_is_and_then_cut():
    text = "**a** <b>" * (SHOWN_CHARS // 9 + 10)
    html = to_html(text)
    assert html.startswith('<pre class="plain">**a** &lt;b&gt;')
    assert "The rest is not shown here." in html
    assert len(html) < 3 * SHOWN_CHARS
