"""A flipped bit never gives other values without a word: every kind of file, read through what pages and REST read.

Few flips of each kind by default. All of it, with a table of counts (some ten minutes):

    SCALP_BIT_FLIPS=200 SCALP_DAMAGES=110 pytest -s tests/test_bit_rot.py
"""

import hashlib
import os
import random
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import Folders, Trained, promote_everywhere
from fastapi.testclient import TestClient
from filelock import FileLock
from support.aihub_tree import build_tree
from support.app_driver import open_page, page_text
from support.prediction_tables import reach_floor
from support.rest_client import image_form
from support.sharpness_gate import write_sharpness_gate
from support.training_fixtures import RECIPE, assert_same_outcome, train_run

from scalp_core.data.dataset import Dataset, damaged_datasets, list_datasets, open_dataset
from scalp_core.data.image_sources import find_images
from scalp_core.data.thumbnails import thumbnail
from scalp_core.errors import ScalpError
from scalp_core.importing import background
from scalp_core.importing.importer import ImportRequest, database_path, import_tree, read_fault_list, read_report
from scalp_core.inference import embeddings, input_gate, predict
from scalp_core.inference.batch import BatchRequest, grade_all
from scalp_core.learning.checkpoints import read_checkpoint, write_checkpoint
from scalp_core.learning.pixel_cache import cached_pixels
from scalp_core.metrics.operating_point import Decision, with_decision
from scalp_core.rest import app
from scalp_core.runs import champions, duration
from scalp_core.runs.champions import left_out, promote
from scalp_core.runs.queue import create_run
from scalp_core.runs.run import Progress, Run, Serving
from scalp_core.runs.store import damaged_runs, list_runs
from scalp_core.seals import write_sealed_json

FLIPS = int(os.environ.get("SCALP_BIT_FLIPS", "2"))
DAMAGES = int(os.environ.get("SCALP_DAMAGES", "1"))

Values = Mapping[str, object]  # what is shown, by name


@dataclass(frozen=True)
class Kind:
    """One kind of file.

    Attributes:
        path: of the file that is damaged.
        read: all values that depend on it, as pages, REST and training get them; a name may be missing: left out.
        words: sentences that name what is damaged.
        again: whether a damaged file is made again, so that the values stay as they were.
    """

    path: Path
    read: Callable[[], Values]
    words: Callable[[], list[ScalpError]] = list
    again: bool = False


def digest(values: object) -> str:
    """Values in short, arrays and tables by their content."""
    if isinstance(values, pd.DataFrame):
        return hashlib.sha256(values.to_csv().encode()).hexdigest()
    if isinstance(values, np.ndarray):
        return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()
    return hashlib.sha256(values if isinstance(values, bytes) else repr(values).encode()).hexdigest()


def of_datasets() -> Values:
    return {
        f"{dataset.name}/{name}": digest(value)
        for dataset in list_datasets()
        for name, value in {
            "description": (dataset.kind, dataset.created, dataset.made, dataset.source, dataset.parts),
            "hashes": (dataset.index_hash, dataset.evaluation_hash),
            "index": dataset.index,
            "columns": [dataset.column(name).tolist() for name in dataset.columns],
        }.items()
    }


def of_runs() -> Values:
    """All that lists, pages and reports take from runs, and who answers."""
    values: dict[str, object] = {}
    for run in list_runs():
        read: dict[str, Callable[[], Any]] = {
            "recipe": lambda run=run: (run.recipe, run.index_hash, run.evaluation_hash, run.synthetic, run.created),
            "state": lambda run=run: run.state,
            "history": lambda run=run: run.history,
            "manifest": lambda run=run: sorted(map(repr, run.manifest.items())),
            "preprocessing": lambda run=run: run.preprocessing,
            "learned": lambda run=run: run.learned and (sorted(run.learned[0]), run.learned[1]),
            "raw": lambda run=run: run.raw_predictions,
            "predictions": lambda run=run: run.predictions,
            "point": lambda run=run: run.operating_point,
            "report": lambda run=run: champions.run_report(run),
            "gate": lambda run=run: gate_of(run),
        }
        # These may be missing, when they were not measured or exported.
        optional = {
            "serving": run.serving if run.finished and run.complete and run.serving != Serving() else None,
            "milliseconds": run.milliseconds,
            "difference": run.export_difference,
            "progress": run.progress,
        }
        finished_only = {"manifest", "raw", "predictions", "report", "gate"}
        for name, value in read.items():
            if name in finished_only and not run.finished:
                continue
            try:
                values[f"{run.id}/{name}"] = digest(value())
            except ScalpError:  # named: see `words`
                continue
        values |= {f"{run.id}/{point.made}": digest(point) for point in run.earlier_operating_points if run.finished}
        values |= {f"{run.id}/{name}": digest(value) for name, value in optional.items() if value is not None}
    return values | of_champions()


