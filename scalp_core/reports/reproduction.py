"""Checks of an evidence pack: its network over the dataset's pictures again, and how far two answers agree."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import pandas as pd

from scalp_core import images
from scalp_core.data.dataset import Dataset, list_datasets
from scalp_core.errors import ScalpError
from scalp_core.images import Pixels, Preprocessing
from scalp_core.inference.onnx_file import OnnxFile, OnnxPreprocessing
from scalp_core.labels import GRADES, Condition
from scalp_core.metrics.metrics import PROBABILITIES, confusion, quadratic_weighted_kappa
from scalp_core.metrics.operating_point import OperatingPoint, from_json
from scalp_core.parallel import no_progress
from scalp_core.reports.evidence_pack import Pack
from scalp_core.runs.recipe import Recipe, recipe_from

SAME = 1e-4  # difference of a probability that rounding on another machine explains

Progress = Callable[[int, int], object]


def dataset_of(pack: Pack, *, judged: bool = False) -> Dataset:
    """Return the dataset on this machine with the very labels and splits that the run learned from.

    Args:
        judged: one with the pictures that it was judged on is enough.

    Raises:
        ScalpError: `no_dataset`, there is none.
    """
    name = "evaluation_hash" if judged else "index_hash"
    wanted, recipe = pack.facts[name], recipe_of(pack)
    for dataset in list_datasets():
        if getattr(dataset, name) == wanted:
            return dataset
    raise ScalpError(
        "no_dataset",
        f"No dataset here has the labels and splits of “{recipe.data}” that the run learned from (hash {wanted[:12]}…)."
        " Import or render it first.",
        f"실행이 학습한 “{recipe.data}”와 라벨·분할이 같은 데이터셋이 없어요(해시 {wanted[:12]}…). 먼저 "
        "가져오거나 만드세요.",
    )


def recipe_of(pack: Pack) -> Recipe:
    """Return the recipe of the pack's run."""
    return recipe_from(json.loads(pack.files["recipe.json"]))


def point_of(pack: Pack) -> OperatingPoint:
    """Return the operating point of the pack's run, which does not say who set it."""
    return from_json({**json.loads(pack.files["operating_point.json"]), "who": "", "why": ""})


def grade_again(pack: Pack, dataset: Dataset, progress: Progress = no_progress) -> pd.DataFrame:
    """Return the pack's predictions anew, by its own network: image, condition, part, truth, p0 … p3.

    Args:
        progress: called with (done, total) pictures.

    Raises:
        ScalpError: a picture cannot be read; `bad_onnx`.
    """
    before, model = pack.predictions, json.loads(pack.files["model.json"])
    size, interpolation = (model["height"], model["width"]), model["interpolation"]
    preprocessing = Preprocessing(*size, (0, 0, 0), (1, 1, 1), interpolation, reduced=bool(model["decoded_at_least"]))
    fields = OnnxPreprocessing(
        height=size[0],
        width=size[1],
        layout="NHWC",
        outputs=("probabilities",),
        conditions=model["conditions"],
        activation="none",
    )
    ids = before["image"].unique().tolist()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        path.write_bytes(pack.files["model.onnx"])
        network, answers = OnnxFile(path, fields), []
        for start in range(0, len(ids), network.batch):
            chunk = ids[start : start + network.batch]
            answers.append(network.probabilities(_pictures(dataset, chunk, preprocessing)))
            progress(min(start + network.batch, len(ids)), len(ids))
    rows = pd.MultiIndex.from_product([ids, model["conditions"]], names=["image", "condition"])
    table = pd.DataFrame(np.concatenate(answers).reshape(-1, len(GRADES)), index=rows, columns=PROBABILITIES)
    again = before.drop(columns=PROBABILITIES).join(table, on=["image", "condition"])
    return again[before.columns]


def _pictures(dataset: Dataset, ids: Sequence[str], preprocessing: Preprocessing) -> list[Pixels]:
    return [images.preprocess(dataset.read(image), preprocessing) for image in ids]


class Agreement(NamedTuple):
    """Agreement of two tables of predictions in one condition.

    Attributes:
        images: pictures that both answer.
        largest: largest difference of a probability.
        equal: share of pictures with the same decided grade.
        before: quadratic weighted kappa on the test split.
        after: of the second table.
    """

    condition: Condition
    images: int
    largest: float
    equal: float
    before: float
    after: float

    @property
    def same(self) -> bool:
        """Whether only rounding differs."""
        return self.largest <= SAME and self.equal == 1


def agreements(
    before: pd.DataFrame, before_point: OperatingPoint, after: pd.DataFrame, after_point: OperatingPoint
) -> list[Agreement]:
    """Compare two tables of raw predictions, each decided at its operating point, condition by condition.

    Raises:
        ScalpError: `other_pictures`, they are not about the same pictures and conditions.
    """
    keys = ["image", "condition"]
    first, second = before_point.apply(before).set_index(keys), after_point.apply(after).set_index(keys)
    if set(first.index) != set(second.index):
        raise ScalpError(
            "other_pictures",
            "The two runs do not answer for the same pictures and conditions.",
            "두 실행이 답한 사진이나 증상이 서로 달라요.",
        )
    raw = [table.set_index(keys)[PROBABILITIES] for table in (before, after)]
    distances = (raw[0] - raw[1].loc[raw[0].index]).abs().max(axis=1)
    equal = first["grade"] == second.loc[first.index, "grade"]
    return [_agreement(condition, first, second, distances, equal) for condition in _conditions(before)]


def _conditions(table: pd.DataFrame) -> list[Condition]:
    answered = set(table["condition"].unique())
    return [condition for condition in Condition if condition.value in answered]


def _agreement(
    condition: Condition, first: pd.DataFrame, second: pd.DataFrame, distances: pd.Series, equal: pd.Series
) -> Agreement:
    of_condition = first.index.get_level_values("condition") == condition.value
    before, after = (
        quadratic_weighted_kappa(confusion(table.reset_index(), condition, "test")) for table in (first, second)
    )
    largest, share = float(distances[of_condition].max()), float(equal[of_condition].mean())
    return Agreement(condition, int(of_condition.sum()), largest, share, before, after)
