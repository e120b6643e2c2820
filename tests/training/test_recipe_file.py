"""Recipes in files, as `--recipe` takes them: before the defaults, behind the flags."""

import json
from pathlib import Path

import pytest
from conftest import TINY, Folders, Trained

from scalp_core.data.dataset import Dataset
from scalp_core.errors import ScalpError
from scalp_core.runs.queue import create_run
from scalp_core.runs.recipe import Recipe
from training import sweep, train
from training.recipe_file import parse

TOML = """
architecture = "test_efficientnet"
data = "tiny"
image-size = 64
lr = 1
conditions = ["dandruff", "hair_loss"]
condition_weights = [1, 0.5]
"""


def recipe(path: Path, *flags: str) -> Recipe:
    return train.recipe_of(parse(train._parser(), ["--recipe", str(path), *flags]))


def test_fields_of_a_file_count_before_defaults_and_behind_flags(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(TOML, encoding="utf-8")
    read = recipe(path, "--image-size", "96")
    assert (read.architecture, read.data, read.image_size, read.lr) == ("test_efficientnet", "tiny", 96, 1)
    assert [condition.code for condition in read.conditions] == ["dandruff", "hair_loss"]
    assert read.condition_weights == (1, 0.5)
    assert read.epochs == Recipe().epochs


def test_a_run_s_own_file_gives_its_recipe(trained: Trained) -> None:
    assert recipe(trained.run.folder / "recipe.json") == trained.run.recipe


def test_a_sweep_takes_its_architectures_and_own_options(tiny: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "sweep.toml"
    path.write_text(
        'architectures = ["test_resnet", "test_efficientnet"]\nseeds = 2\ndata = "tiny"\nweights = "none"',
        encoding="utf-8",
    )
    options = parse(sweep._parser(), ["--recipe", str(path), "--plan"])
    assert [*sweep._recipes(options)] == [
        f"sweep-tiny-{name}-s{seed}" for name in ("test_resnet", "test_efficientnet") for seed in (0, 1)
    ]
    own = tmp_path / "recipe.json"
    own.write_text(json.dumps({"architecture": "test_resnet", "data": "tiny"}), encoding="utf-8")
    assert parse(sweep._parser(), ["--recipe", str(own)]).architectures == ["test_resnet"]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.toml", "epochs 3", "cannot be used: .*line 1"),
        ("a.json", "{", "cannot be used: .*line 1"),
        ("a.json", "[]", "it holds no fields"),
        ("a.toml", "conditions = [1]", "it must be a list"),
        ("a.toml", 'condition_weights = ["a"]', "it must be a list"),
        ("a.toml", "name = 5", "name is “5”; it must be a word"),
        ("a.toml", "demo = true", "it has no field “demo”"),
        ("a.toml", "epoch = 3", "it has no field “epoch”"),
        ("a.toml", 'epochs = "three"', "epochs is “three”; it must be a whole number"),
        ("a.toml", "epochs = true", "epochs is “True”; it must be a whole number"),
        ("a.toml", 'conditions = "dandruff"', "it must be a list"),
        ("a.toml", "\udcff", "cannot be used"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, name: str, content: str, sentence: str) -> None:
    path = tmp_path / name
    path.write_bytes(content.encode("utf-8", errors="surrogateescape"))
    with pytest.raises(ScalpError, match=sentence):
        recipe(path)


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train.main(["--recipe", str(tmp_path / "none.toml")]) == 2
    assert "none.toml cannot be used: No such file" in capsys.readouterr().err


def test_limits_hold_for_a_file_too(tiny: Dataset, folders: Folders, tmp_path: Path) -> None:
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(TINY | {"epochs": 0}), encoding="utf-8")
    with pytest.raises(ScalpError, match="epochs is “0”"):
        create_run(recipe(path))


@pytest.mark.parametrize(
    "line", ['architectures = "resnet18"', 'per_condition = "no"', "seeds = 2.5", "seeds = [1, 2]"]
)
def test_a_sweep_s_own_options_have_types_too(tmp_path: Path, line: str) -> None:
    path = tmp_path / "sweep.toml"
    path.write_text(line, encoding="utf-8")
    with pytest.raises(ScalpError, match="it must be"):
        parse(sweep._parser(), ["--recipe", str(path)])
