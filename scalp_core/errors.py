"""The one error that users see, and text in both languages."""

from typing import Literal, NamedTuple

Language = Literal["ko", "en"]


class Text(NamedTuple):
    """One sentence or name in both languages."""

    en: str
    ko: str

    def __call__(self, language: str) -> str:
        return self.ko if language == "ko" else self.en


class ScalpError(Exception):
    """An error with its place and its remedy: shown to the user as it is, in the user's language."""

    def __init__(self, code: str, en: str, ko: str) -> None:
        super().__init__(en)
        self.code = code
        self.text = Text(en, ko)

    def __reduce__(self) -> tuple[type["ScalpError"], tuple[str, str, str]]:
        # The default would replay __init__ with the one message and fail when a worker process hands the error on.
        return type(self), (self.code, self.text.en, self.text.ko)


def forbidden(code: str, en: str, ko: str) -> ScalpError:
    """Return the error of what this user may not read: it may be whole, so nothing is called damaged."""
    return ScalpError(
        code,
        f"{en} cannot be read: permission denied. Fix the permissions of file and folder.",
        f"{ko}을(를) 읽을 권한이 없어요. 파일과 폴더의 권한을 고치세요.",
    )
