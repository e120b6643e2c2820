"""The choices that all views of the Compare page share: models, judged on one split of a dataset."""

from dataclasses import dataclass

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
