"""A table of labels as people have it: columns are found by name or mapped, in the encodings of Excel."""

import json
from pathlib import Path

import pytest

from scalp_core.data.zip_files import Fault
from scalp_core.errors import ScalpError
from scalp_core.importing.csv_labels import columns_of, read_table
from scalp_core.importing.import_db import LabelRow, grades_of


def written(tmp_path: Path, text: str, encoding: str = "utf-8") -> Path:
    table = tmp_path / "labels.csv"
    table.write_bytes(text.encode(encoding))
    return table


def labels(table: Path, mapping: dict[str, str] | None = None) -> list[LabelRow]:
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
        columns_of(tmp_path / "gone.csv", {})


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_encodings_and_separators_of_spreadsheets(tmp_path: Path, encoding: str, delimiter: str) -> None:
    lines = [["파일", "탈모", "병원"], ['"폴더/사진 1.JPG"', "2", f'"서울{delimiter} 강남"']]
    table = written(tmp_path, "\r\n".join(delimiter.join(line) for line in lines) + "\r\n", encoding)
    ((joins, name, number, grades, _),) = rows = labels(table, {"site": "병원"})
    assert (joins, name, number) == ("사진 1", "폴더/사진 1.JPG", 2)
    assert grades_of(grades) == [None, None, None, None, None, 2]
    assert facts(rows[0]) == {"image": "폴더/사진 1", "site": f"서울{delimiter} 강남"}


@pytest.mark.parametrize(
    ("cell", "grade"),
    [("2", 2), ("2.0", 2), (" 1 ", 1), ("중등도", 2), ("Severe", 3), ("양호", 0)]
    + [(blank, None) for blank in ("", "NaN", "null", "-", "None", "NA")],
)
def test_grades_are_numbers_or_words_or_missing(tmp_path: Path, cell: str, grade: int | None) -> None:
    ((_, _, _, grades, _),) = labels(written(tmp_path, f"image,value_3\n1.jpg,{cell}\n"))
    assert grades_of(grades)[2] == grade


@pytest.mark.parametrize("cell", ["4", "-1", "1.5", "mildest", "２", "=1+1"])
def test_any_other_grade_is_told_and_left_open(tmp_path: Path, cell: str) -> None:
    table = written(tmp_path, f"image,value_3,value_4\n1.jpg,{cell},1\n")
    fault, label = read_table(table, columns_of(table, {}))
    assert isinstance(fault, Fault)
    assert (fault.kind, fault.name, fault.where) == ("bad_value", "1.jpg", "labels.csv:2")
    assert not isinstance(label, Fault)
    assert grades_of(label[3]) == [None, None, None, 1, None, None]


def test_pictureless_rows_are_reported_short_rows_read(tmp_path: Path) -> None:
    table = written(tmp_path, "image,value_1,site\n,1,a\n2.jpg,2\n")
    fault, label = read_table(table, columns_of(table, {}))
    assert isinstance(fault, Fault)
    assert (fault.kind, fault.where) == ("bad_label", "labels.csv:2")
    assert not isinstance(label, Fault)
    assert facts(label) == {"image": "2"}


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


OTHER_FILE = "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n"


def test_header_of_other_files_is_not_repeated(tmp_path: Path) -> None:
    table = written(tmp_path, OTHER_FILE)
    for mapping in ({}, {"image": "nothing"}, {"image": "nothing", "value_1": "neither"}):
        with pytest.raises(ScalpError) as caught:
            columns_of(table, mapping)
        assert "root" not in str(caught.value)
        assert "root" not in caught.value.text.ko
    with pytest.raises(ScalpError, match="value_2, colour"):
        columns_of(written(tmp_path, "file,value_2,colour\n"), {"site": "clinic"})
