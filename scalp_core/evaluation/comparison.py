"""The models that may be compared on a dataset, and their cached comparison."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache

from scalp_core.data.dataset import Dataset, open_dataset
from scalp_core.errors import ScalpError, Text
from scalp_core.inference import session
from scalp_core.labels import Condition
from scalp_core.metrics.alignment import AlignedPredictions, PartPredictions, align, arrange, in_common
from scalp_core.metrics.paired_comparison import Comparison, compare
from scalp_core.runs import external
from scalp_core.runs.ancestry import MARK, Overlap, overlap_of
from scalp_core.runs.champions import judged_on, split_readable
from scalp_core.runs.election import score
from scalp_core.runs.evaluations import EvaluatedRun, evaluated_runs
from scalp_core.runs.external import ExternalRun, external_runs
from scalp_core.runs.recipe import Recipe
from scalp_core.runs.run import Run
from scalp_core.runs.store import list_runs, source_run


@dataclass(frozen=True)
class Model:
    """One recipe with all its runs, which differ in their seed alone; most often a single one.

    Attributes:
        key: id of the earliest run; stands in addresses.
        name: the architecture, with the key behind it where several models share the architecture, and MARK where one
            of its runs is judged on pictures that were learned from. Of a model from elsewhere its own, and its mark.
        runs: at least one, by seed.
        overlaps: of each run, with the pictures that it is judged on.
    """

    key: str
    name: str
    runs: tuple[Run, ...]
    overlaps: tuple[Overlap, ...] = ()

    @property
    def recipe(self) -> Recipe:
        return self.runs[0].recipe

    @property
    def evaluated(self) -> bool:
        """Whether it is of another dataset and was judged on these pictures since (`runs.evaluations`)."""
        return isinstance(self.runs[0], EvaluatedRun)

    @property
    def external(self) -> bool:
        """Whether it comes from elsewhere (`runs.external`): it is compared, and never answers."""
        return isinstance(self.runs[0], ExternalRun)

    @property
    def parameters(self) -> int | None:
        """Parameters of its network; None of a model from elsewhere."""
        return None if self.external else self.runs[0].parameters

    @property
    def milliseconds(self) -> float | None:
        """Milliseconds for one picture on one core of this machine; None before they are measured."""
        return self.runs[0].milliseconds

    def measure_milliseconds(self) -> None:
        """Measure and store `milliseconds`, within a second or two; the first time exports the network too.

        Raises:
            ScalpError: the run is damaged or cannot be exported; the folder for runs cannot be written.
        """
        self.runs[0].write_milliseconds(session.milliseconds(self.runs[0]))


@dataclass(frozen=True)
class ExcludedRun:
    """A finished run that cannot be compared, and why.

    Attributes:
        can_be_judged: it could be compared once it is judged on these pictures (`inference.evaluate`).
    """

    run: Run
    reason: Text
    can_be_judged: bool = False


def list_candidates(dataset: Dataset) -> tuple[list[Model], list[ExcludedRun]]:
    """Return the models that may be compared on the pictures of a dataset, by name, and the excluded finished runs.

    They are those that were judged on these pictures when they were trained, those of other datasets that were judged
    on them since (`inference.evaluate`), and models from elsewhere (`runs.external`).
    """
    finished, damaged = split_readable(run for run in list_runs() if run.finished)
    evaluated, damaged_answers = evaluated_runs(dataset)
    readable = {run.id for run in finished}
    by_id = {run.id: run for run in (*judged_on(dataset), *evaluated) if run.id in readable}
    elsewhere, damaged_elsewhere = external_runs(dataset)
    judged = [*(by_id[run.id] for run in finished if run.id in by_id), *elsewhere]
    by_recipe: dict[tuple[Recipe, str], dict[int, list[Run]]] = {}
    for run in judged:
        seeds = by_recipe.setdefault((replace(run.recipe, seed=0), run.index_hash), {})
        seeds.setdefault(run.recipe.seed, []).append(run)
    damaged |= {run: error for run, error in damaged_answers.items() if run.id in readable}
    excluded = [ExcludedRun(run, error.text, run in damaged_answers) for run, error in damaged.items()]
    excluded += [ExcludedRun(run, error.text) for run, error in damaged_elsewhere.items()]
    # Runs of other datasets' folds would be many, and are samples of a recipe.
    others = (run for run in finished if run.id not in by_id and run not in damaged and not run.fold)
    excluded += [ExcludedRun(run, _reason(run, dataset), can_be_judged=True) for run in others]
    for seeds in by_recipe.values():
        for *earlier, latest in seeds.values():
            excluded += [ExcludedRun(run, _trained_again(latest)) for run in earlier]
    models = _name_models([tuple(seeds[seed][-1] for seed in sorted(seeds)) for seeds in by_recipe.values()])
    models = [_with_overlaps(model, dataset) for model in models]
    return sorted(models, key=lambda model: model.name), excluded


def without_partial(models: Sequence[Model], dataset: Dataset, part: str) -> tuple[list[Model], list[ExcludedRun]]:
    """Return the models that answer a whole split, and models from elsewhere that do not.

    Comparing all models of a dataset on the few pictures that such a one answers would hide what the others can.
    """
    ids = dataset.column("id")[(dataset.column("part") == part).to_numpy(dtype=bool)]
    whole, partial = [], []
    for model in models:
        answered = int(ids.isin(model.runs[0].raw_predictions["image"].unique()).sum()) if model.external else len(ids)
        if answered == len(ids):
            whole.append(model)
        else:
            partial.append(ExcludedRun(model.runs[0], _partial(answered, len(ids))))
    return whole, partial


def _partial(answered: int, pictures: int) -> Text:
    return Text(
        f"answers {answered:,} of {pictures:,} pictures of this split; compared where it is named",
        f"이 분할의 사진 {pictures:,}장 중 {answered:,}장에만 답함. 직접 고르면 비교됨",
    )


def _with_overlaps(model: Model, dataset: Dataset) -> Model:
    overlaps = tuple(overlap_of(run, dataset) for run in model.runs)
    name = f"{model.name} {MARK}" if any(overlap.leaks for overlap in overlaps) else model.name
    name = f"{name} {external.MARK}" if model.external else name
    return replace(model, name=name, overlaps=overlaps)


def _reason(run: Run, dataset: Dataset) -> Text:
    if run.recipe.data == dataset.name:
        return Text(
            "evaluated on other pictures, labels or splits than the dataset has now",
            "지금의 데이터셋과 다른 사진·라벨·분할로 평가됨",
        )
    name = run.recipe.data
    return Text(f"evaluated on another dataset, “{name}”", f"다른 데이터셋 “{name}”에서 평가됨")


def _trained_again(run: Run) -> Text:
    return Text(f"retrained with the same recipe and seed: {run.id}", f"같은 설정과 시드로 다시 학습됨: {run.id}")


def _name_models(groups: Sequence[tuple[Run, ...]]) -> list[Model]:
    architectures = [runs[0].recipe.architecture for runs in groups]
    models = []
    for runs, architecture in zip(groups, architectures, strict=True):
        key = min(runs, key=lambda run: (run.created, run.id)).id
        alone = architectures.count(architecture) == 1
        models.append(Model(key, architecture if alone else f"{architecture} · {key}", runs))
    return models


def leak_warnings(models: Iterable[Model]) -> tuple[list[Text], list[Text]]:
    """Return a sentence for each run that is judged on pictures which were learned from, and a note about the unknown.

    The note is a single sentence about all runs of which it is not known what they or their ancestors learned from.
    """
    overlaps = [(run, overlap) for model in models for run, overlap in zip(model.runs, model.overlaps, strict=False)]
    leaks = [overlap.text(f"{MARK} {run.id}") for run, overlap in overlaps if overlap.leaks]
    unknown = [(run, overlap) for run, overlap in overlaps if not overlap.leaks and not overlap.complete]
    notes = [overlap.text(", ".join(run.id for run, _ in unknown)) for _, overlap in unknown[:1]]
    return [text for text in leaks if text], [text for text in notes if text]


def newest_and_best(models: Sequence[Model], condition: Condition, most: int = 5) -> list[str]:
    """Return keys of the models to look at first in a condition: the newest, and the best by kappa on validation.

    All of them learned from the newest one's dataset, or from those of the runs that it started from: others differ in
    what they were taught, not in how. Runs of other datasets are among them that were judged on these pictures to be
    compared.
    """
    kappas = {model.key: score(model.runs[0], condition, "valid") for model in models}
    grading = [model for model in models if kappas[model.key] is not None] or list(models)
    if not grading:
        return []
    trained_here = [model for model in grading if not model.evaluated] or grading
    newest = max(trained_here, key=lambda model: max(run.created for run in model.runs))
    datasets = _datasets_behind(newest.runs[0])
    alike = [model for model in grading if model.recipe.data in datasets or model.evaluated]
    best = sorted(alike, key=lambda model: -(kappas[model.key] or 0.0))
    return list(dict.fromkeys(model.key for model in (newest, *best)))[:most]


def _datasets_behind(run: Run) -> set[str]:
    """Return the names of the datasets that a run, and those that it started from, learned from."""
    names, source = {run.recipe.data}, run
    with suppress(ScalpError):  # a run before it is not there any more
        while (earlier := source_run(source.recipe)) and earlier.created < source.created:
            names.add(earlier.recipe.data)
            source = earlier
    return names


# ---- aligned and compared; cached until a run or the dataset changes ----

# Memory of the caches with five runs and 100,000 pictures in the part: 57 MB a set of aligned predictions, 5 MB a
# comparison, 20 MB the predictions of one run.


def align_runs(dataset: Dataset, runs: Iterable[Run], part: str) -> AlignedPredictions:
    """Return the predictions of several runs for the pictures of one part, aligned; shared, so not to be changed.

    Where one is a run of another dataset, all are judged on the pictures that it did not learn from.

    Raises:
        ScalpError: they were judged on different pictures, one is named twice, or their tables hold different ones.
        ValueError: `runs` is empty.
    """
    return _align_runs(dataset.name, dataset.version, tuple((run, run.changed_ns) for run in runs), part)


@lru_cache(maxsize=4)
def _align_runs(data: str, version: int, runs: tuple[tuple[Run, int], ...], part: str) -> AlignedPredictions:
    if len({run.evaluation_hash for run, _ in runs}) > 1 or len({run.id for run, _ in runs}) < len(runs):
        raise _not_judged_alike(run.id for run, _ in runs)
    predictions = {run.id: _arrange(run, changed_ns, part) for run, changed_ns in runs}
    if any(isinstance(run, EvaluatedRun) for run, _ in runs):
        predictions = in_common(predictions)
    try:
        return align(predictions, _captures(data, version, part))
    except ValueError as error:
        if not predictions:
            raise
        raise _not_alike(predictions) from error


@lru_cache(maxsize=4)
def _captures(data: str, _version: int, part: str) -> dict[str, object]:
    # Cached, as reading the captures takes longer than aligning the predictions.
    dataset = open_dataset(data)
    rows = (dataset.column("part") == part).to_numpy()
    ids, captures = (dataset.column(name)[rows].to_numpy(dtype=object) for name in ("id", "capture"))
    return dict(zip(ids, captures, strict=True))


def _not_judged_alike(run_ids: Iterable[str]) -> ScalpError:
    """Return the error that runs were judged on different pictures, or one of them is named twice."""
    listed = ", ".join(run_ids)
    return ScalpError(
        "not_alike",
        f"These runs were not judged on the same pictures, or one is named twice: {listed}. Judge them on one dataset: "
        "python -m training.evaluate RUN --data NAME",
        f"같은 사진으로 평가하지 않았거나 두 번 적은 실행이 있어요: {listed}. 한 데이터셋으로 평가하세요: "
        "python -m training.evaluate 실행 --data 이름",
    )


def _not_alike(run_ids: Iterable[str]) -> ScalpError:
    """The recipes name the same pictures, so a table or a recipe was changed afterwards."""
    listed = ", ".join(run_ids)
    return ScalpError(
        "not_alike",
        f"These runs' predictions are not about the same pictures and labels, although their recipes say so: {listed}. "
        "Remove one, or retrain it.",
        f"설정에는 같은 사진과 라벨로 평가했다고 되어 있지만 predictions.parquet의 내용이 서로 달라요: {listed}. "
        "하나를 빼거나 다시 학습하세요.",
    )


@lru_cache(maxsize=32)
def _arrange(run: Run, _changed_ns: int, part: str) -> PartPredictions:
    return arrange(run.predictions, part)


def compare_models(dataset: Dataset, models: Sequence[Model], part: str) -> Comparison:
    """Return the comparison of models by their keys; shared, so not to be changed."""
    return _compare_models(dataset.name, dataset.version, versioned(models), part)


VersionedModels = tuple[tuple[str, tuple[tuple[Run, int], ...]], ...]


def versioned(models: Iterable[Model]) -> VersionedModels:
    """Return keys, runs and when these changed: under them what is computed from models may be kept."""
    return tuple((model.key, tuple((run, run.changed_ns) for run in model.runs)) for model in models)


@lru_cache(maxsize=16)
def _compare_models(data: str, version: int, models: VersionedModels, part: str) -> Comparison:
    runs = tuple(versioned_run for _, runs in models for versioned_run in runs)
    run_ids = {key: [run.id for run, _ in runs] for key, runs in models}
    return compare(_align_runs(data, version, runs, part), run_ids)
