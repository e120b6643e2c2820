"""What every view of the Compare page is about: chosen models, judged on one part of a data set. Knows no figure."""

from dataclasses import dataclass

from scalp_core.data.dataset import Dataset
from scalp_core.evaluation import comparison
from scalp_core.evaluation.comparison import Model
from scalp_core.labels import Condition
from scalp_core.metrics.alignment import AlignedPredictions
from scalp_core.metrics.paired_comparison import Comparison


@dataclass(frozen=True)
class ModelSelection:
    """The choices that the views share.

    Attributes:
        metric: as in evaluate.METRICS.
    """

    dataset: Dataset
    condition: Condition
    part: str
    sides: tuple[Model, ...]
    metric: str

    @property
    def aligned(self) -> AlignedPredictions:
        """All answers, picture by picture; kept by the core."""
        return comparison.align_runs(self.dataset, (run for side in self.sides for run in side.runs), self.part)

    @property
    def comparison(self) -> Comparison:
        """What the sides reach and how far chance goes; kept by the core."""
        return comparison.compare_models(self.dataset, self.sides, self.part)
