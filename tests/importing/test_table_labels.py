"""A table of labels as people have it: columns are found by name or mapped, in the encodings of Excel."""

import json
import zipfile
from datetime import datetime
from pathlib import Path

import openpyxl
import pytest

from scalp_core.data.zip_files import Fault
from scalp_core.errors import ScalpError
from scalp_core.importing.import_db import LabelRow, grades_of
from scalp_core.importing.table_file import TableFile
from scalp_core.importing.table_labels import columns_of, read_table


def written(tmp_path: Path, text: str, encoding: str = "utf-8") -> TableFile:
    table = tmp_path / "labels.csv"
    table.write_bytes(text.encode(encoding))
    return TableFile(table)


def labels(table: TableFile, mapping: dict[str, str] | None = None) -> list[LabelRow]:
    rows = list(read_table(table, columns_of(table, mapping or {})))
    assert [row for row in rows if isinstance(row, Fault)] == []
    return [row for row in rows if not isinstance(row, Fault)]


def facts(row: LabelRow) -> dict[str, str]:
    return dict(json.loads(row[-1] or "{}"))


def test_columns_are_found_in_any_spelling(tmp_path: Path) -> None:
    table = written(tmp_path, "File Name,CLINIC,hair loss,Excess_Sebum,value_1,모낭홍반 농포,비듬,color\n")
    assert columns_of(table, {}) == {
        "image": "File Name",
        "site": "CLINIC",
        "value_6": "hair loss",
        "value_2": "Excess_Sebum",
        "value_1": "value_1",
        "value_4": "모낭홍반 농포",
        "value_5": "비듬",
        "meta_color": "color",
    }


def test_a_clinic_s_columns_are_understood(tmp_path: Path) -> None:
    header = "파일명,병원,환자번호,장비,탈모,비고"
    assert columns_of(written(tmp_path, f"{header}\n1.jpg,가,P1,A,0.양호,재촬영\n"), {}) == {
        "image": "파일명",
        "site": "병원",
        "capture": "환자번호",
        "device": "장비",
        "value_6": "탈모",
        "meta_비고": "비고",
    }


def test_what_is_told_counts_and_rest_is_found(tmp_path: Path) -> None:
    table = written(tmp_path, "photo,image,grade,탈모\n")
    columns = columns_of(table, {"image": "photo", "value_2": "grade"})
    assert columns == {"image": "photo", "value_2": "grade", "value_6": "탈모", "meta_image": "image"}


@pytest.mark.parametrize(
    ("header", "mapping", "message"),
    [
        ("image,value_1\n", {"image": "nowhere"}, "nowhere"),
        ("image,value_1\n", {"colour": "image"}, "colour"),
        ("one,two\n", {}, "with picture names"),
        ("image,two\n", {}, "grades"),
        ("", {}, "empty"),
    ],
)
def test_unreadable_table_is_refused_with_reason(
    tmp_path: Path, header: str, mapping: dict[str, str], message: str
) -> None:
    with pytest.raises(ScalpError, match=message) as caught:
        columns_of(written(tmp_path, header), mapping)
    assert caught.value.code == "bad_table"
    assert caught.value.text.ko.startswith("표를 읽을 수 없어요")


def test_a_table_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ScalpError, match=r"gone\.csv"):
        columns_of(TableFile(tmp_path / "gone.csv"), {})


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_encodings_and_separators_of_spreadsheets(tmp_path: Path, encoding: str, delimiter: str) -> None:
    lines = [["파일", "탈모", "병원"], ['"폴더/사진 1.JPG"', "2", f'"서울{delimiter} 강남"']]
    table = written(tmp_path, "\r\n".join(delimiter.join(line) for line in lines) + "\r\n", encoding)
    ((joins, name, number, grades, _),) = rows = labels(table, {"site": "병원"})
    assert (joins, name, number) == ("사진 1", "폴더/사진 1.JPG", 2)
    assert grades_of(grades) == [None, None, None, None, None, 2]
    assert facts(rows[0]) == {"image": "폴더/사진 1.JPG", "site": f"서울{delimiter} 강남"}


@pytest.mark.parametrize(
    ("cell", "grade"),
    [("2", 2), ("2.0", 2), (" 1 ", 1), ("중등도", 2), ("Severe", 3), ("양호", 0)]
    + [("1.00", 1), ("3.", 3), ('"0,0"', 0), ('"""2"""', 2), ("'1", 1), ('"=""3"""', 3)]
    + [("정상", 0), ("위증", 1), ("중증도", 2), ("0.양호", 0), ("2단계", 2), ("Grade 1", 1), ("3 (severe)", 3)]
    + [(blank, None) for blank in ("", "NaN", "null", "-", "None", "NA", "N/A", "#N/A", "n/a", "?", ".", "결측")],
)
def test_grades_are_numbers_or_words_or_missing(tmp_path: Path, cell: str, grade: int | None) -> None:
    ((_, _, _, grades, _),) = labels(written(tmp_path, f"image,value_3\n1.jpg,{cell}\n"))
    assert grades_of(grades)[2] == grade


