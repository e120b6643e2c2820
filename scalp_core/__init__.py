"""Scalp Lab's core, and its Python interface: `import scalp_core as scalp`, then `scalp.grade("picture.jpg")`.

Research only, not a medical device. Everything is imported on first use; only `train` needs torch.
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scalp_core.surroundings import settle
from scalp_core.version import __version__ as __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    from PIL import Image

    from scalp_core.data.dataset import Dataset as Dataset
    from scalp_core.errors import ScalpError as ScalpError
    from scalp_core.inference.predict import Answer
    from scalp_core.labels import CONDITIONS as CONDITIONS
    from scalp_core.labels import Condition as Condition
    from scalp_core.metrics.paired_comparison import Comparison
    from scalp_core.runs.recipe import Recipe as Recipe
    from scalp_core.runs.run import Run as Run

    Picture = str | os.PathLike[str] | bytes | Image.Image | npt.NDArray[np.uint8]

__all__ = [
    "CONDITIONS",
    "Condition",
    "Dataset",
    "Recipe",
    "Run",
    "ScalpError",
    "add_external",
    "add_onnx",
    "compare",
    "compare_pairs",
    "evaluate",
    "external_models",
    "grade",
    "grade_many",
    "list_datasets",
    "list_runs",
    "load_run",
    "open_dataset",
    "predictions",
    "train",
]

_MODULES = {
    "CONDITIONS": "labels",
    "Condition": "labels",
    "Dataset": "data.dataset",
    "Recipe": "runs.recipe",
    "Run": "runs.run",
    "ScalpError": "errors",
}

settle()

if os.environ.get("SCALP_RUNTIME") == "torch":
    # Seconds and 300 MB that are spent only where torch is to answer: the runtime registers itself.
    from scalp_core.learning import torch_session as torch_session


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def list_datasets() -> "list[Dataset]":
    """Return the datasets in `SCALP_DATA`, real ones first, then by name."""
    from scalp_core.data import dataset

    return dataset.list_datasets()


def open_dataset(name: str) -> "pd.DataFrame":
    """Return a dataset as a table of its own: one row an image, by id.

    `part` is the split (train, valid, calib, test), `value_1` … `value_6` are the labels (Int8, missing where
    unlabelled); site, device, capture and image measures stand beside them.

    Raises:
        ScalpError: `no_dataset`, there is none of that name.
    """
    from scalp_core.data import dataset

    return dataset.open_dataset(name).index.copy()


def list_runs() -> "pd.DataFrame":
    """Return all runs in order of creation: id, state, architecture, data, conditions, synthetic."""
    import pandas as pd

    from scalp_core.runs import store

    rows = [
        {
            "id": run.id,
            "state": str(run.state),
            "architecture": run.recipe.architecture,
            "data": run.recipe.data,
            "conditions": [str(condition) for condition in run.recipe.conditions],
            "synthetic": run.synthetic,
        }
        for run in store.list_runs()
    ]
    return pd.DataFrame(rows, columns=["id", "state", "architecture", "data", "conditions", "synthetic"])


def load_run(run_id: str) -> "Run":
    """Return a finished run.

    Raises:
        ScalpError: `no_run`, `run_not_finished`, or a file of it is missing.
    """
    from scalp_core.runs import store

    return store.find_finished(run_id)


def predictions(run: "Run | str") -> "pd.DataFrame":
    """Return a run's predictions: image, condition, part, truth, calibrated p0 … p3, grade, and the grade set low–high.

    Raises:
        ScalpError: as `load_run`, or the table is damaged.
    """
    return _run(run).predictions.copy()


def evaluate(run: "Run | str", data: str) -> "Run":
    """Judge a finished run on another dataset than its own, and return it with its answers to these pictures.

    `predictions`, `compare` and `compare_pairs` of what is returned speak of them. Pictures of the training split are
    not graded, nor those that the run or one before it learned from.

    Raises:
        ScalpError: as `load_run`; `no_dataset`; `judged_already`; `nothing_to_judge`.
    """
    from scalp_core.data import dataset
    from scalp_core.inference import evaluate

    return evaluate.evaluate(_run(run), dataset.open_dataset(data))


def grade(picture: "Picture", run: "Run | str | None" = None) -> "Answer":
    """Grade one picture by the run that answers for each condition, or by `run`.

    Args:
        picture: a path, the bytes of a file (JPEG, PNG, WebP, BMP, TIFF), a PIL image, or an array (height, width, 3)
            uint8 RGB.

    Returns:
        `gradings` by condition (grade, grade_set, probabilities, evidence, run), `scalp_type`, `gradable`, `reasons`.

    Raises:
        ScalpError: not a picture, too large, no run answers, or a run is damaged.
    """
    from scalp_core.inference import predict

    return predict.graders(run=_run(run) if run else None).grade(_content(picture))


def grade_many(pictures: "Iterable[Picture]", run: "Run | str | None" = None) -> "pd.DataFrame":
    """Grade pictures into a table: a row each, with the columns of `inference.results_table.schema`.

    What cannot be graded has a row too: `status` is the code of the error and `message` its text. Folders and zip files
    of any size are graded by `scalp-lab predict`.

    Args:
        pictures: as in `grade`; `path` is the path of a picture, or its number.

    Raises:
        ScalpError: no run answers, or a run is damaged.
    """
    import pandas as pd

    from scalp_core.errors import ScalpError
    from scalp_core.inference import predict, results_table

    graders = predict.graders(run=_run(run) if run else None)
    graders.load()
    rows = []
    for number, picture in enumerate(pictures):
        name = os.fspath(picture) if isinstance(picture, str | os.PathLike) else str(number)
        try:
            result: Answer | ScalpError = graders.grade(_content(picture))
        except ScalpError as error:
            result = error
        rows.append(results_table.row(name, result))
    return pd.DataFrame(rows, columns=results_table.schema(list(graders.runs)).names)


def add_external(
    name: str, data: str, predictions: "str | os.PathLike[str] | pd.DataFrame", about: str = "", link: str = ""
) -> "Run":
    """Add a model from elsewhere by its predictions for a dataset, to be compared with runs; it never grades here.

    Args:
        name: lower-case letters, digits, “_” and “-”.
        data: name of the dataset.
        predictions: columns image (id), condition and p0 … p3, or grade alone; CSV, .xlsx, Parquet or a table.
        about: what it is.
        link: where more is said about it.

    Raises:
        ScalpError: `bad_table` and the like, the first row that is wrong; the name is malformed or taken.
    """
    from scalp_core.data import dataset as datasets
    from scalp_core.importing.prediction_file import read_predictions
    from scalp_core.runs import external

    dataset = datasets.open_dataset(data)
    source = Path(predictions) if isinstance(predictions, str | os.PathLike) else predictions
    answers = read_predictions(source, dataset)
    return external.add_external(name, dataset, answers.table, about, link, answers.grades_alone)


def add_onnx(
    name: str,
    data: str,
    file: "str | os.PathLike[str]",
    preprocessing: "str | os.PathLike[str] | Mapping[str, object]",
    about: str = "",
    link: str = "",
    progress: "Callable[[int, int], object] | None" = None,
) -> "Run":
    """Add a model from elsewhere by its ONNX file: it grades the pictures of a dataset now, and answers nothing later.

    Args:
        name: lower-case letters, digits, “_” and “-”.
        data: name of the dataset; its training split is left out.
        file: takes a batch of pictures, and gives logits or probabilities of four grades for each condition.
        preprocessing: of `inference.onnx_file.OnnxPreprocessing`, as a JSON file or its fields.
        about: what it is; the file's name and SHA-256 where it is empty.
        link: where more is said about it.
        progress: called with (done, total) pictures.

    Raises:
        ScalpError: `bad_onnx`, `bad_preprocessing`; `nothing_to_judge`; the name is malformed or taken.
    """
    from scalp_core.data import dataset as datasets
    from scalp_core.files import sha256
    from scalp_core.inference import onnx_file
    from scalp_core.parallel import no_progress
    from scalp_core.runs import external

    dataset, path = datasets.open_dataset(data), Path(file)
    external.check_free(name, dataset)
    fields = onnx_file.read_preprocessing(
        Path(preprocessing) if isinstance(preprocessing, str | os.PathLike) else preprocessing
    )
    table = onnx_file.predict_dataset(path, fields, dataset, progress or no_progress)
    return external.add_external(name, dataset, table, about or f"{path.name}, SHA-256 {sha256(path)}", link)


def external_models(data: str) -> "list[Run]":
    """Return the models from elsewhere that have predictions for a dataset, for `compare` and `predictions`."""
    from scalp_core.data import dataset as datasets
    from scalp_core.runs import external

    return [*external.external_runs(datasets.open_dataset(data))[0]]


def compare(
    runs: "Sequence[Run | str]", metric: str = "quadratic_weighted_kappa", split: str = "test"
) -> "pd.DataFrame":
    """Return every run's value of a metric in every condition: run, condition, value, low, high, images.

    low–high is the 95 % interval of a bootstrap over captures (`metrics.paired_comparison`).

    Args:
        metric: a key of `metrics.metrics.METRICS`.
        split: valid, calib or test.

    Raises:
        ScalpError: the runs were evaluated on different pictures, or on pictures that are not on this machine.
    """
    import pandas as pd

    comparison = _compare(runs, split)
    rows = []
    for condition, images in zip(comparison.conditions, comparison.images, strict=True):
        for run_id in comparison.graded(condition, metric):
            estimate = comparison.estimate(metric, run_id, condition)
            rows.append((run_id, str(condition), estimate.value, estimate.low, estimate.high, int(images)))
    return pd.DataFrame(rows, columns=["run", "condition", "value", "low", "high", "images"])


def compare_pairs(
    runs: "Sequence[Run | str]",
    condition: "Condition | str",
    metric: str = "quadratic_weighted_kappa",
    split: str = "test",
) -> "pd.DataFrame":
    """Return the paired comparison of every two runs in a condition.

    Columns: run, other, difference (run − other, positive where run is better), its interval low–high, p, p_holm
    (Holm 1979, over all pairs) and verdict.

    Raises:
        ScalpError: as `compare`; `bad_condition`, there is no such condition.
    """
    from scalp_core.labels import find_condition

    table = _compare(runs, split).pairs(metric, find_condition(condition))
    return table.rename(columns={"model": "run"})


def train(recipe: "Recipe", run_id: str | None = None) -> "Run":
    """Train a recipe in this process and return the finished run; `scalp-lab train` does so in one of its own.

    Of all six conditions, those that the dataset has no labels for are left out.

    Stopped, the run goes on from its last checkpoint when `scalp-lab train --resume ID` is started.

    Raises:
        ScalpError: the recipe cannot be trained, or the id is taken.
    """
    from scalp_core.learning.train import fit_gate
    from scalp_core.learning.train import train as learn
    from scalp_core.runs import queue
    from scalp_core.runs.training_labels import without_unlabelled

    run = queue.create_run(without_unlabelled(recipe), run_id)
    with run.lock():
        learn(run)
        fit_gate(run)
    return run


def _run(run: "Run | str") -> "Run":
    return load_run(run) if isinstance(run, str) else run


def _content(picture: "Picture") -> bytes:
    """Return the bytes of a picture file; pixels become a PNG, which loses nothing."""
    if isinstance(picture, bytes):
        return picture
    if isinstance(picture, str | os.PathLike):
        return Path(picture).read_bytes()
    from io import BytesIO

    from PIL import Image

    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    file = BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def _compare(runs: "Sequence[Run | str]", split: str) -> "Comparison":
    from scalp_core.evaluation.comparison import Model, compare_models
    from scalp_core.runs.champions import evaluation_dataset

    loaded = [_run(run) for run in runs]
    models = [Model(run.id, run.id, (run,)) for run in loaded]
    return compare_models(evaluation_dataset(loaded[0]), models, split)