def of_champions() -> Values:
    answering = {str(condition): (each.run.id, each.pinned) for condition, each in champions.champions().items()}
    return answering | {change.time: digest(change) for change in champions.changes()}


def gate_of(run: Run) -> object:
    gate = input_gate.read(run.gate_path, run.manifest["files"]["model.safetensors"])
    if gate is None:
        raise ScalpError("no_gate", "The pictures are not checked.", "사진을 검사하지 않아요.")
    distance = [digest(value) for value in vars(gate.distance).values()]
    return gate.limits, distance, sorted(gate.facts.items())


def damaged_pins() -> list[ScalpError]:
    try:
        champions.pins()
    except ScalpError as error:
        return [error]
    return []


def words_of_runs() -> list[ScalpError]:
    histories = []
    for run in list_runs():
        try:
            _ = run.history, run.learned, run.preprocessing if run.finished else None
        except ScalpError as error:
            histories.append(error)
    return [*damaged_runs(), *left_out(), *damaged_pins(), *histories]


def raised(read: Callable[[], object]) -> tuple[Values, list[ScalpError]]:
    """Read values that are there as a whole or not at all."""
    try:
        return {"all": digest(read())}, []
    except ScalpError as error:
        return {}, [error]


def kinds(trained: Trained, folders: Folders) -> Iterator[tuple[str, Kind]]:
    """Every kind of file below data/ and artifacts/, and of tables of grades."""
    data, artifacts = folders.data, folders.artifacts
    for name in ("own", "rotten"):
        shutil.copytree(trained.dataset.folder, data / name, ignore=shutil.ignore_patterns("cache"))
        shutil.copytree(trained.run.folder, artifacts / name)
    shutil.copytree(trained.dataset.folder, data / "tiny", ignore=shutil.ignore_patterns("cache"))
    rotten, dataset = Run(artifacts / "rotten"), open_dataset("rotten")
    predict.graders(run=rotten).load()
    (condition, other, *_) = trained.run.recipe.conditions
    by_hand = Decision(rule="expected_cost", tau=1.0)
    rotten.change_operating_point(lambda point: with_decision(point, condition, by_hand, "A person", "more recall"))
    rotten.write_serving(Serving(reduced=True), {})
    rotten.write_milliseconds(12.5)
    write_sharpness_gate(rotten, 0.0)
    promote(condition, rotten, "to be seen")
    promote(other, Run(artifacts / "own"), "to be seen")
    waiting = create_run(replace(RECIPE, data="tiny", epochs=2, lr=0.002), "waiting")
    waiting.write_history([{"epoch": 1, "valid_qwk": 0.5, "valid_loss": 1.0, "train_loss": 1.1, "at_once": 8}])
    waiting.write_preprocessing(rotten.preprocessing)
    waiting.write_learned(["a" * 64, "b" * 64], complete=True)
    waiting.write_progress(Progress("training", 1, 2, 0.5, 12.0))

    for name in ("index.parquet", "dataset.json"):
        yield f"dataset: {name}", Kind(dataset.folder / name, of_datasets, damaged_datasets)
    assert not damaged_datasets() + words_of_runs()
    names = ("recipe.json", "history.jsonl", "learned.parquet", "preprocessing.json", "predictions.parquet")
    for name in (*names, "manifest.json", "operating_point.json", "model.safetensors", "gate.safetensors"):
        yield f"run: {name}", Kind(rotten.folder / name, of_runs, words_of_runs)
    (earlier,) = rotten.folder.glob("operating_point-*.json")
    yield "run: operating_point-TIME.json", Kind(earlier, of_runs, words_of_runs)
    for name in ("serving.json", "speed.json", "export.json"):
        yield f"run: {name}", Kind(rotten.folder / name, of_runs, words_of_runs)
    yield from (
        (f"queued run: {name}", Kind(waiting.folder / name, of_runs, words_of_runs))
        for name in ("recipe.json", "history.jsonl", "learned.parquet", "preprocessing.json", "progress.json")
    )
    for name in ("champions.json", "champions.jsonl"):
        yield name, Kind(artifacts / name, of_runs, words_of_runs)
    yield "run: model.onnx", Kind(rotten.export_path, lambda: of_export(rotten))
    yield from kinds_of_caches(dataset, rotten)
    yield from kinds_of_imports(data)
    yield from kinds_of_training(folders)
    yield from kinds_of_tables(rotten, trained, folders)


