"""Every text of the interface in both languages, a file a page or panel; `Say` reads them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from scalp_core.data.dataset import PARTS
from scalp_core.errors import Text
from scalp_core.terms import singular
from ui.words import ablation, access, common, compare, dataset, decision, diagnose, home, imports, retrain, runs

_MARKDOWN = re.compile(r"[\\`*_{}\[\]()#+!|$~:<>]")


def _joined(*dictionaries: Mapping[str, Text]) -> dict[str, Text]:
    words: dict[str, Text] = {}
    for dictionary in dictionaries:
        if repeated := words.keys() & dictionary.keys():
            raise ValueError(f"keys in two files of ui/words: {', '.join(sorted(repeated))}")
        words |= dictionary
    return words


WORDS = _joined(
    common.WORDS,
    access.WORDS,
    home.WORDS,
    dataset.WORDS,
    imports.WORDS,
    compare.WORDS,
    decision.WORDS,
    diagnose.WORDS,
    runs.WORDS,
    ablation.WORDS,
    retrain.WORDS,
)


@dataclass(frozen=True)
class Say:
    """The texts of the interface in the reader's language."""

    language: str

    def __call__(self, key: str, **values: object) -> str:
        """Return the text of `key` with its placeholders filled."""
        text = WORDS[key](self.language).format(**values)
        return singular(text) if self.language == "en" else text

    def of(self, text: Text) -> str:
        """Return a text of the core."""
        return text(self.language)

    def plain(self, text: Text) -> str:
        """Return a text that may repeat user input: nothing in it becomes a link, a picture or other Markdown."""
        return _MARKDOWN.sub(r"\\\g<0>", text(self.language))

    def part(self, part: str) -> str:
        """Return the name of a split; an unknown one keeps its name."""
        return self(f"part_{part}") if part in PARTS else part
