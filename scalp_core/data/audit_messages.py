"""Texts of the findings of an audit, in both languages."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

import pandas as pd

from scalp_core import terms
from scalp_core.errors import Text


class FindingSeverity(StrEnum):
    """Levels of a finding, the least first."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"

    @property
    def text(self) -> Text:
        return _SEVERITY_TEXT[self]

    @property
    def rank(self) -> int:
        """0 for what is in order … 3 for an error."""
        return list(FindingSeverity).index(self)


_SEVERITY_TEXT = {
    FindingSeverity.OK: Text("in order", "이상 없음"),
    FindingSeverity.NOTE: Text("note", "참고"),
    FindingSeverity.WARNING: Text("warning", "주의"),
    FindingSeverity.ERROR: Text("error", "오류"),
}


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        key: names the check, the same in every audit.
        text: one or two sentences with the figures.
        images: ids that show it, the clearest first; not necessarily all.
        count: of everything that shows it: images, or captures, grades, conditions and devices where the text says so.
        whole: of what the count is a part; 0 where it is a part of nothing.
        figures: a small table behind the sentence.
    """

    key: str
    severity: FindingSeverity
    text: Text
    images: tuple[str, ...] = ()
    count: int = 0
    figures: pd.DataFrame | None = field(default=None, compare=False)
    whole: int = 0

    @property
    def share(self) -> float | None:
        """The count as a part of the whole, 0 to 1; None where it is a part of nothing."""
        return self.count / self.whole if self.whole else None

    @property
    def title(self) -> Text:
        return _WORDS[self.key].title


def finding(
    key: str,
    severity: FindingSeverity,
    *,
    images: tuple[str, ...] = (),
    count: int = 0,
    whole: int = 0,
    figures: pd.DataFrame | None = None,
    **values: Text | int | float | str,
) -> Finding:
    """Return a finding in the words of its key, with `count` and `values` filled in."""
    words = _WORDS[key].fine if severity is FindingSeverity.OK else _WORDS[key].problem
    return Finding(key, severity, _filled(words, values | {"count": count}), images, count, figures, whole)


def unknown(key: str) -> Finding:
    """Return the note that a check needs values that no image has."""
    return Finding(key, FindingSeverity.NOTE, _UNKNOWN)


def as_json(finding: Finding) -> dict[str, object]:
    """Return a finding as JSON; figures that are not numbers become null."""
    figures = finding.figures if finding.figures is not None else pd.DataFrame()
    return {
        "key": finding.key,
        "severity": finding.severity.value,
        "title": finding.title._asdict(),
        "text": finding.text._asdict(),
        "count": finding.count,
        "images": list(finding.images),
        "figures": figures.astype(object).where(figures.notna(), None).to_dict("records"),
    }


def percent(count: float, total: float) -> Text:
    """Return a share as text; a positive one is never called 0.0 %."""
    share = 100 * count / total if total else 0.0
    if 0 < share < 0.1:
        return Text("under 0.1%", "0.1% 미만")
    return Text(f"{share:.1f}%", f"{share:.1f}%")


def listed(names: Sequence[Text], limit: int = 6) -> Text:
    """Return the names with commas, and how many more there are."""
    more = len(names) - limit
    en, ko = (", ".join(name(language) for name in names[:limit]) for language in ("en", "ko"))
    return Text(f"{en} and {more:,} more", f"{ko} 외 {more:,}개") if more > 0 else Text(en, ko)


def _filled(words: Text, values: dict[str, Text | int | float | str]) -> Text:
    def spoken(language: str) -> dict[str, object]:
        return {key: value(language) if isinstance(value, Text) else value for key, value in values.items()}

    return Text(words.en.format(**spoken("en")), words.ko.format(**spoken("ko")))


class _Words(NamedTuple):
    """The texts of one check: its name, that of a passed check, and that of a problem."""

    title: Text
    fine: Text
    problem: Text


_UNKNOWN = Text("Not checked: unknown for every picture.", "확인하지 못했어요. 이 정보가 있는 사진이 없어요.")

_WORDS = {
    "overlap_content": _Words(
        Text("Same file in two splits", "여러 분할에 있는 같은 파일"),
        Text("No file is in two splits.", "둘 이상의 분할에 걸친 파일이 없어요."),
        Text(
            "Also in an earlier split: {shares}. Results on these pictures are too good.",
            "같은 파일이 앞선 분할에도 있어요: {shares}. 이런 사진의 결과는 실제보다 좋게 나와요.",
        ),
    ),
    "overlap_look_alikes": _Words(
        Text("Near-duplicates in two splits", "여러 분할에 있는 거의 같은 사진"),
        Text("No near-duplicates in two splits.", "둘 이상의 분할에 걸친 거의 같은 사진이 없어요."),
        Text(
            "With a near-duplicate in an earlier split: {shares}. Results on these pictures are too good.",
            "거의 같은 사진이 앞선 분할에도 있어요: {shares}. 이런 사진의 결과는 실제보다 좋게 나와요.",
        ),
    ),
    "overlap_capture": _Words(
        Text("Captures in two splits", "여러 분할에 있는 촬영"),
        Text("No capture is in two splits.", "둘 이상의 분할에 걸친 촬영이 없어요."),
        Text(
            "Same capture in an earlier split: {shares}. Results on these pictures are too good.",
            "같은 촬영이 앞선 분할에도 있어요: {shares}. 이런 사진의 결과는 실제보다 좋게 나와요.",
        ),
    ),
    "overlap_site": _Words(
        Text("Sites in two splits", "여러 분할에 있는 기관"),
        Text("No site is in two splits.", "둘 이상의 분할에 걸친 기관이 없어요."),
        Text(
            "Same site in an earlier split: {shares}. Results say little about a new site.",
            "같은 기관이 앞선 분할에도 있어요: {shares}. 새로운 기관에서의 성능은 알기 어려워요.",
        ),
    ),
    "learned_test": _Words(
        Text("Published test pictures", "배포처의 테스트 사진"),
        Text("All pictures marked test are in the test split.", "테스트로 표시된 사진은 모두 테스트 분할에 있어요."),
        Text(
            "{count:,} of {total:,} pictures that the publisher marked test are learned from, or choose the epoch or "
            "the operating point. Results on them are too good: split again without --learn-from-test.",
            "배포처가 테스트로 표시한 사진 {total:,}장 중 {count:,}장이 학습이나 에폭·운영점 선택에 쓰여요. 이런 "
            "사진의 결과는 실제보다 좋게 나와요. --learn-from-test 없이 다시 나누세요.",
        ),
    ),
    "official_overlap": _Words(
        Text("Published split", "배포처의 원래 분할"),
        Text(
            "Published training and {part} pictures do not overlap.",
            "배포처의 {part} 사진은 학습 사진과 겹치지 않아요.",
        ),
        Text(
            "The {total:,} published {part} pictures overlap training: {shares}. Results on that split, published "
            "ones too, are too good.",
            "배포처의 {part} 사진 {total:,}장이 학습 사진과 겹쳐요: {shares}. 이 분할의 결과는 공개된 수치를 포함해 "
            "실제보다 좋게 나와요.",
        ),
    ),
    "normal_images": _Words(
        Text("Meaning of grade 0", "등급 0의 의미"),
        Text(
            "Grade 0 means that one condition is absent; other conditions do occur there.",
            "등급 0은 해당 증상만 없다는 뜻이에요. 등급 0 사진에 다른 증상은 있어요.",
        ),
        Text(
            "Grade 0 pictures are almost all normal in every condition: {conditions}. A model never sees another "
            "condition without this one and will confuse them.",
            "등급 0 사진이 거의 모두 다른 증상까지 ‘양호’예요: {conditions}. 모델은 다른 증상만 있는 사진을 보지 못해 "
            "이 증상과 혼동하게 돼요.",
        ),
    ),
    "folder_labels": _Words(
        Text("Labels from folder names", "폴더 이름에서 읽은 라벨"),
        Text("Labels come from label files.", "라벨 파일에서 읽은 라벨이에요."),
        Text(
            "Labels come from folder names: grade 0 often means normal in every condition, and other conditions of a "
            "picture are unknown. Add the label files if available.",
            "폴더 이름에서 읽은 라벨이에요. 등급 0이 흔히 ‘모든 증상이 양호’를 뜻하고 다른 증상은 알 수 없어요. "
            "라벨 파일이 있으면 추가하세요.",
        ),
    ),
    "empty_parts": _Words(
        Text("Empty splits", "사진이 없는 분할"),
        Text("All four splits have pictures.", "네 분할 모두 사진이 있어요."),
        Text(
            "Empty: {parts}. Training needs all four splits: split again or add pictures.",
            "사진이 없는 분할: {parts}. 학습에는 네 분할이 모두 필요해요. 다시 나누거나 사진을 추가하세요.",
        ),
    ),
    "absent_grades": _Words(
        Text("Grades missing from a split", "분할에 없는 등급"),
        Text("Every grade that occurs is in every split.", "존재하는 모든 등급이 모든 분할에 있어요."),
        Text(
            "No pictures of: {grades}. They cannot be trained or evaluated there.",
            "사진이 없는 등급: {grades}. 그 분할에서는 학습하거나 평가할 수 없어요.",
        ),
    ),
    "rare_grades": _Words(
        Text("Rare grades or grades of one site", "드물거나 한 기관에만 있는 등급"),
        Text(
            "Every grade has at least {fewest} pictures from more than one site in its splits.",
            "모든 등급이 분할마다 {fewest}장 이상이고 여러 기관에 있어요.",
        ),
        Text(
            "Fewer than {fewest} pictures, or one site only: {grades}. Their metrics are mostly chance.",
            "{fewest}장 미만이거나 한 기관에만 있는 등급: {grades}. 이 등급의 수치는 우연에 크게 좌우돼요.",
        ),
    ),
    "unlabelled": _Words(
        Text("Missing labels", "빠진 라벨"),
        Text("Every picture has labels for all six conditions.", "모든 사진에 여섯 증상의 라벨이 있어요."),
        Text(
            "{count:,} of {total:,} pictures lack a label: {conditions}. They are excluded for that condition.",
            "사진 {total:,}장 중 {count:,}장에 빠진 라벨이 있어요: {conditions}. 해당 증상의 학습과 평가에서 제외돼요.",
        ),
    ),
    "constant_conditions": _Words(
        Text("Conditions with one grade", "등급이 하나뿐인 증상"),
        Text("Every labelled condition has several grades.", "라벨이 있는 모든 증상에 여러 등급이 있어요."),
        Text(
            "All pictures have the same grade: {conditions}. There is nothing to learn.",
            "모든 사진의 등급이 같은 증상: {conditions}. 학습할 것이 없어요.",
        ),
    ),
    "unused_grades": _Words(
        Text("Grades without pictures", "사진이 없는 등급"),
        Text("Every grade of every condition occurs.", "사진이 하나도 없는 등급은 없어요."),
        Text(
            "Without pictures: {grades}. A model will not predict these grades.",
            "사진이 하나도 없는 등급: {grades}. 모델은 이 등급을 예측하지 않아요.",
        ),
    ),
    "capture_disagreement": _Words(
        Text("Different grades within a capture", "한 촬영 안의 등급 차이"),
        Text(
            "No grades differ by {apart} or more within {compared:,} captures.",
            "촬영 {compared:,}건 모두 등급 차이가 {apart} 미만이에요.",
        ),
        Text(
            "Grades of a condition differ by {apart} or more in {count:,} of {compared:,} captures, most often "
            "{condition} ({share}). Regions of a head may truly differ.",
            "촬영 {compared:,}건 중 {count:,}건에서 한 증상의 등급이 {apart} 이상 차이 나요. 가장 잦은 증상: "
            "{condition} ({share}). 부위에 따라 실제로 다를 수 있어요.",
        ),
    ),
    "region_disagreement": _Words(
        Text("Different grades of one region", "같은 부위의 등급 차이"),
        Text(
            "No grades differ by {apart} or more in {compared:,} regions pictured several times in a capture.",
            "한 촬영에서 여러 번 찍은 부위 {compared:,}곳 모두 등급 차이가 {apart} 미만이에요.",
        ),
        Text(
            "Grades of a condition differ by {apart} or more in {count:,} of {compared:,} regions pictured several "
            "times in a capture, most often {condition} ({share}). A label may be wrong.",
            "한 촬영에서 여러 번 찍은 부위 {compared:,}곳 중 {count:,}곳에서 한 증상의 등급이 {apart} 이상 차이 "
            "나요. 가장 잦은 증상: {condition} ({share}). 라벨이 잘못되었을 수 있어요.",
        ),
    ),
    "quality": _Words(
        Text("Picture quality", "사진 품질"),
        Text("Pictures are measured.", "사진을 측정했어요."),
        Text("Pictures are not measured.", "사진을 측정하지 않았어요."),
    ),
    "unreadable": _Words(
        Text("Unreadable pictures", "읽을 수 없는 사진"),
        Text("All pictures are readable.", "모든 사진을 읽을 수 있어요."),
        Text(
            "{count:,} of {total:,} pictures are missing, damaged or truncated. Training would stop there.",
            "사진 {total:,}장 중 {count:,}장이 없거나 손상되었거나 중간에 끊겼어요. 학습이 여기서 멈추게 돼요.",
        ),
    ),
    "blurred": _Words(
        Text("Blurred pictures", "흐린 사진"),
        Text(
            "No blurred pictures (sharpness under {limit:.0f}; median {median:.0f}).",
            "흐린 사진이 없어요 (선명도 {limit:.0f} 미만, 중앙값 {median:.0f}).",
        ),
        Text(
            "{count:,} of {total:,} pictures ({share}) are blurred (sharpness under {limit:.0f}; median {median:.0f}).",
            "사진 {total:,}장 중 {count:,}장({share})이 흐려요 (선명도 {limit:.0f} 미만, 중앙값 {median:.0f}).",
        ),
    ),
    "dark": _Words(
        Text("Dark pictures", "어두운 사진"),
        Text(
            "No dark pictures (lightness under {limit:.0f}; median {median:.0f}).",
            "어두운 사진이 없어요 (명도 {limit:.0f} 미만, 중앙값 {median:.0f}).",
        ),
        Text(
            "{count:,} of {total:,} pictures ({share}) are dark (lightness under {limit:.0f}; median {median:.0f}).",
            "사진 {total:,}장 중 {count:,}장({share})이 어두워요 (명도 {limit:.0f} 미만, 중앙값 {median:.0f}).",
        ),
    ),
    "bright": _Words(
        Text("Bright pictures", "지나치게 밝은 사진"),
        Text(
            "No pictures are too bright (lightness over {limit:.0f}; median {median:.0f}).",
            "지나치게 밝은 사진이 없어요 (명도 {limit:.0f} 초과, 중앙값 {median:.0f}).",
        ),
        Text(
            "{count:,} of {total:,} pictures ({share}) are too bright (lightness over {limit:.0f}; median "
            "{median:.0f}).",
            "사진 {total:,}장 중 {count:,}장({share})이 지나치게 밝아요 (명도 {limit:.0f} 초과, 중앙값 {median:.0f}).",
        ),
    ),
    "clipped": _Words(
        Text("Clipped pictures", "명암이 손실된 사진"),
        Text(
            "No pictures are clipped (black or white on more than {limit:.1%} of the area).",
            "명암이 손실된 사진이 없어요 (면적의 {limit:.1%} 초과).",
        ),
        Text(
            "{count:,} of {total:,} pictures ({share}) are clipped: black or white on more than {limit:.1%} of the "
            "area.",
            "사진 {total:,}장 중 {count:,}장({share})의 명암이 손실됐어요 (면적의 {limit:.1%} 초과).",
        ),
    ),
    "odd_size": _Words(
        Text("Unusual picture sizes", "크기가 다른 사진"),
        Text("All pictures have {width} × {height} pixels.", "모든 사진의 크기가 {width} × {height} 픽셀이에요."),
        Text(
            "{count:,} of {total:,} pictures ({share}) differ from the usual {width} × {height} pixels.",
            "사진 {total:,}장 중 {count:,}장({share})의 크기가 가장 흔한 {width} × {height} 픽셀과 달라요.",
        ),
    ),
    "device_cast": _Words(
        Text("Colour cast by device", "기기별 색조"),
        Text(
            "No device is off by more than {off:.0f} units of CIE a*, b* (devices with {fewest} pictures or more).",
            "전체와 CIE a*, b* 단위로 {off:.0f} 넘게 색이 다른 기기가 없어요 (사진 {fewest}장 이상인 기기 기준).",
        ),
        Text(
            "{differing:,} of {total:,} devices are off by more than {off:.0f} units of CIE a*, b*: {devices}. Some "
            "redness or yellowness there is the device's.",
            "기기 {total:,}대 중 {differing:,}대의 색이 전체와 CIE a*, b* 단위로 {off:.0f} 넘게 달라요: {devices}. "
            "붉은 기나 노란 기의 일부는 기기 때문이에요.",
        ),
    ),
    "device_association": _Words(
        Text("Grades by device", "기기별 등급"),
        Text(
            "Devices are hardly associated with grades (Cramér's V at most {limit}).",
            "기기와 등급의 연관이 약해요 (크라메르 V {limit} 이하).",
        ),
        Text(
            "Devices are associated with grades (Cramér's V): {conditions}. A model may learn the device instead of "
            "the scalp.",
            "기기와 등급이 연관되어 있어요 (크라메르 V): {conditions}. 모델이 두피 대신 기기를 학습할 수 있어요.",
        ),
    ),
    "site_association": _Words(
        Text("Grades by site", "기관별 등급"),
        Text(
            "Sites are hardly associated with grades (Cramér's V at most {limit}).",
            "기관과 등급의 연관이 약해요 (크라메르 V {limit} 이하).",
        ),
        Text(
            "Sites are associated with grades (Cramér's V): {conditions}. A model may learn the site instead of the "
            "scalp.",
            "기관과 등급이 연관되어 있어요 (크라메르 V): {conditions}. 모델이 두피 대신 기관을 학습할 수 있어요.",
        ),
    ),
}


# Columns of the tables behind findings.
FIGURE_TEXT = {
    "another_present": Text("with another condition", "다른 증상 있음"),
    "by": Text("overlap", "겹치는 것"),
    "cast_red": Text("red cast (a*)", "붉은 기 (a*)"),
    "cast_yellow": Text("yellow cast (b*)", "노란 기 (b*)"),
    "compared": Text("compared", "비교한 수"),
    "condition": terms.CONDITION,
    "cramers_v": Text("Cramér's V", "크라메르 V"),
    "device": terms.CAMERA,
    "difference": Text("difference", "차이"),
    "disagreeing": Text("disagreeing", "불일치"),
    "grade": terms.GRADE,
    "grade_0": Text("grade 0", "0등급"),
    "grade_1": Text("grade 1", "1등급"),
    "grade_2": Text("grade 2", "2등급"),
    "grade_3": Text("grade 3", "3등급"),
    "height": Text("height", "높이"),
    "images": terms.PICTURES,
    "limit": Text("limit", "기준값"),
    "measure": Text("measure", "측정값"),
    "median": Text("median", "중앙값"),
    "normal": Text("grade 0", "0등급"),
    "part": terms.SPLIT,
    "share": Text("share", "비율"),
    "shared": Text("shared", "겹침"),
    "sites": terms.SITES,
    "unlabelled": terms.UNLABELLED,
    "width": Text("width", "너비"),
}
