"""Names and label files of the AI Hub tree are parsed, in every spelling they come in, and what they do not say."""

import os
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalp_core.data.aihub import (
    META_FIELDS,
    FolderName,
    PictureName,
    folder_name,
    is_called_test,
    label_values,
    meta_values,
    official_part,
    official_parts,
    official_text,
    picture_name,
    readable,
)
from scalp_core.labels import CONDITIONS, Condition, Severity

DELIVERED = "[원천]모낭사이홍반_3.중증"


@pytest.mark.parametrize(
    ("raw", "utf8"),
    [
        (DELIVERED.encode(), True),
        (DELIVERED.encode(), False),
        (normalize("NFD", DELIVERED).encode(), True),
        (DELIVERED.encode("cp949"), False),
        (DELIVERED, False),
        (normalize("NFD", DELIVERED), False),
        (DELIVERED.encode("cp949").decode("cp437"), False),
        (DELIVERED.encode("cp949").decode("latin-1"), False),
        (DELIVERED.encode().decode("cp437"), False),
        (normalize("NFD", DELIVERED).encode().decode("cp437"), False),
        (normalize("NFD", DELIVERED.encode("cp949").decode("latin-1")), False),
        (os.fsdecode(DELIVERED.encode("cp949")), False),
    ],
)
def test_a_name_is_read_as_it_was_meant(raw: bytes | str, utf8: bool) -> None:
    assert readable(raw, utf8) == DELIVERED


@pytest.mark.parametrize(
    "name", ["Training", "Ärzte Köln", "größe", "ÄÖÜ", "naïve café №5", "写真", "사진 1", "뷁", ""]
)
def test_other_names_stay_as_they_are(name: str) -> None:
    assert readable(name) == name
    assert readable(name.encode(), True) == name


def test_bytes_that_are_no_korean_are_still_name() -> None:
    assert readable(b"caf\x82", False) == "café"
    assert readable(b"caf\x82", True) == "café"


@given(st.text() | st.binary())
def test_any_name_becomes_text_that_can_be_stored(raw: str | bytes) -> None:
    name = readable(os.fsdecode(raw) if isinstance(raw, bytes) else raw)
    assert name.encode("utf-8").decode() == name == normalize("NFC", name)
    assert readable(name) == name


@pytest.mark.parametrize("stem", ["0013_A2LEBJJDE00060O_1602578303771_2_TH", "0013_a2lebjjde00060o_1602578303771_2_th"])
def test_a_picture_name_tells_site_capture_and_region(stem: str) -> None:
    capture = "0013_A2LEBJJDE00060O_1602578303771"
    assert picture_name(stem) == PictureName("0013", "A2LEBJJDE00060O", capture, 2, "TH", f"{capture}_2")


def test_a_time_may_have_nine_digits() -> None:
    name = picture_name("0190_A1LCAIHDH00001O_160257830_6_BH")
    assert name
    assert (name.capture, name.frame, name.region) == ("0190_A1LCAIHDH00001O_160257830", 6, "BH")


@pytest.mark.parametrize(
    "stem",
    [
        "",
        "1",
        "0013_A2LEBJJDE00060O_1602578303771_2",
        "0013_A2LEBJJDE00060O_1602578303771_2_XH",
        "0013_A2LEBJJDE00060O_1602578303771_2_TH_META",
        "x0013_A2LEBJJDE00060O_1602578303771_2_TH",
        "013_A2LEBJJDE00060O_1602578303771_2_TH",
        "0013_A2LEBJJDE00060_1602578303771_2_TH",
        "０013_A2LEBJJDE00060O_1602578303771_2_TH",
        "0013_A2LEBJJDE00060O_1602578303771_2_TH\n",
    ],
)
def test_other_file_names_tell_nothing(stem: str) -> None:
    assert picture_name(stem) is None


