"""The words of a text are the same on both engines: a move changes nothing of what is found."""

# ruff: noqa: RUF001 - letters that look alike are what it is about

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from bus.store.words import words_of

TEXTS = [
    "Plain words, and_some-more; 3.14 ab12 O'Brien",
    "Äpfel ÉTÉ naïve Ångström ñandú ø đ ł ŷ",
    "e\u0301te\u0301 A\u0308pfel a\u0327b Z\u030cluty\u0301",  # as macOS writes them
    "straße STRASSE Gro\u1e9e ﬁnd Ⅷ ½ x² H₂O ﺷﻦ １２３ ＡＢＣ",
    "İstanbul ISTANBUL ıstanbul ŉ Ǆ ǆ ǅ",
    "Ωμέγα ΟΔΟΣ οδός ὁδός \u2126 \u212a \u212b",
    "Ёлка елка Йод иод Київ",
    "かぎ かき ガス カス ｶﾞｽ 日本語テスト 中文字",
    "한국어 हिन्दी ไทย தமிழ் العَرَبِيَّة שָׁלוֹם آدم",
    "truck🚚truck a\u200bb a\u00adb a\u00a0b \U0001d518nicode 𐐀",
]


@pytest.mark.parametrize("text", TEXTS)
def test_what_one_engine_finds_the_other_does(text):
    with closing(sqlite3.connect(":memory:")) as conn:
        conn.execute(
            "CREATE VIRTUAL TABLE said USING fts5(x, tokenize='unicode61 remove_diacritics 2')"
        )
        conn.execute("CREATE VIRTUAL TABLE words USING fts5vocab(said, 'instance')")
        conn.execute("INSERT INTO said VALUES (?)", (text,))
        found = [term for (term,) in conn.execute("SELECT term FROM words ORDER BY offset")]
    assert words_of(text) == found
