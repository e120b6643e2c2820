"""The one error that people see, and text in the two languages we speak. Knows nothing else."""

from typing import Literal, NamedTuple

Language = Literal["ko", "en"]


class Text(NamedTuple):
    """One sentence or name in both languages."""

    en: str
    ko: str

    def __call__(self, language: str) -> str:
        return self.ko if language == "ko" else self.en


class ScalpError(Exception):
    """What went wrong, where, and what to do about it: shown to the user as it is, in the user's language."""

    def __init__(self, code: str, en: str, ko: str) -> None:
        super().__init__(en)
        self.code = code
        self.text = Text(en, ko)

    def __reduce__(self) -> tuple[type["ScalpError"], tuple[str, str, str]]:
        # The default would replay __init__ with the one message and fail when a worker process hands the error on.
        return type(self), (self.code, self.text.en, self.text.ko)