@pytest.mark.parametrize(
    "cell", ["4", "-1", "1.5", "mildest", "２", "=1+1", "0.경증", "mild?", "등급", "12", "-1단계", "1.5단계"]
)
def test_any_other_grade_is_told_and_left_open(tmp_path: Path, cell: str) -> None:
    table = written(tmp_path, f"image,value_3,value_4\n1.jpg,{cell},1\n")
    fault, label = read_table(table, columns_of(table, {}))
    assert isinstance(fault, Fault)
    assert (fault.kind, fault.name, fault.where) == ("bad_value", "1.jpg", "labels.csv:2")
    assert fault.detail == f"column 2, value_3 = {cell}"
    assert not isinstance(label, Fault)
    assert grades_of(label[3]) == [None, None, None, 1, None, None]


def test_pictureless_rows_are_reported_short_rows_read(tmp_path: Path) -> None:
    table = written(tmp_path, "image,value_1,site\n,1,a\n ,,\n2.jpg,2\n")
    fault, label = read_table(table, columns_of(table, {}))
    assert isinstance(fault, Fault)
    assert (fault.kind, fault.where) == ("bad_row", "labels.csv:2")
    assert not isinstance(label, Fault)
    assert (label[2], facts(label)) == (4, {"image": "2.jpg"})


def test_publisher_names_join_in_any_case(tmp_path: Path) -> None:
    name = "0013_A2LEBJJDE00060O_1602578303771_2_TH"
    table = written(tmp_path, f"image,value_1\n{name.lower()}.jpg,1\n{name},1\nC:\\data\\{name}.JPG,1\n")
    assert [row[0] for row in labels(table)] == [name] * 3


@pytest.mark.parametrize(
    ("word", "official"),
    [
        ("Training", "train"),
        ("val", "valid"),
        ("검증용", "valid"),
        ("calibration", "calib"),
        ("Test set 1", "test"),
        ("hold-out", "test"),
        ("fold 3", "fold 3"),
        ("", None),
    ],
)
def test_the_publisher_s_split_in_its_usual_words(tmp_path: Path, word: str, official: str | None) -> None:
    (row,) = labels(written(tmp_path, f"image,value_1,split\n1.jpg,1,{word}\n"))
    assert facts(row).get("official") == official


def test_further_columns_are_kept_as_text(tmp_path: Path) -> None:
    more = [f"column {number}" for number in range(30)]
    table = written(
        tmp_path, ",".join(["image", "value_1", *more]) + "\n" + ",".join(["1.jpg", "1", *["x" * 300] * 30])
    )
    kept = {name: text for name, text in facts(labels(table)[0]).items() if name != "image"}
    assert list(kept) == sorted(f"meta_column {number}" for number in range(20))
    assert set(kept.values()) == {"x" * 200}


def test_overlong_cell_is_reported(tmp_path: Path) -> None:
    table = written(tmp_path, "image,value_1\n" + '"' + "x" * 200_000 + '",1\n')
    with pytest.raises(ScalpError, match="field larger"):
        list(read_table(table, columns_of(table, {})))


@pytest.mark.parametrize("before", ["\n", "\r\n \r\n", "sep=;\r\n", '"sep=;"\n\n', ";;\n"])
def test_lines_before_the_header_are_passed_over(tmp_path: Path, before: str) -> None:
    ((_, _, number, grades, _),) = labels(written(tmp_path, f"{before}file;value_1\n1.jpg;2\n"))
    assert (number, grades_of(grades)[0]) == (before.count("\n") + 2, 2)


@pytest.mark.parametrize(
    "text",
    [
        'file;"note, a, b, c, d";탈모\n1.jpg;x;3\n',
        'file,"note; a; b; c; d",탈모\n1.jpg,x,3\n',
        "file\t탈모\n1,5.jpg\t3\n",
    ],
)
def test_separators_within_quotes_do_not_count(tmp_path: Path, text: str) -> None:
    ((*_, grades, _),) = labels(written(tmp_path, text))
    assert grades_of(grades)[5] == 3


def test_separator_and_encoding_can_be_named(tmp_path: Path) -> None:
    table = written(tmp_path, "file:탈모:visit,by\nÄ rzte.jpg:2:1\n".replace("탈모", "hair loss"), "cp1252").path
    (row,) = labels(TableFile(table, separator=":", encoding="cp1252"))
    assert (row[1], facts(row)["meta_visit,by"]) == ("Ä rzte.jpg", "1")
    for faulty, message in (
        (TableFile(table, separator="::"), "separator"),
        (TableFile(table, encoding="klingon"), "klingon"),
        (TableFile(table, encoding="base64"), "base64"),
        (TableFile(table, encoding="ascii"), "can't decode"),
    ):
        with pytest.raises(ScalpError, match=message):
            columns_of(faulty, {})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 500, "old Excel file"),
        (b"PK\x03\x04" + b"\0" * 500, "damaged"),
        (b"\x89PNG\r\n\0\0\0\rIHDR", "no text"),
        (b"file,value_1\n\xff\xff.jpg,1\n", "--encoding"),
    ],
)
def test_a_file_of_another_kind_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "labels.csv").write_bytes(content)
    with pytest.raises(ScalpError, match=message):
        columns_of(TableFile(tmp_path / "labels.csv"), {})


