"""Prediction tables for tests of comparing: as runs keep them, of grades that the test chooses."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from scalp_core.labels import Condition
from scalp_core.metrics.alignment import AlignedPredictions, align, arrange
from scalp_core.metrics.metrics import PROBABILITIES
from scalp_core.runs.run import Run

Column = Sequence[int | None] | npt.NDArray[np.integer]

SEBUM, DANDRUFF = Condition.EXCESS_SEBUM, Condition.DANDRUFF


def prediction_table(
    truth: Column, grades: Column, condition: Condition = SEBUM, part: str = "test", images: Sequence[str] = ()
) -> pd.DataFrame:
    """One condition's answers; images are called 000, 001, … unless they have names."""
    decided = np.array(grades, dtype=np.int64)
    made = pd.DataFrame(0.1 + 0.6 * np.eye(4)[decided], columns=PROBABILITIES)
    return made.assign(
        image=list(images) or [f"{number:03d}" for number in range(len(decided))],
        condition=condition.value,
        part=part,
        truth=pd.array(list(truth), dtype="Int8"),
        grade=pd.array(decided, dtype="Int8"),
        low=pd.array(np.maximum(decided - 1, 0), dtype="Int8"),
        high=pd.array(decided, dtype="Int8"),
    )


def align_tables(tables: Mapping[str, pd.DataFrame], in_group: int = 1) -> AlignedPredictions:
    """The runs' answers; so many images in a row are one group."""
    answers = {name: arrange(entry, "test") for name, entry in tables.items()}
    images = next(iter(answers.values())).images
    return align(answers, {image: f"capture {number // in_group}" for number, image in enumerate(images)})


def add_noise(truth: npt.NDArray[np.int64], share: float, generator: np.random.Generator) -> npt.NDArray[np.int64]:
    """The truth with that share of answers one grade off."""
    moved = np.where(truth == 0, 1, truth - 1)
    return np.where(generator.random(len(truth)) < share, moved, truth)


def images_in_cell(predictions: pd.DataFrame, condition: str, part: str, truth: int, predicted: int) -> list[str]:
    """Ids of the pictures that make up one cell of a confusion matrix, picture by picture."""
    rows = predictions[(predictions["condition"] == condition) & (predictions["part"] == part)]
    return list(rows["image"][(rows["truth"] == truth).fillna(False) & (rows["grade"] == predicted).fillna(False)])


def reach_floor(run: Run) -> None:
    """Add validation pictures that a run has right, as many as it takes to answer by itself."""
    table = pd.read_parquet(run.predictions_path)
    grades = np.arange(80) % 4
    pictures = pd.DataFrame(np.eye(4)[grades] * 0.9 + 0.025, columns=PROBABILITIES).assign(
        image=[f"more-{number}" for number in range(80)],
        part="valid",
        truth=pd.array(grades, dtype="Int8"),
        capture=range(1000, 1080),
    )
    added = [pictures.assign(condition=condition.value) for condition in run.recipe.conditions]
    pd.concat([table, *added], ignore_index=True).astype(table.dtypes.to_dict()).to_parquet(run.predictions_path)
    run.write_manifest({key: value for key, value in run.manifest.items() if key != "files"})
