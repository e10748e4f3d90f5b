"""The index of the words of what was said: SQLite's own, or a table of PostgreSQL's lexemes.

Both take letters and digits for words, in any writing, and see no difference between large and
small ones, or between Latin ones with marks and those without. Each index is kept by whoever
writes the texts.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import TSQUERY, TSVECTOR

from bus.store.schema import ENTRIES_FTS, WHOLE, entries
from bus.store.statement import POSTGRESQL, Statement, bind, insert

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Term = tuple[str, str]
    """Words that stand together, and a star where the end of the last one is open."""
    Wanted = tuple[Sequence[Term], Sequence[Term]]
    """What is looked for: all of some terms, and none of others."""

MARKS = "\u0300-\u036f"
"""What stands behind its letter where a text is written in parts; such a mark begins no word."""
WORD = re.compile(rf"[^\W_](?:[^\W_]|[{MARKS}])*")
SHOWN = 24
"""Words of a text around what was found."""
BEFORE = 6
LONGEST, FARTHEST, OFTEN = 500, 16_383, 255
"""What PostgreSQL keeps of a text: the letters of a word, the place of the last, the places of one.

https://www.postgresql.org/docs/current/textsearch-limitations.html
"""
CUT = "\u2026"
virtual = sa.Table(
    ENTRIES_FTS,
    sa.MetaData(),
    *(sa.Column(name) for name in (ENTRIES_FTS, "rowid", "session_number", "body")),
)
INDEX = insert(virtual, "rowid", "session_number", "body")
UNINDEX = insert(virtual, ENTRIES_FTS, "rowid", "session_number", "body")
"""How an index with its texts elsewhere is told what goes: by the text as it was."""
FOUND = Statement(
    sa.select(
        virtual.c.rowid,
        sa.func.snippet(
            sa.column(ENTRIES_FTS), 1, "", "", CUT, sa.literal_column(str(SHOWN))
        ).label("snippet"),
    )
    .where(sa.column(ENTRIES_FTS).match(bind("query")), virtual.c.rowid < bind("below"))
    .order_by(virtual.c.rowid.desc())
    .limit(bind("most"))
    .select_from(virtual)
)
postgresql_only = sa.MetaData()
"""The tables that PostgreSQL has besides those of the schema."""
lexemes = sa.Table(
    ENTRIES_FTS,
    postgresql_only,
    sa.Column("number", WHOLE, primary_key=True, autoincrement=False),
    sa.Column("session_number", WHOLE, nullable=False),
    sa.Column("words", TSVECTOR, nullable=False),
    sa.Index("ix_entries_fts_words", "words", postgresql_using="gin"),
)
INDEX_LEXEMES = insert(lexemes, "number", "session_number", "words")


class Found(NamedTuple):
    """An entry that was found, by its number, with what stands around the words."""

    number: int
    snippet: str


class Said(NamedTuple):
    """An entry as it is in the index."""

    number: int
    session_number: int
    body: str


def index(conn: sa.Connection, said: Said) -> None:
    """Add an entry."""
    if conn.dialect.name == POSTGRESQL:
        words = lexemes_of(said.body)
        INDEX_LEXEMES.run(conn, {**said._asdict(), "words": words})
    else:
        INDEX.run(conn, in_virtual(said))


def unindex(conn: sa.Connection, several: Iterable[Said]) -> None:
    """Take entries out, as they were added."""
    if conn.dialect.name == POSTGRESQL:
        gone = [said.number for said in several]
        conn.execute(lexemes.delete().where(lexemes.c.number.in_(gone)))
    else:
        UNINDEX.run_each(conn, [{ENTRIES_FTS: "delete", **in_virtual(said)} for said in several])


def in_virtual(said: Said) -> dict[str, Any]:
    return {"rowid": said.number, "session_number": said.session_number, "body": said.body}


def search(
    conn: sa.Connection, sessions: Sequence[int], wanted: Wanted, below: int, most: int
) -> list[Found]:
    """Find entries of some sessions, the newest first, with a number below one."""
    if conn.dialect.name != POSTGRESQL:
        query = write_match(sessions, wanted)
        rows = FOUND.rows(conn, query=query, below=below, most=most)
        return [Found(row.rowid, row.snippet) for row in rows]
    asked = (
        sa.select(lexemes.c.number, entries.c.body)
        .join(entries, entries.c.number == lexemes.c.number)
        .where(
            lexemes.c.words.op("@@")(sa.cast(write_tsquery(wanted), TSQUERY)),
            lexemes.c.session_number.in_(sessions),
            lexemes.c.number < below,
        )
        .order_by(lexemes.c.number.desc())
        .limit(most)
    )
    first = {words_of(text)[0] for text, _ in wanted[0]}
    return [Found(number, snippet_of(body, first)) for number, body in conn.execute(asked)]


def write_match(sessions: Iterable[int], wanted: Wanted) -> str:
    """Write a query of SQLite's index, for the sessions of these numbers alone."""
    these = " OR ".join(f'"{number}"' for number in sessions)
    terms, without = ([f'"{text}"{star}' for text, star in several] for several in wanted)
    words = " AND ".join(terms)
    if without:
        words = f"({words}) NOT ({' OR '.join(without)})"
    return f"session_number : ({these}) AND body : ({words})"


def write_tsquery(wanted: Wanted) -> str:
    """Write a query of PostgreSQL's; its words have letters and digits alone, no operators."""
    terms, without = ([write_phrase(*term) for term in several] for several in wanted)
    return " & ".join(terms + [f"!{phrase}" for phrase in without])


def write_phrase(text: str, star: str) -> str:
    together = " <-> ".join(f"'{word}'" for word in words_of(text))
    return f"({together}{':*' if star else ''})"


def lexemes_of(text: str) -> str:
    """Give the words of a text with their places, as PostgreSQL reads them."""
    places: defaultdict[str, list[str]] = defaultdict(list)
    for place, word in enumerate(words_of(text), 1):
        if len(places[word]) < OFTEN:
            places[word].append(str(min(place, FARTHEST)))
    return " ".join(f"'{word}':{','.join(at)}" for word, at in places.items())


def words_of(text: str) -> list[str]:
    """Give the words of a text, folded."""
    return [fold(found[0])[:LONGEST] for found in WORD.finditer(text)]


def fold(word: str) -> str:
    """Leave out what makes no difference, and no more than SQLite does.

    That is the size of letters, and marks on those of the Latin alphabet: in other writings a mark
    makes another letter.
    """
    if word.isascii():
        return word.lower()
    bare = re.sub(f"(?<=[A-Za-z])[{MARKS}]+", "", unicodedata.normalize("NFD", word))
    return "".join(map(small, unicodedata.normalize("NFC", bare)))


def small(char: str) -> str:
    """Give the small form of a letter where that is one letter: that of a sharp s is itself."""
    folded = char.casefold()
    return folded if len(folded) == 1 else char.lower()


def snippet_of(text: str, first: Iterable[str]) -> str:
    """Give what stands around the first of some words."""
    begins = tuple(first)
    spans = [(found.span(), fold(found[0])) for found in WORD.finditer(text)]
    hits = (at for at, (_, word) in enumerate(spans) if word.startswith(begins))
    from_ = max(0, min(next(hits, 0) - BEFORE, len(spans) - SHOWN))
    shown = spans[from_ : from_ + SHOWN]
    if not shown:
        return text
    begin = shown[0][0][0] if from_ else 0
    is_end = from_ + SHOWN >= len(spans)
    end = len(text) if is_end else shown[-1][0][1]
    return f"{CUT if from_ else ''}{text[begin:end]}{'' if is_end else CUT}"
