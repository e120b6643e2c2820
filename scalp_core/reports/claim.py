"""The items of the CLAIM checklist, and what a run says to each.

Source: Tejani et al. 2024, Checklist for Artificial Intelligence in Medical Imaging (CLAIM): 2024 Update, Radiology:
Artificial Intelligence 6(4):e240300, whose 44 items are named in brief: the article's wording is not free to be copied.
What only the author knows has no answer here.
"""

from typing import NamedTuple

from scalp_core.data.dataset import PARTS, Dataset
from scalp_core.metrics.bootstrap import REPLICATES
from scalp_core.metrics.metrics import METRICS
from scalp_core.metrics.operating_point import MIN_IMAGES
from scalp_core.runs.run import Run
from scalp_core.terms import SPLITS
from scalp_core.version import __version__


class ClaimItem(NamedTuple):
    """An item of the checklist; without an answer where only the author knows it."""

    number: int
    item: str
    answer: str


_ITEMS = (
    "AI methodology and category of technology",
    "Summary of design, methods, results and conclusions",
    "Background; intended use and role of the AI",
    "Aims, objectives and hypotheses",
    "Prospective or retrospective study",
    "Goal of the study",
    "Data sources",
    "Inclusion and exclusion criteria",
    "Data preprocessing",
    "Selection of data subsets",
    "De-identification",
    "Missing data",
    "Image acquisition protocol",
    "Reference standard: how it was obtained",
    "Reference standard: why this one",
    "Reference standard: who annotated",
    "Annotation of the test set",
    "Variability between and within annotators",
    "Partitions: how data were assigned",
    "Partitions: level at which they are disjoint",
    "Intended sample size",
    "Description of the model",
    "Software libraries, frameworks and packages",
    "Initialization of model parameters",
    "Training",
    "Selection of the final model",
    "Ensembling",
    "Metrics",
    "Statistical significance and uncertainty",
    "Robustness or sensitivity analysis",
    "Explainability or interpretability",
    "Evaluation on internal data",
    "Testing on external data",
    "Clinical trial registration",
    "Patients or examinations included and excluded",
    "Demographic and clinical characteristics in each partition",
    "Performance and its uncertainty",
    "Diagnostic performance and its precision",
    "Failure analysis",
    "Limitations",
    "Implications for practice; intended use or clinical role",
    "Reference to full protocol or technical details",
    "Availability of software, trained model and data",
    "Funding and other support; role of funders",
)


def claim_items(run: Run, dataset: Dataset | None) -> list[ClaimItem]:
    """Return the 44 items with what is known of a run.

    Args:
        dataset: that it was judged on, if it is on this machine.
    """
    answers = _data_answers(run, dataset) | _model_answers(run) | _result_answers(dataset is not None)
    if run.synthetic_data:
        answers |= _SYNTHETIC
    review = dataset.made.get("review") if dataset else None
    if isinstance(review, dict):
        answers[14] = f"{answers.get(14, '')} {review['labels']:,} labels were graded anew by readers.".strip()
    return [ClaimItem(number, item, answers.get(number, "")) for number, item in enumerate(_ITEMS, 1)]


def _data_answers(run: Run, dataset: Dataset | None) -> dict[int, str]:
    preprocessing, by = run.preprocessing, dataset.parts.get("by", "") if dataset else ""
    assigned = f"Assigned {f'by {by}' if by else 'beforehand'}. " if dataset else ""
    answers = {
        9: f"The whole picture is resized to {preprocessing.height} × {preprocessing.width} pixels "
        f"({preprocessing.interpolation}), upright, sRGB; colours are normalised inside the network.",
        12: "A condition without a label is left out of loss and figures of that picture.",
        19: f"{assigned}{_counts(run)}",
    }
    if by in ("site", "capture"):
        answers[20] = f"By {by}, near-duplicates joined: no {by} is in two splits."
    return answers


def _counts(run: Run) -> str:
    judged = run.raw_predictions.drop_duplicates("image")["part"].value_counts()
    counts = {**judged.to_dict(), "train": run.manifest.get("pictures_learned")}
    sizes = [f"{SPLITS[part].en} {counts[part]:,}" for part in PARTS if counts.get(part) is not None]
    return f"Pictures: {', '.join(sizes)}."


def _model_answers(run: Run) -> dict[int, str]:
    recipe, manifest = run.recipe, run.manifest
    libraries = ", ".join(f"{name} {version}" for name, version in manifest.get("versions", {}).items())
    rule = "calibrated, with decision rules" if run.operating_point.fitted else "the most probable grade"
    teacher = f" It also learned the evidence of {manifest['teacher']}." if manifest.get("teacher") else ""
    return {
        1: f"Deep learning: a network ({recipe.architecture}) grades conditions of the scalp from 0 to 3.",
        22: f"`model.onnx` is the whole network: 8-bit pixels in, probabilities of four grades for each condition, and "
        f"evidence maps whose mean is the logit; {run.parameters:,} parameters. Operating point: {rule}.",
        23: f"Trained with Python {manifest.get('python', '')}; {libraries}. Packed by Scalp Lab {__version__}.",
        24: manifest.get("weights_used") or "Random weights.",
        25: f"`recipe.json` has every setting: {recipe.epochs} epochs, batches of {recipe.batch_size}, AdamW with a "
        f"peak learning rate of {recipe.lr:g}, loss {recipe.loss}, sampling {recipe.sampling}, augmentation "
        f"{manifest.get('augmentation', recipe.augmentation)}, seed {recipe.seed}. Curves: `history.csv`.{teacher}",
        26: f"The epoch with the best mean QWK on validation (epoch {manifest.get('best_epoch', '–')}). Calibration "
        f"and decision rule are fitted on the calibration split, where a condition has {MIN_IMAGES} labelled pictures.",
        27: "None: one network.",
        28: ", ".join(metric.text.en for metric in METRICS.values()) + ".",
        31: "Evidence maps, whose mean is the logit.",
        41: "Research only: not a medical device, not for diagnosis.",
        43: "This pack has the trained model (`model.onnx`), every prediction, no picture. The rest is the author's.",
    }


def _result_answers(intervals: bool) -> dict[int, str]:
    """Say where in the pack results are; intervals and report are only in one that was made beside its dataset."""
    answers = {
        32: "Validation and test split: `metrics-valid.json`, `metrics-test.json`.",
        37: "`README.md`; every metric: `metrics-test.json`.",
        38: "Sensitivity and specificity at grade 2 or more: `metrics-test.json`.",
        39: "`predictions.csv` has every answer; confusion matrices: `metrics-test.json`.",
    }
    if intervals:
        answers[29] = f"95 % intervals: bootstrap of whole captures, {REPLICATES:,} resamples."
    return answers


_SYNTHETIC = {
    7: "SYNTHETIC pictures, rendered by Scalp Lab. No person was photographed.",
    11: "No person is in the data.",
    13: "None: no picture was taken.",
    14: "The severity that a picture was rendered with, as simulated raters with errors grade it.",
    40: "What is measured on synthetic pictures says nothing about real scalps.",
}
