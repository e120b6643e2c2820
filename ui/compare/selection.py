"""The choices that all views of the Compare page share: models, judged on one split of a dataset."""

from dataclasses import dataclass

import pandas as pd

from scalp_core.data.dataset import Dataset
from scalp_core.evaluation import comparison
from scalp_core.evaluation.comparison import Model
from scalp_core.labels import Condition
from scalp_core.metrics.alignment import AlignedPredictions
from scalp_core.metrics.paired_comparison import Comparison


@dataclass(frozen=True)
class ModelSelection:
    """The shared choices.

    Attributes:
        part: split whose pictures the models are judged on.
        metric: key of METRICS.
    """

    dataset: Dataset
    condition: Condition
    part: str
    models: tuple[Model, ...]
    metric: str

    @property
    def grading_models(self) -> tuple[Model, ...]:
        """The models that grade the condition."""
        return tuple(model for model in self.models if self.condition in model.recipe.conditions)

    @property
    def aligned(self) -> AlignedPredictions:
        """The answers of all models, picture by picture; cached by the core."""
        return comparison.align_runs(self.dataset, (run for model in self.models for run in model.runs), self.part)

    @property
    def comparison(self) -> Comparison:
        """The figures of all models with their confidence intervals; cached by the core."""
        return comparison.compare_models(self.dataset, self.models, self.part)

    def figures(self, table: pd.DataFrame, **facts: object) -> pd.DataFrame:
        """Return a table of figures as programs read it: what they are of in front, and English names of columns.

        `synthetic` says that pictures were rendered, those judged on or those learned from; `leaks`, that a model was
        judged on pictures that it or an ancestor learned from.

        Args:
            table: with keys of models in `model`, maybe in `other`; `low` and `high` become `lower` and `upper`.
            facts: the same in every row, such as the metric.
        """
        models = {model.key: model for model in self.models}
        named = [[models[key] for key in keys if key in models] for keys in zip(*self._keys(table), strict=True)]
        front = {
            "dataset": self.dataset.name,
            "synthetic": [self.dataset.synthetic or _is_synthetic(row) for row in named],
            **facts,
            "model": table["model"],
            "architecture": [None if not row or row[0].external else row[0].recipe.architecture for row in named],
            "leaks": [any(overlap.leaks for model in row for overlap in model.overlaps) for row in named],
        }
        rest = {name: table[name] for name in table if name not in front}
        return pd.DataFrame(front | rest, index=table.index).rename(columns=_BOUNDS)

    @staticmethod
    def _keys(table: pd.DataFrame) -> list[pd.Series]:
        return [table[name] for name in ("model", "other") if name in table]


_BOUNDS = {"low": "lower", "high": "upper"}


def _is_synthetic(models: list[Model]) -> bool:
    return any(run.synthetic for model in models for run in model.runs)