def of_export(run: Run) -> Values:
    """The network that answers; none where it has to be made again first, as tests/test_damage.py does."""
    return {"all": digest(run.export_path.read_bytes())} if run.exported else {}


def kinds_of_caches(dataset: Dataset, run: Run) -> Iterator[tuple[str, Kind]]:
    picture = str(dataset.column("id").iloc[3])
    path = dataset.folder / str(dataset.column("path").iloc[3])
    yield "picture", with_words(path, lambda: dataset.read(picture))
    thumbnail(dataset, 4)
    (small,) = (dataset.folder / "cache" / "thumbnails").glob("*/*.webp")
    yield "cache: thumbnail", Kind(small, lambda: {"all": digest(thumbnail(dataset, 4))}, again=True)
    rows = np.arange(8)
    embeddings.features(run, dataset, rows)
    (kept,) = (dataset.folder / "cache").glob("embedding-*.parquet")
    yield (
        "cache: features of a run",
        Kind(kept, lambda: {"all": digest(embeddings.features(run, dataset, rows)[1])}, again=True),
    )
    before = set((dataset.folder / "cache").glob("*.npy"))
    preprocessing = replace(run.preprocessing, height=16, width=16)
    cached_pixels(dataset, preprocessing)
    (pixels,) = set((dataset.folder / "cache").glob("*.npy")) - before
    yield (
        "cache: pixels",
        Kind(pixels, lambda: {"all": digest(np.array(cached_pixels(dataset, preprocessing)))}, again=True),
    )


def with_words(path: Path, read: Callable[[], object]) -> Kind:
    return Kind(path, lambda: raised(read)[0], lambda: raised(read)[1])


def kinds_of_imports(data: Path) -> Iterator[tuple[str, Kind]]:
    tree = data.parent / "tree"
    build_tree(tree, styles=("stored",), sites=4)
    request = ImportRequest("aihub", str(tree))
    imported = import_tree(request, "imported", processes=1)
    yield (
        "import: import_report.json",
        with_words(imported.folder / "import_report.json", lambda: read_report(imported)),
    )
    yield (
        "import: import_faults.csv",
        with_words(imported.folder / "import_faults.csv", lambda: read_fault_list(imported)),
    )

    def import_again() -> Values:
        imported.folder.joinpath("index.parquet").unlink()
        again = import_tree(request, "imported", processes=1)
        return {"all": digest((again.index_hash, digest(again.index)))}

    yield "import: import.sqlite", Kind(database_path(imported.folder), import_again, again=True)
    under_way = data / "under-way"
    under_way.mkdir()
    with FileLock(data / ".under-way.lock"):  # nothing is started meanwhile
        files = {
            "import.json": {"request": {"kind": "aihub", "source": "/nowhere"}, "starts": 1, "started": 0.0},
            "progress.json": {"stage": "reading", "done": 1, "total": 2, "seconds": 5.0},
            "error.json": {"en": "It failed.", "ko": "실패"},
        }
        for name, values in files.items():
            write_sealed_json(under_way / name, values)
        for name in files:
            yield f"import: {name}", Kind(under_way / name, of_imports)


