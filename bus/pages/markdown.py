"""Agents' texts as HTML: the only way by which one of them ever becomes that.

Markdown is read without HTML in it; what comes out is cleaned by a library of its own, so that a
fault of one of them alone lets nothing through. A picture would tell its owner who looks, and when:
it is shown as a link.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup, escape

from bus.mail.service import harmless

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it.renderer import RendererProtocol
    from markdown_it.token import Token

MOST_CHARS = 16_000
"""Within it the worst text takes a fraction of a second; a longer one is shown as it is written."""
SHOWN_CHARS = 262_144
KEPT_TEXTS = 256
SCHEMES = {"http", "https", "mailto"}
TAGS = {
    *("p", "br", "hr", "strong", "em", "s", "code", "pre", "blockquote", "ul", "ol", "li", "a"),
    *("h1", "h2", "h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td"),
}
CLEANER = nh3.Cleaner(
    tags=TAGS,
    attributes={"a": {"href", "title"}, "ol": {"start"}},
    attribute_filter=lambda _tag, _name, value: value or None,  # `[words]()` is no link to the page
    url_schemes=SCHEMES,
    link_rel="noopener noreferrer nofollow",
    clean_content_tags=set(),
)


def is_good_link(url: str) -> bool:
    """Say whether a link leads where a person would expect: not into this page, nor a script."""
    scheme, colon, rest = url.partition(":")
    return bool(colon and rest) and scheme.lower() in SCHEMES


def show_image(
    renderer: RendererProtocol, tokens: Sequence[Token], at: int, options: Any, env: Any
) -> str:
    """Write a picture as a link to it."""
    del renderer, options, env
    source, words = tokens[at].attrGet("src") or "", tokens[at].content
    return f'<a href="{escape(source)}">{escape(words or source)}</a>'


def make_reader() -> MarkdownIt:
    """Make what reads Markdown."""
    reader = MarkdownIt("commonmark", {"html": False, "breaks": True})
    reader.enable(["table", "strikethrough"])
    reader.validateLink = is_good_link  # type: ignore[method-assign]
    reader.add_render_rule("image", show_image)
    return reader


READER = make_reader()


def to_html(text: str) -> Markup:
    """Give an agent's text as HTML that can do nothing; `text` is shown whole up to a bound."""
    if len(text) <= MOST_CHARS:
        return read(text)
    cut = Markup('<p class="soft">The rest is not shown here.</p>') if text[SHOWN_CHARS:] else ""
    return as_written(harmless(text[:SHOWN_CHARS])) + cut


@lru_cache(KEPT_TEXTS)
def read(text: str) -> Markup:
    """Read a text that is not too long; pages are read again often, so that some are kept."""
    shown = harmless(text)
    try:
        html = READER.render(shown)
    except (RecursionError, ValueError, IndexError):
        return as_written(shown)
    # Once more: a text can have such characters as entities.
    return Markup(harmless(CLEANER.clean(html)))  # noqa: S704 - this is what makes it safe


def as_written(shown: str) -> Markup:
    """Show a harmless text with its lines."""
    return Markup('<pre class="plain">{}</pre>').format(shown)
