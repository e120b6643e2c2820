"""Every text of the interface in both languages, a file a page or panel; `Say` reads them."""

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Number

from scalp_core.data.dataset import PARTS
from scalp_core.errors import Text
from scalp_core.terms import singular
from ui.markdown import Markdown, literal
from ui.words import ablation, access, common, compare, dataset, decision, diagnose, home, imports, retrain, runs


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
    """The texts of the interface in the reader's language.

    Called, it returns Markdown. Tables, charts, lists to choose from, our own components and files show none: they take
    `text` and `of`.
    """

    language: str

    def __call__(self, key: str, **values: object) -> Markdown:
        """Return the Markdown of `key`; what fills its placeholders is shown letter by letter."""
        return Markdown(
            self.text(
                key, **{name: value if isinstance(value, Number) else literal(value) for name, value in values.items()}
            )
        )

    def text(self, key: str, **values: object) -> str:
        """Return the text of `key` with its placeholders filled, for what shows no Markdown."""
        text = WORDS[key](self.language).format(**values)
        return singular(text) if self.language == "en" else text

    def plain(self, text: Text) -> Markdown:
        """Return Markdown that shows a text of the core, which may repeat user input, letter by letter."""
        return literal(self.of(text))

    def of(self, text: Text) -> str:
        """Return a text of the core, for what shows no Markdown."""
        return text(self.language)

    def part(self, part: str) -> str:
        """Return the name of a split; an unknown one keeps its name."""
        return self(f"part_{part}") if part in PARTS else part