LOSS, SEBUM, SCALING = Condition.HAIR_LOSS, Condition.EXCESS_SEBUM, Condition.FINE_SCALING
PUSTULES, ERYTHEMA, DANDRUFF = Condition.PUSTULES, Condition.ERYTHEMA, Condition.DANDRUFF


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("유형별 두피 이미지/Training/[원천]탈모_3.중증", (LOSS, 3, "train", "images")),
        ("유형별 두피 이미지/Validation/[라벨]탈모_3.중증", (LOSS, 3, "valid", "labels")),
        ("1.Training/원천탈모_3.중증", (LOSS, 3, "train", "images")),
        ("2.Validation/[라벨]피지 과다_1.경증", (SEBUM, 1, "valid", "labels")),
        ("Training/비듬_1", (DANDRUFF, 1, "train", None)),
        ("[원천]비듬_2.중등도.zipfile", (DANDRUFF, 2, None, "images")),
        ("[원천]비듬_2.중등도zipfile", (DANDRUFF, 2, None, "images")),
        ("원천데이터/1.미세각질/0.양호", (SCALING, 0, None, "images")),
        ("라벨링데이터/2.피지과다/3.중증", (SEBUM, 3, None, "labels")),
        ("data/미세각질/0", (SCALING, 0, None, "images")),
        ("label/미세각질/0", (SCALING, 0, None, "labels")),
        ("[원천]모낭홍반농포_2.중등도", (PUSTULES, 2, None, "images")),
        ("[원천]모낭홍반_농포_2.중등도", (PUSTULES, 2, None, "images")),
        ("[원천]모낭홍반 농포_2.중등도", (PUSTULES, 2, None, "images")),
        ("[원천]모낭사이홍반_2.중등도", (ERYTHEMA, 2, None, "images")),
        ("탈모_중증도", (LOSS, 2, None, None)),
        ("탈모_중증", (LOSS, 3, None, None)),
        ("탈모/위증", (LOSS, 1, None, None)),
        ("탈모/중 등 도", (LOSS, 2, None, None)),
        ("중증 탈모", (LOSS, 3, None, None)),
        ("[원천]탈모_3.중증 (1)", (LOSS, 3, None, "images")),
        ("TRAIN/IMAGES/VALUE_6/3", (LOSS, 3, "train", "images")),
        ("val/hair_loss_3", (LOSS, 3, "valid", None)),
        ("validation/labels/Hair Loss/Severe", (LOSS, 3, "valid", "labels")),
        ("excess-sebum/mild", (SEBUM, 1, None, None)),
        ("interfollicular erythema/2", (ERYTHEMA, 2, None, None)),
        ("follicular erythema, pustules/2", (PUSTULES, 2, None, None)),
        ("erythema/grade_2", (ERYTHEMA, 2, None, None)),
        ("fine_scaling (value_1)/3", (SCALING, 3, None, None)),
    ],
)
def test_folder_name_is_understood_however_it_is_spelt(
    path: str, expected: tuple[Condition, int, str | None, str | None]
) -> None:
    for form in ("NFC", "NFD"):
        assert folder_name(normalize(form, path).split("/")) == FolderName(*expected)


@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize("grade", list(Severity))
def test_every_class_is_known_by_all_its_names(condition: Condition, grade: Severity) -> None:
    korean = condition.text.ko.replace("/", "")
    for parts in (
        [f"[원천]{korean}_{grade.value}.{grade.text.ko}"],
        [f"{condition.number}.{korean}", f"{grade.value}.{grade.text.ko}"],
        [korean, grade.text.ko],
        [condition.value, str(grade.value)],
        [condition.code, grade.text.en],
        [f"{condition.value}_{grade.value}"],
        [f"[라벨]{korean}_{grade.value}.{grade.text.ko}".encode("cp949").decode("cp437")],
    ):
        name = folder_name(parts)
        assert (name.condition, name.grade) == (condition, grade.value), parts


@pytest.mark.parametrize(
    ("path", "condition"),
    [
        ("Training/2023 data", None),
        ("0013/3/mild", None),
        ("value_60/1", None),
        ("1.미세각질", SCALING),
        ("3.탈모/2023 data", LOSS),
        ("탈모/batch 1", LOSS),
        ("탈모/사진/3", LOSS),
        ("3/탈모", LOSS),
        ("탈모 (2)", LOSS),
        ("탈모_2023", LOSS),
        ("탈모_7", LOSS),
        ("hair_loss_value_6", LOSS),
        ("fine_scaling_value_1", SCALING),
        ("abnormal_dandruff", DANDRUFF),
    ],
)
def test_grade_is_not_read_where_there_is_none(path: str, condition: Condition | None) -> None:
    name = folder_name(path.split("/"))
    assert (name.condition, name.grade) == (condition, None)


def test_digit_beats_word_and_inner_folder_outer() -> None:
    assert folder_name(["탈모_1.중증"]).grade == 1
    assert folder_name(["비듬_3.중증", "[라벨]탈모_1.경증"]) == FolderName(LOSS, 1, None, "labels")
    assert folder_name(["Training", "2.Validation"]).official == "valid"
    assert folder_name([]) == FolderName(None, None, None, None)


