"""Whatever another wrote, a parser takes it or refuses it with its own word."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from parsers import PARSERS, SEEDS

WORDS = st.sampled_from(
    [b"\r", b"\n", b"\r\n", b":", b" ", b"data: ", b"id: ", b"event: ", b"retry: ", b"\0", b"\x1b[",
     b"<<<wakebus ", b" end>>>", b"{", b"}", b'"', b"[", b"]", b",", b"\\u0000", b"m_", b".1",
     b"\xe2\x80\xa8", b"\xe2\x80\xae", b"\xc2\x85", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\x81\x7f"]
)  # fmt: skip
ANYTHING = st.lists(st.one_of(WORDS, st.binary(max_size=12)), max_size=25).map(b"".join)
TEXTS = st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("name", PARSERS)
def test_nothing_but_its_own_word_leaves_a_parser(name):
    @settings(max_examples=150, suppress_health_check=list(HealthCheck))
    @given(st.one_of(ANYTHING, TEXTS))
    @example(b"")
    def hold(data):
        PARSERS[name](data)

    for seed in SEEDS.get(name, []):
        PARSERS[name](seed)
    hold()