def of_imports() -> Values:
    """The imports under way; of a damaged one the error and no figure."""
    values: dict[str, object] = {}
    for task in background.list_imports():
        state = task.state
        damaged = state.error is not None and "damaged" in state.error.en
        values |= {} if damaged else {f"{task.name}/request": digest(task.request)}
        values |= {f"{task.name}/progress": digest((state.stage, state.done, state.total))} if state.stage else {}
        if state.error and not damaged and "see log.txt" not in state.error.en:
            values[f"{task.name}/error"] = digest(state.error)
    return values


def kinds_of_training(folders: Folders) -> Iterator[tuple[str, Kind]]:
    speed = duration.Speed(100.0, 200.0, 300.0, 4.0, "2026-11-29")
    recipe = replace(RECIPE, data="tiny")
    path = folders.artifacts / ".speeds.json"
    write_sealed_json(path, {duration._key(recipe): asdict(speed)})

    def estimate() -> Values:
        estimated = duration.estimate(recipe)
        return {"all": digest(estimated)} if estimated else {}

    yield "speeds of this machine", Kind(path, estimate)
    run = Run(folders.artifacts / "waiting")
    write_checkpoint(run.checkpoint_path, {"network": {"weight": torch.ones(50)}}, {}, {"epochs_done": 1})

    def checkpoint() -> Values:
        return {"all": digest(repr(read_checkpoint(run.checkpoint_path)))} if run.checkpoint_whole else {}

    yield "queued run: checkpoint.safetensors", Kind(run.checkpoint_path, checkpoint)


def kinds_of_tables(run: Run, trained: Trained, folders: Folders) -> Iterator[tuple[str, Kind]]:
    pictures = folders.data.parent / "pictures"
    pictures.mkdir()
    (pictures / "a.jpg").write_bytes(trained.picture)
    table = folders.data.parent / "table.parquet"
    request = BatchRequest(find_images([str(pictures)]).sources, predict.graders(run=run), table)
    grade_all(request, jobs=1)

    def result() -> object:
        return grade_all(request, jobs=1)

    yield "table of grades", with_words(table, lambda: (result(), pd.read_parquet(table).to_csv()))
    yield "table of grades: what it says", with_words(table.with_name("table.parquet.json"), result)


