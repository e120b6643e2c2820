"""The fonts that printed figures can use here. Apart from print_figures, whose import takes a second."""

from functools import lru_cache

from scalp_core.errors import Text

# Fonts with Hangul of Linux, Windows and macOS.
_KOREAN = (
    *("Noto Sans CJK KR", "Noto Sans KR", "Noto Sans CJK JP", "Source Han Sans KR", "Pretendard"),
    *("NanumGothic", "NanumBarunGothic", "Malgun Gothic", "Apple SD Gothic Neo", "AppleGothic"),
)

NO_KOREAN_FONT = Text(
    "No font with Korean letters is installed where this program runs, so figures for print are labelled in English.",
    "이 프로그램이 실행되는 컴퓨터에 한글 글꼴이 없어 인쇄용 그림에는 영어로 표기해요.",
)


@lru_cache(maxsize=1)
def korean_font() -> str | None:
    """Return an installed font that has Hangul; None where there is none."""
    from matplotlib import font_manager  # reads the list of installed fonts

    installed = {font.name for font in font_manager.fontManager.ttflist}
    return next((name for name in _KOREAN if name in installed), None)


def language_of_figures(language: str) -> str:
    """Return the language of figures: English where Korean letters would be boxes; see NO_KOREAN_FONT."""
    return language if language != "ko" or korean_font() else "en"
