"""Predictions of a model from elsewhere: what is read of them, and what is refused with its row."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scalp_core.data.dataset import Dataset
from scalp_core.errors import ScalpError
from scalp_core.importing.prediction_file import read_predictions
from scalp_core.metrics.metrics import PROBABILITIES

SHARES = (0.125, 0.5, 0.25, 0.125)


@pytest.fixture
def table(tiny: Dataset) -> pd.DataFrame:
    """Answers to every picture for two conditions."""
    ids = list(tiny.index["id"])
    rows = [(image, name, *SHARES) for name in ("value_2", "value_6") for image in ids]
    return pd.DataFrame(rows, columns=["image", "condition", *PROBABILITIES])


def write_csv(table: pd.DataFrame, path: Path) -> None:
    table.to_csv(path, index=False)


def write_korean_csv(table: pd.DataFrame, path: Path) -> None:
    korean = table.replace({"condition": {"value_2": "피지과다", "value_6": "6"}})
    korean.rename(columns=str.upper).to_csv(path, index=False, sep=";", encoding="cp949")


def write_excel(table: pd.DataFrame, path: Path) -> None:
    with path.open("wb") as file:
        table.to_excel(file, index=False)


def write_parquet(table: pd.DataFrame, path: Path) -> None:
    table.assign(more=1).to_parquet(path)


@pytest.mark.parametrize("write", [write_csv, write_korean_csv, write_excel, write_parquet])
def test_what_kind_of_file_does_not_matter(
    tiny: Dataset, table: pd.DataFrame, tmp_path: Path, write: Callable[[pd.DataFrame, Path], None]
) -> None:
    write(table, tmp_path / "predictions")
    predictions = read_predictions(tmp_path / "predictions", tiny)
    pd.testing.assert_frame_equal(predictions.table, table)
    assert not predictions.grades_alone


def test_grades_alone_are_certain(tiny: Dataset, table: pd.DataFrame) -> None:
    grades = np.arange(len(table)) % 4
    predictions = read_predictions(table[["image", "condition"]].assign(grade=grades), tiny)
    assert predictions.grades_alone
    assert (predictions.table[PROBABILITIES].to_numpy() == np.eye(4)[grades]).all()


def test_rounded_probabilities_add_up_again(tiny: Dataset, table: pd.DataFrame) -> None:
    table["p0"] = 0.12
    sums = read_predictions(table, tiny).table[PROBABILITIES].sum(axis=1)
    assert sums.to_numpy() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"p2": 0.5}, "row 3: “1.25” is not 1, the sum of p0 … p3"),
        ({"p0": -0.1, "p1": 0.725}, "row 3: “-0.1” is not a probability for p0"),
        ({"p3": "high"}, "row 3: “high” is not a probability for p3"),
        ({"p3": None}, "row 3: “None” is not a probability for p3"),
        ({"image": "nowhere"}, "row 3: “nowhere” is not the id of a picture of “tiny”"),
        ({"condition": "itch"}, "There is no condition “itch”"),
    ],
)
def test_the_first_wrong_row_is_named(
    tiny: Dataset, table: pd.DataFrame, change: dict[str, object], message: str
) -> None:
    table = table.astype(object)
    for name, value in change.items():
        table.loc[2, name] = value
    with pytest.raises(ScalpError) as refused:
        read_predictions(table, tiny)
    assert message in refused.value.text.en


def test_rows_of_files_are_counted_as_a_spreadsheet_does(tiny: Dataset, table: pd.DataFrame, tmp_path: Path) -> None:
    table.loc[2, "p1"] = 7
    table.to_csv(tmp_path / "predictions", index=False)
    with pytest.raises(ScalpError, match=r"row 4: “7\.0” is not a probability"):
        read_predictions(tmp_path / "predictions", tiny)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda table: table.drop(columns="p2"), "it needs the columns image, condition, and either"),
        (lambda table: table.drop(columns="image"), "it needs the columns"),
        (lambda table: table[:0], "it has no rows"),
        (lambda table: pd.concat([table, table[:1]]), "value_2 was answered before"),
        (lambda table: pd.concat([table] * 4), "it has more than 288 rows"),
        (lambda table: table.assign(image="long" * 1000), "it has texts that are no ids|is not the id of a picture"),
        (lambda table: table.assign(condition=[["value_2"]] * len(table)), "There is no condition"),
        (lambda table: table[["image", "condition"]].assign(grade=1.5), "“1.5” is not a grade 0 to 3"),
        (lambda table: table[["image", "condition"]].assign(grade=4), "“4” is not a grade 0 to 3"),
    ],
)
def test_what_is_no_table_of_predictions_is_refused(
    tiny: Dataset, table: pd.DataFrame, spoil: Callable[[pd.DataFrame], pd.DataFrame], message: str, tmp_path: Path
) -> None:
    spoilt = spoil(table)
    spoilt.to_parquet(tmp_path / "predictions")
    for source in (spoilt, tmp_path / "predictions"):
        with pytest.raises(ScalpError) as refused:
            read_predictions(source, tiny)
        assert any(words in refused.value.text.en for words in message.split("|"))


def test_a_repeated_column_counts_once(tiny: Dataset, table: pd.DataFrame) -> None:
    doubled = pd.concat([table, table[["p0"]] * 9], axis=1)
    pd.testing.assert_frame_equal(read_predictions(doubled, tiny).table, table)


@pytest.mark.parametrize("content", [b"", b"PAR1 and no more", b"\xff\xfe\x00", b"image\n" * 3])
def test_damaged_files_are_refused(tiny: Dataset, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "predictions").write_bytes(content)
    with pytest.raises(ScalpError) as refused:
        read_predictions(tmp_path / "predictions", tiny)
    assert refused.value.code == "bad_table"