def damage(content: bytes, number: int) -> bytes:
    """Damage bytes as disks, copies and editors do, each time in another way."""
    generator = random.Random(f"{len(content)} {number}")
    at, size = generator.randrange(len(content)), generator.randint(1, 64)
    begin, end = content[:at], content[at + size :]
    ways = (
        lambda: begin,
        lambda: begin + bytes(size) + end,
        lambda: begin + generator.randbytes(size) + end,
        lambda: begin + end,
        lambda: begin + content[at : at + size] * 2 + end,
        lambda: content + generator.randbytes(size),
        lambda: another_digit(content, generator),
        lambda: content[: at // 512 * 512] + bytes(512) + content[at // 512 * 512 + 512 :],
    )
    return ways[number % len(ways)]()


def another_digit(content: bytes, generator: random.Random) -> bytes:
    places = [place for place, byte in enumerate(content[:100_000]) if byte in b"0123456789"]
    if not places:
        return content
    place = generator.choice(places)
    return content[:place] + str((int(chr(content[place])) + 1) % 10).encode() + content[place + 1 :]


def flip(content: bytes, number: int) -> bytes:
    bit = random.Random(f"{len(content)} bit {number}").randrange(8 * len(content))
    return content[: bit // 8] + bytes([content[bit // 8] ^ 1 << bit % 8]) + content[bit // 8 + 1 :]


def put(path: Path, content: bytes) -> None:
    """Put a file in place as a restored copy would be: another file, whatever the clock says."""
    other = path.with_name(".put")
    other.write_bytes(content)
    other.replace(path)


def outcome(kind: Kind, before: Values) -> str:
    after = kind.read()
    if after == before:
        return "made again" if kind.again else "harmless"
    others = [name for name, value in after.items() if before.get(name) != value]
    if others and not kind.words():
        return "accepted with other values"
    return "refused"


def test_no_flipped_bit_is_accepted(trained: Trained, folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scalp_core.runs.worker.ensure", lambda: None)
    counts: dict[str, Counter[str]] = {}
    for name, kind in kinds(trained, folders):
        whole, before = kind.path.read_bytes(), kind.read()
        whole = kind.path.read_bytes()  # an import has just written it anew
        counts[name] = Counter()
        for make, times in ((flip, FLIPS), (damage, DAMAGES)):
            for number in range(times):
                put(kind.path, make(whole, number))
                counts[name][outcome(kind, before)] += 1
        put(kind.path, whole)
        assert kind.read() == before, name
    table = pd.DataFrame(counts).T.fillna(0).astype(int).assign(tried=FLIPS + DAMAGES)
    sys.stdout.write(f"\n{table.to_string()}\n")
    assert "accepted with other values" not in table or not table["accepted with other values"].any(), table


@pytest.mark.parametrize("name", ["checkpoint.safetensors", "preprocessing.json", "learned.parquet", "history.jsonl"])
def test_training_makes_again_what_is_damaged(trained: Trained, tiny: Dataset, name: str) -> None:
    run = create_run(replace(RECIPE, epochs=2), "again")
    write_checkpoint(run.checkpoint_path, {"network": {"weight": torch.ones(50)}}, {}, {"epochs_done": 1})
    run.write_history([{"epoch": 1}])
    run.write_preprocessing(trained.run.preprocessing)
    run.write_learned([], complete=True)
    for path in {run.folder / name, run.checkpoint_path}:
        put(path, flip(path.read_bytes(), 0))
    train_run(run)
    assert_same_outcome(trained.run, run)


def grades_of(run: Run, picture: bytes) -> list[tuple[int, tuple[float, ...]]]:
    gradings = predict.graders(run=run).grade(picture).gradings.values()
    return [(int(grading.grade), grading.probabilities) for grading in gradings]


def test_a_damaged_point_is_fitted_again_and_named(trained: Trained, tiny: Dataset, folders: Folders) -> None:
    run = promote_everywhere(Run(Path(shutil.copytree(trained.run.folder, folders.artifacts / "rotten"))))
    before = grades_of(run, trained.picture)
    put(run.operating_point_path, b"{")
    assert grades_of(run, trained.picture) == before, "the same fit of the same predictions"
    assert ["fitted anew" in str(error) for error in damaged_runs()] == [True]
    opened = {"source": "example", "data": "tiny", "image": str(tiny.column("id").iloc[0])}
    for page in ("runs", "diagnose", "compare"):
        assert "operating_point.json of run “rotten” is damaged" in page_text(open_page(page, **opened)), page
    with TestClient(app.api) as client:
        answer = client.post("/predict_all", files=image_form(trained.picture)).json()
    assert answer["value_2"][0]["operating_point"]["damaged"] is True
    run.change_operating_point(lambda point: point)
    assert damaged_runs() == []
    assert run.earlier_operating_points == [], "what is damaged is no version"


def test_run_with_damaged_weights_never_answers(trained: Trained, folders: Folders) -> None:
    for name in ("rotten", "whole"):
        reach_floor(Run(Path(shutil.copytree(trained.run.folder, folders.artifacts / name))))
    rotten, (condition, *_) = Run(folders.artifacts / "rotten"), trained.run.recipe.conditions
    promote(condition, rotten)
    put(rotten.weights_path, flip(rotten.weights_path.read_bytes(), 0))
    assert {each.run.id for each in champions.champions().values()} == {"whole"}
    assert [error.code for error in left_out()] == ["damaged"]
    assert "model.safetensors of run “rotten”" in page_text(open_page("runs"))
    (folders.artifacts / "whole" / "recipe.json").unlink()
    with pytest.raises(ScalpError, match=r"model\.safetensors of run “rotten”"):
        predict.graders()
