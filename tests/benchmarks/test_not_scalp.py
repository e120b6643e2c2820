"""Pictures that show no scalp: drawn alike every time, as cameras write them, and what is measured on them."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import Folders, Trained

from benchmarks import not_scalp
from benchmarks.not_scalp_drawing import KINDS, draw, encoded, in_colours_of, opened
from benchmarks.photographs import crops, photographs
from scalp_core import images
from scalp_core.data.dataset import Dataset
from scalp_core.inference import gate_fit
from scalp_core.runs.run import Run


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_picture_as_camera_writes_it(kind: str) -> None:
    data = draw(kind, 3)
    picture = images.decode(data)
    assert picture.format == "JPEG"
    assert min(picture.width, picture.height) >= 480
    assert draw(kind, 3) == data
    assert draw(kind, 4) != data
    assert picture.pixels.std() > 0.5  # not even a plain colour is exactly one


def test_picture_takes_on_light_and_colours_of_another() -> None:
    fabric, skin = draw("fabric", 0), draw("bare_skin", 0)
    moved, wanted = (opened(data).reshape(-1, 3).astype(float) for data in (in_colours_of(fabric, skin), skin))
    np.testing.assert_allclose(moved.mean(axis=0), wanted.mean(axis=0), atol=6)


def test_a_flat_picture_can_take_on_colours() -> None:
    flat = encoded(np.full((48, 64, 3), 90, dtype=np.uint8), 90)
    assert opened(in_colours_of(flat, draw("bare_skin", 0))).shape == (48, 64, 3)


def test_the_table_names_every_kind(
    trained: Trained,
    tiny: Dataset,
    folders: Folders,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = Run(Path(shutil.copytree(trained.run.folder, folders.artifacts / "own")))
    assert not_scalp.main([]) == 2
    assert "No finished run has a quality check" in capsys.readouterr().err
    monkeypatch.setattr(gate_fit, "FEWEST", 5)
    gate_fit.refit(run)
    monkeypatch.setattr(not_scalp, "CROPS", 1)
    assert not_scalp.main(["own", "--pictures", "1"]) == 0
    table = capsys.readouterr().out
    assert table.startswith("| SYNTHETIC scalps | n | own |")
    for kind in (*not_scalp.CHANGED, *KINDS, *(f"{kind}, in the colours of a scalp" for kind in KINDS)):
        assert f"| {kind.replace('_', ' ')} | 1 | " in table
    assert "| scalps, calib part | " in table
    assert f"| photographs | {not_scalp.CROPS * len(photographs())} | " in table
    assert "| SYNTHETIC scalps, validation and test | n | refused | unusual |" in table


def test_crops_of_photographs_repeat_and_differ() -> None:
    pixels = photographs()["china"]
    first, *others = crops(pixels, 3, 0)
    assert [first, *others] == list(crops(pixels, 3, 0))
    assert len({first, *others}) == 3
    assert opened(first).shape == (480, 640, 3)


def test_the_sheet_shows_every_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(not_scalp, "COLUMNS", 1)
    assert not_scalp.main(["--sheet", str(tmp_path / "sheet.png")]) == 0
    assert opened((tmp_path / "sheet.png").read_bytes()).shape[0] == not_scalp.TILE[1] * len(KINDS)