@pytest.mark.parametrize(
    ("path", "official"),
    [
        ("train/탈모_3", "train"),
        ("3.Test/[원천]탈모_3.중증", "test"),
        ("tree/val/hair_loss/3", "valid"),
        ("dev/hair_loss/3", "valid"),
        ("테스트 데이터/탈모_3", "test"),
        ("2.검증용/탈모_3", "valid"),
        ("test/Training Hospital/3", "test"),
        ("train/test_clinic/3", "test"),
        ("my_test/Training/3", "train"),
        ("train_test_split/3", None),
        ("latest/contest/3", None),
        ("두피 상태 평가/3", None),
    ],
)
def test_a_folder_names_its_part(path: str, official: str | None) -> None:
    assert folder_name(path.split("/")).official == official


@pytest.mark.parametrize(
    ("word", "part"),
    [("TRAIN", "train"), ("Train set", "train"), ("dev", "valid"), ("test-1", "test"), ("시험", "test"), ("1", None)],
)
def test_a_word_names_its_part(word: str, part: str | None) -> None:
    assert official_part(word) == part


def test_marks_are_read_as_they_were_written() -> None:
    for parts in (set(), {"train"}, {"train", "valid"}, {"test", "train"}, {"calib", "test", "valid"}):
        assert official_parts(official_text(parts)) == parts
    assert official_text({"valid", "train"}) == "both"
    assert official_parts("fold 1") == official_parts("test fold") == frozenset()
    assert is_called_test("train test")
    assert is_called_test("external_test")
    assert not is_called_test("latest")


def test_label_values_are_taken_by_key() -> None:
    document = {"value_6": "3", "value_1": 0, "value_2": " 1 ", "value_3": 2.0, "value_5": "2", "image_id": "x"}
    values, problems = label_values(document)
    assert values == {SCALING: 0, SEBUM: 1, ERYTHEMA: 2, PUSTULES: None, DANDRUFF: 2, LOSS: 3}
    assert list(values) == list(CONDITIONS)
    assert problems == []


@pytest.mark.parametrize("value", [4, -1, "7", "x", True, 1.5, "1.5", [1], {"a": 1}, "２", "1 2", float("nan")])
def test_invalid_value_is_null_and_named(value: object) -> None:
    values, problems = label_values({"value_1": 1, "value_2": value})
    assert (values[SCALING], values[SEBUM]) == (1, None)
    assert len(problems) == 1
    assert problems[0].startswith("value_2 = ")


@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_blank_value_is_null_without_complaint(value: object) -> None:
    assert label_values({"value_2": value}) == (dict.fromkeys(CONDITIONS), [])


@pytest.mark.parametrize("document", [None, [], [{"value_1": "1"}], "text", 3])
def test_document_that_is_no_object_has_no_labels(document: object) -> None:
    values, problems = label_values(document)
    assert values == dict.fromkeys(CONDITIONS)
    assert len(problems) == 1


def test_a_hostile_value_is_named_briefly() -> None:
    _, problems = label_values({"value_2": "x" * 10_000_000})
    assert len(problems[0]) < 120


def test_meta_values_are_columns_of_the_index() -> None:
    document = {"gender": "여", "age": normalize("NFD", " 20대 "), "answers1": 2, "answers2": "", "answers3": None}
    document |= {"image_id": "x", "value_1": "3"}
    assert meta_values(document) == {"meta_gender": "여", "meta_age": "20대", "meta_answers1": "2"}
    assert meta_values([document]) == {}
    assert meta_values({"gender": "\ud800"}) == {"meta_gender": "?"}
    assert all(text.en and text.ko for text in META_FIELDS.values())


@pytest.mark.parametrize("part", ["_", " 탈", "탈모_", "v", "grade ", "(1) ", "0.", "\x80", "가"])
def test_a_hostile_name_takes_no_time(part: str) -> None:
    # Of patterns that go back over what they have read, one of these would not end within the test run.
    folder_name([part * (60_000 // len(part)) + "x", "탈모", part * (60_000 // len(part)) + "x"])


PIECES = st.sampled_from(
    ["탈모", "Dandruff", "value_4", "ſevere", "MİLD", "중증", "2", "(1)", "Train", "라벨", "_", " ", "."]
)


@given(st.lists(st.text() | st.lists(PIECES, max_size=8).map("".join), max_size=4))
def test_no_folder_name_whatsoever_is_too_much(parts: list[str]) -> None:
    name = folder_name(parts)
    assert name.condition in (None, *CONDITIONS)
    assert name.grade in (None, 0, 1, 2, 3)
    assert name.grade is None or name.condition
