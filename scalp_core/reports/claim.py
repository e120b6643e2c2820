"""The items of the CLAIM checklist, and what a run says to each.

Source: Mongan, Moy & Kahn 2020, Checklist for Artificial Intelligence in Medical Imaging, Radiology: Artificial
Intelligence 2(2):e200029. What only the author knows has no answer here.
"""

from typing import NamedTuple

from scalp_core.data.dataset import Dataset
from scalp_core.data.splits import PART_SHARES
from scalp_core.metrics.bootstrap import REPLICATES
from scalp_core.metrics.metrics import METRICS
from scalp_core.metrics.operating_point import MIN_IMAGES
from scalp_core.runs.run import Run
from scalp_core.version import __version__


class ClaimItem(NamedTuple):
    """An item of the checklist; without an answer where only the author knows it."""

    number: int
    item: str
    answer: str


_ITEMS = (
    "Identification as a study of AI methodology, specifying the category of technology used",
    "Structured summary of study design, methods, results and conclusions",
    "Scientific and clinical background, including the intended use and clinical role of the AI approach",
    "Study objectives and hypotheses",
    "Prospective or retrospective study",
    "Study goal, such as model creation, exploratory study, feasibility study, noninferiority trial",
    "Data sources",
    "Eligibility criteria: how, where, and when potentially eligible participants or studies were identified",
    "Data preprocessing steps",
    "Selection of data subsets, if applicable",
    "Definitions of data elements, with references to common data elements",
    "De-identification methods",
    "How missing data were handled",
    "Definition of ground truth reference standard, in sufficient detail to allow replication",
    "Rationale for choosing the reference standard",
    "Source of ground truth annotations; qualifications and preparation of annotators",
    "Annotation tools",
    "Measurement of inter- and intrarater variability; methods to mitigate variability",
    "Intended sample size and how it was determined",
    "How data were assigned to partitions; specify proportions",
    "Level at which partitions are disjoint",
    "Detailed description of model, including inputs, outputs, all intermediate layers and connections",
    "Software libraries, frameworks, and packages",
    "Initialization of model parameters",
    "Details of training approach, including data augmentation, hyperparameters, number of models trained",
    "Method of selecting the final model",
    "Ensembling techniques, if applicable",
    "Metrics of model performance",
    "Statistical measures of significance and uncertainty",
    "Robustness or sensitivity analysis",
    "Methods for explainability or interpretability, and how they were validated",
    "Validation or testing on external data",
    "Flow of participants or cases, using a diagram to indicate inclusion and exclusion",
    "Demographic and clinical characteristics of cases in each partition",
    "Performance metrics for optimal model(s) on all data partitions",
    "Estimates of diagnostic accuracy and their precision",
    "Failure analysis of incorrectly classified cases",
    "Study limitations, including potential bias, statistical uncertainty, and generalizability",
    "Implications for practice, including the intended use and/or clinical role",
    "Registration number and name of registry",
    "Where the full study protocol can be accessed",
    "Sources of funding and other support; role of funders",
)


def claim_items(run: Run, dataset: Dataset | None) -> list[ClaimItem]:
    """Return the 42 items with what is known of a run.

    Args:
        dataset: that it was judged on, if it is on this machine.
    """
    answers = _model_answers(run) | (_data_answers(run, dataset) if dataset else {})
    return [ClaimItem(number, item, answers.get(number, "")) for number, item in enumerate(_ITEMS, 1)]


def _model_answers(run: Run) -> dict[int, str]:
    recipe, preprocessing, manifest = run.recipe, run.preprocessing, run.manifest
    libraries = ", ".join(f"{name} {version}" for name, version in manifest.get("versions", {}).items())
    rule = "calibrated, with decision rules" if run.operating_point.fitted else "the most probable grade"
    return {
        1: f"Deep learning: a network ({recipe.architecture}) grades conditions of the scalp from 0 to 3.",
        9: f"The whole picture is resized to {preprocessing.height} × {preprocessing.width} pixels "
        f"({preprocessing.interpolation}), upright, sRGB; colours are normalised inside the network.",
        11: "Conditions of the scalp, each graded 0 normal, 1 mild, 2 moderate, 3 severe. Names: `model.json`.",
        22: f"`model.onnx` is the whole network: 8-bit pixels in, probabilities of four grades for each condition, and "
        f"evidence maps whose mean is the logit; {run.parameters:,} parameters. Operating point: {rule}.",
        23: f"Scalp Lab {__version__}, Python {manifest.get('python', '')}; {libraries}.",
        24: manifest.get("weights_used") or "Random weights.",
        25: f"`recipe.json` has every setting: {recipe.epochs} epochs, batches of {recipe.batch_size}, AdamW with a "
        f"peak learning rate of {recipe.lr:g}, loss {recipe.loss}, sampling {recipe.sampling}, augmentation "
        f"{manifest.get('augmentation', recipe.augmentation)}, seed {recipe.seed}. Curves: `history.csv`.",
        26: f"The epoch with the best mean QWK on validation (epoch {manifest.get('best_epoch', '–')}). Calibration "
        f"and decision rule are fitted on the calibration split, where a condition has {MIN_IMAGES} labelled pictures.",
        27: "None.",
        28: ", ".join(metric.text.en for metric in METRICS.values()) + ".",
        29: f"95 % intervals: bootstrap of whole captures, {REPLICATES:,} resamples.",
        31: "Evidence maps that add up to the logits exactly.",
        35: "`metrics-test.json`, `metrics-valid.json`.",
        36: "`README.md`; every metric with its interval in `metrics-test.json`.",
        37: "`predictions.csv` has every answer; `report.html` the confusion matrices.",
        39: "Research only: not a medical device, not for diagnosis.",
    }


def _data_answers(run: Run, dataset: Dataset) -> dict[int, str]:
    by = dataset.parts.get("by", "")
    shares = ", ".join(f"{part} {share:.0%}" for part, share in PART_SHARES.items())
    answers = {
        13: "A condition without a label is left out of loss and figures of that picture.",
        20: f"Assigned {'by ' + str(by) if by else 'beforehand'}; usual shares {shares}, balanced over all grades.",
    }
    if by in ("site", "capture"):
        answers[21] = f"By {by}, near-duplicates joined: no {by} is in two splits."
    if dataset.synthetic:
        answers |= {
            7: "SYNTHETIC pictures, rendered by Scalp Lab. No person was photographed.",
            12: "No person is in the data.",
            14: "The severity that a picture was rendered with, as simulated raters with errors grade it.",
            38: "What is measured on synthetic pictures says nothing about real scalps.",
        }
    return answers
