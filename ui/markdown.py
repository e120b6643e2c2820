"""Markdown and plain text: nearly every element of Streamlit shows Markdown, and what comes from outside is none."""

import re
from collections.abc import Iterable

import pandas as pd

# Where Streamlit, once escapes are resolved, still looks for addresses (https://, www., @), icons, emoji and arrows.
_SEAM = re.compile(r"(?<=:)(?=[\w+/-])|(?<=@)|(?<=www)(?=\.)|(?<=[<>~-])(?=[>=-])", re.IGNORECASE)
_NOTHING = ":color[]"  # an empty element, across which it does not look
# Within a word “_” means nothing, and screen readers read escapes aloud.
_SIGN = re.compile(r"[\\`*{}\[\]()#+!|$~:<>&]|(?<![^\W_])_|_(?![^\W_])")
_LIST_OR_LINE = re.compile(r"^(\d*)([-=.])(?=[-= ]|$)")


class Markdown(str):
    """Markdown of our own: whatever it repeats from outside is escaped in it."""

    __slots__ = ()


def literal(text: object) -> Markdown:
    """Return Markdown that shows a text letter by letter, with white space as browsers show it.

    Markdown stays as it is.
    """
    if isinstance(text, Markdown):
        return text
    pieces = _SEAM.split(" ".join(str(text).split()))
    return Markdown(_LIST_OR_LINE.sub(r"\1\\\2", _NOTHING.join(_SIGN.sub(r"\\\g<0>", piece) for piece in pieces)))


def bullets(sentences: Iterable[Markdown]) -> Markdown:
    """Return Markdown with a line for each sentence."""
    return Markdown("\n".join(f"* {sentence}" for sentence in sentences))


def as_sentence(words: Markdown) -> Markdown:
    """Return Markdown of ours that begins with a capital."""
    return Markdown(words[:1].upper() + words[1:])


def code(name: str) -> Markdown:
    """Return Markdown that shows the name of a file, folder or network as code."""
    words = " ".join(name.split())
    fence = "`" * (1 + max(map(len, re.findall("`+", words)), default=0))
    return Markdown(f"{fence}{words}{fence}" if len(fence) == 1 else f"{fence} {words} {fence}")


def literal_cells(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table for `st.table`, which shows Markdown in cells and headings."""
    return table.map(literal).rename(index=literal, columns=literal)