def sheet(tmp_path: Path, rows: list[list[object]]) -> TableFile:
    workbook = openpyxl.Workbook()
    for row in rows:
        workbook.active.append(row)
    workbook.save(tmp_path / "labels.xlsx")
    return TableFile(tmp_path / "labels.xlsx")


def test_a_sheet_is_read_as_it_is_shown(tmp_path: Path) -> None:
    day = datetime(2026, 3, 1)
    table = sheet(
        tmp_path, [[], ["파일명", "탈모", "day", None], [1, 2.0, day, ""], [], ["나.jpg", "중증", None, None]]
    )
    first, second = labels(table)
    assert (first[1], first[2], grades_of(first[3])[5]) == ("1", 3, 2)
    assert facts(first)["meta_day"] == "2026-03-01T00:00:00"
    assert (second[1], second[2], grades_of(second[3])[5]) == ("나.jpg", 5, 3)


def test_a_sheet_that_is_a_bomb_is_refused(tmp_path: Path) -> None:
    table = sheet(tmp_path, [["file", "value_1"], ["1.jpg", 1]])
    with zipfile.ZipFile(table.path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/zeros.xml", b"\0" * 20_000_000)
    with pytest.raises(ScalpError, match=r"zeros\.xml"):
        columns_of(table, {})


def test_a_cell_at_the_edge_costs_little(tmp_path: Path) -> None:
    table = sheet(tmp_path, [["file", "value_1"], ["1.jpg", 1]])
    content = zipfile.ZipFile(table.path).read("xl/worksheets/sheet1.xml").decode()
    far = content.replace("</sheetData>", '<row r="99999999"><c r="XFD99999999"><v>1</v></c></row></sheetData>')
    with zipfile.ZipFile(table.path) as old, zipfile.ZipFile(tmp_path / "far.xlsx", "w") as new:
        for name in old.namelist():
            new.writestr(name, far if name.endswith("sheet1.xml") else old.read(name))
    assert [row[1] for row in labels(TableFile(tmp_path / "far.xlsx"))] == ["1.jpg"]


@pytest.mark.parametrize("header", ["file,value_1,value_1", "file,value_1,note,note", "file,탈모,value_6"])
def test_columns_that_stand_twice_are_refused(tmp_path: Path, header: str) -> None:
    with pytest.raises(ScalpError, match=r"columns \d, \d .+ mean the same"):
        columns_of(written(tmp_path, f"{header}\n"), {})
    assert columns_of(written(tmp_path, "file,탈모,value_6\n"), {"value_6": "탈모"})["value_6"] == "탈모"


@pytest.mark.parametrize(
    "name", ["파일명", "파일 이름", "이미지명", "사진_파일명", "img", "image_name", "Photo", "Bild-Pfad", "file path"]
)
def test_names_of_the_file_column(tmp_path: Path, name: str) -> None:
    mapping = {"image": name} if name == "Bild-Pfad" else {}
    assert columns_of(written(tmp_path, f"{name},탈모 등급\n"), mapping) == {"image": name, "value_6": "탈모 등급"}


def test_longer_rows_than_the_header_are_reported(tmp_path: Path) -> None:
    table = written(tmp_path, "file,value_1,value_2\n1.jpg,0,0,1,0\n2.jpg,1,2,,\n")
    fault, label = read_table(table, columns_of(table, {}))
    assert isinstance(fault, Fault)
    assert (fault.kind, fault.where, fault.detail) == ("bad_row", "labels.csv:2", "5 cells under 3 columns")
    assert not isinstance(label, Fault)
    assert grades_of(label[3])[:2] == [1, 2]


OTHER_FILE = "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n"


def test_header_of_other_files_is_not_repeated(tmp_path: Path) -> None:
    table = written(tmp_path, OTHER_FILE)
    for mapping in ({}, {"image": "nothing"}, {"image": "nothing", "value_1": "neither"}):
        with pytest.raises(ScalpError) as caught:
            columns_of(table, mapping)
        assert "root" not in str(caught.value)
        assert "root" not in caught.value.text.ko
    with pytest.raises(ScalpError) as caught:
        columns_of(written(tmp_path, "root:x,secret,secret\n"), {"image": "root:x", "value_1": "secret"})
    assert "secret" not in str(caught.value)
    with pytest.raises(ScalpError, match="value_2, colour"):
        columns_of(written(tmp_path, "file,value_2,colour\n"), {"site": "clinic"})
