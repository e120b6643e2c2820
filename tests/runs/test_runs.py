"""Recipes and run folders: fields, states, and refusals."""

import math
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, TINY, Folders, Trained
from hypothesis import example, given
from hypothesis import strategies as st

from scalp_core.data.dataset import Dataset
from scalp_core.data.index_writer import write_dataset
from scalp_core.errors import ScalpError, Text
from scalp_core.files import is_locked, read_json, write_text
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.metrics.operating_point import Decision, OperatingPoint, sign, with_decision
from scalp_core.runs.queue import active_runs, create_run
from scalp_core.runs.recipe import Recipe, recipe_from
from scalp_core.runs.run import Progress, Run, Serving, State
from scalp_core.runs.store import find_run, list_runs
from scalp_core.seals import write_sealed_json

RECIPE = Recipe(**TINY)

HOLDER = """
import sys, time
from pathlib import Path
from scalp_core.runs.run import Run
with Run(Path(sys.argv[1])).lock():
    print("held", flush=True)
    time.sleep(60)
"""


@contextmanager
def held_elsewhere(run: Run) -> Iterator[subprocess.Popen[str]]:
    """The run's lock is held by another living process."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(run.folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        yield holder
    finally:
        holder.kill()
        holder.communicate()


# ---- recipes ----


def test_a_recipe_is_read_as_it_was_written(tiny: Dataset) -> None:
    recipe = replace(RECIPE, conditions=(Condition.HAIR_LOSS, Condition.DANDRUFF), lr=1e-3, seed=7)
    run = create_run(recipe, "mine")
    assert find_run("mine").recipe == recipe
    assert run.index_hash == tiny.index_hash
    assert run.synthetic
    assert run.state is State.QUEUED


def test_earlier_recipes_keep_their_augmentation(tiny: Dataset) -> None:
    assert replace(RECIPE, augmentation="standard").augmentation_of(synthetic=True) == "standard"
    written = asdict(RECIPE)
    del written["augmentation"]
    assert recipe_from(written).augmentation == "standard"
    assert recipe_from(asdict(RECIPE)) == RECIPE


@pytest.mark.parametrize(("synthetic", "augmentation"), [(True, "randomised"), (False, "standard")])
def test_automatic_augmentation_depends_on_the_dataset(synthetic: bool, augmentation: str) -> None:
    assert Recipe().augmentation_of(synthetic) == augmentation


BAD_FIELDS: list[dict[str, Any]] = [
    {"architecture": ""},
    {"architecture": "../../etc"},
    {"architecture": "hf-hub:owner/model"},
    {"data": "../tiny"},
    {"data": "absent"},
    {"conditions": ()},
    {"conditions": (Condition.DANDRUFF, Condition.DANDRUFF)},
    {"epochs": 0},
    {"epochs": 1001},
    {"image_size": 63},
    {"image_size": 100},
    {"image_size": 100_000},
    {"batch_size": 1},
    {"lr": 0.0},
    {"lr": -1e-3},
    {"lr": math.nan},
    {"lr": math.inf},
    {"weight_decay": math.nan},
    {"warmup_epochs": -1.0},
    {"augmentation": "wild"},
    {"learns": "head", "weights": "pretrained", "mask_weight": 0.5},
    {"learns": "head", "weights": "pretrained", "teacher": "run:tiny"},
    {"teacher": "tiny"},
    {"teacher": "run:absent"},
    {"teacher_weight": -1.0},
    {"seed": -1},
    {"seed": 2**31},
]


@pytest.mark.parametrize("changed", BAD_FIELDS, ids=str)
def test_untrainable_recipe_is_refused_first(changed: dict[str, Any], tiny: Dataset, folders: Folders) -> None:
    with pytest.raises(ScalpError) as caught:
        create_run(replace(RECIPE, **changed))
    assert caught.value.text.en
    assert caught.value.text.ko
    assert list(folders.artifacts.iterdir()) == []


def test_a_condition_without_labels_is_not_trained(
    tiny: Dataset, folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCALP_DATA", str(folders.data))
    table = tiny.index.copy()
    table["value_4"] = None
    partly = write_dataset(folders.data / "partly", "csv", {}, table)
    with pytest.raises(ScalpError, match="value_4"):
        create_run(replace(RECIPE, data=partly.name))
    assert create_run(replace(RECIPE, data=partly.name, conditions=(Condition.DANDRUFF,))).state is State.QUEUED


def test_recreated_run_is_another_run(tiny: Dataset) -> None:
    run = create_run(RECIPE, "mine")
    assert run.recipe.seed == RECIPE.seed
    shutil.rmtree(run.folder)
    assert create_run(replace(RECIPE, seed=99), "mine").recipe.seed == 99


def test_every_field_is_explained_in_both_languages() -> None:
    assert all(recipe_field.metadata["help"].en and recipe_field.metadata["help"].ko for recipe_field in fields(Recipe))


def test_unknown_architecture_is_refused_when_asked_for(tiny: Dataset, folders: Folders) -> None:
    with pytest.raises(ScalpError, match="no architecture “no_such_net”"):
        create_run(replace(RECIPE, architecture="no_such_net"))
    assert list_runs() == []


def test_names_are_made_checked_and_unique(tiny: Dataset, folders: Folders) -> None:
    first, second = create_run(RECIPE), create_run(replace(RECIPE, architecture="vit_base_patch16_224.augreg_in1k"))
    assert first.id.startswith("test_efficientnet-")
    assert len({first.id, second.id, create_run(replace(RECIPE, seed=1)).id}) == 3
    create_run(RECIPE, "mine")
    with pytest.raises(ScalpError, match="exists"):
        create_run(RECIPE, "mine")


def test_what_is_asked_for_twice_is_made_once(tiny: Dataset, folders: Folders) -> None:
    run = create_run(RECIPE)
    assert create_run(RECIPE) == run
    with run.lock():
        assert create_run(RECIPE) == run
    assert create_run(RECIPE, "by-name") != run  # a named run is a run of its own
    for listed in list_runs():
        listed.cancel()
    assert create_run(RECIPE) not in (run, find_run("by-name"))  # those are cancelled


ASKER = """
import sys
from scalp_core.runs.recipe import Recipe
from scalp_core.runs.queue import create_run
recipe = Recipe(
    architecture="test_efficientnet", data="tiny", weights="none", image_size=64, batch_size=8, loss="cross_entropy"
)
print("ready", flush=True)
sys.stdin.readline()
print(create_run(recipe).id)
"""


def test_concurrent_creation_gives_one_run(tiny: Dataset, folders: Folders) -> None:
    askers = [
        subprocess.Popen(
            [sys.executable, "-c", ASKER], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for asker in askers:
        assert asker.stdout
        assert asker.stdout.readline() == "ready\n"
    ids: list[str] = []
    threads = [threading.Thread(target=lambda: ids.append(create_run(RECIPE).id)) for _ in range(8)]
    for asker in askers:
        assert asker.stdin
        asker.stdin.write("go\n")
        asker.stdin.flush()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids += [asker.communicate()[0].strip() for asker in askers]
    assert len(ids) == 10
    assert set(ids) == {run.id for run in list_runs()}
    assert len(list_runs()) == 1


HOSTILE = ["../out", "..", "/out", "a/b", "a\\b", "A", "a b", "-a", ".a", "a\0", "é", "x" * 65, "con:", "a\n"]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_make_no_folder(name: str, tiny: Dataset, folders: Folders) -> None:
    with pytest.raises(ScalpError):
        create_run(RECIPE, name)
    assert list(folders.artifacts.iterdir()) == []


@given(name=st.one_of(st.text(max_size=60), st.text(alphabet="./\\%2e\0~", max_size=30)))
@example(name="mine/../mine")
@example(name="mine\0")
@example(name="x" * 4096)
def test_hostile_names_find_no_run(name: str, tiny: Dataset) -> None:
    if not list_runs():
        create_run(RECIPE, "mine")
    with pytest.raises(ScalpError) as caught:
        find_run(name)
    assert len(str(caught.value)) < 200


def test_a_folder_that_cannot_be_written_is_told(tiny: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCALP_ARTIFACTS", "/proc/artifacts")
    with pytest.raises(ScalpError, match="writable"):
        create_run(RECIPE)


# ---- states ----


def test_states_follow_from_the_files(tiny: Dataset) -> None:
    run = create_run(RECIPE)
    assert run.state is State.QUEUED
    write_text(run.folder / "history.jsonl", "{}\n")
    assert run.state is State.INTERRUPTED
    run.pause()
    assert run.state is State.PAUSED
    run.resume()
    assert run.state is State.INTERRUPTED
    run.cancel()
    assert run.state is State.CANCELLED
    run.resume()
    run.write_error(Text("out of luck", "불운"), "Traceback: …")
    assert run.state is State.FAILED
    assert run.error == (Text("out of luck", "불운"), "Traceback: …")
    run.resume()
    assert run.state is State.INTERRUPTED
    assert run.error == (Text("", ""), "")


def test_run_is_running_while_its_lock_is_held(tiny: Dataset) -> None:
    run = create_run(RECIPE)
    with held_elsewhere(run) as holder:
        assert run.state is State.RUNNING
        assert run.state.active
        run.pause()
        assert run.state is State.RUNNING
        assert run.stop_requested
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        assert not run.locked
        assert run.state is State.PAUSED
    run.resume()
    assert run.state is State.QUEUED


def test_checking_a_lock_does_not_hold_it(tiny: Dataset) -> None:
    run = create_run(RECIPE)
    with run.lock():
        assert run.locked
    seen: set[bool] = set()

    def look() -> None:
        seen.update(is_locked(run.folder / ".lock") for _ in range(3000))

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {False}


def test_pausing_and_cancelling_spare_finished_runs(trained: Trained) -> None:
    before = trained.run.files
    trained.run.pause()
    trained.run.cancel()
    trained.run.resume()
    assert trained.run.state is State.FINISHED
    assert trained.run.files == before


def test_queue_follows_creation_without_finished_runs(tiny: Dataset) -> None:
    names = ["c", "a", "b", "d"]
    runs = [create_run(RECIPE, name) for name in names]
    assert [run.id for run in list_runs()] == names
    runs[1].cancel()
    runs[2].pause()
    assert [run.id for run in active_runs()] == ["c", "d"]


def test_a_folder_without_a_recipe_is_no_run(folders: Folders) -> None:
    (folders.artifacts / "stray").mkdir()
    assert list_runs() == []


def test_progress_and_history_of_run_that_has_neither(tiny: Dataset) -> None:
    run = create_run(RECIPE)
    assert run.progress is None
    assert run.history.empty
    assert run.log == ""
    run.write_progress(Progress("training", 1, 2, 0.5, 10.0))
    assert run.progress == Progress("training", 1, 2, 0.5, 10.0)
    run.write_history([{"epoch": 1, "train_loss": 1.5, "valid_loss": 1.4, "valid_qwk": 0.1}])
    assert run.history["train_loss"].tolist() == [1.5]


def test_undefined_kappas_of_history_are_nan(tiny: Dataset) -> None:
    run = create_run(RECIPE)
    run.write_history([{"epoch": n, "valid_loss": 1.0, "valid_qwk": None} for n in (1, 2)])
    assert run.history["valid_qwk"].dtype == "float64"
    assert run.history["valid_qwk"].isna().all()


def test_a_long_log_is_shown_from_its_end(tiny: Dataset) -> None:
    run = create_run(RECIPE)
    (run.folder / "log.txt").write_bytes(b"x" * 100_000 + b"\xff the end")
    assert run.log.endswith("the end")
    assert len(run.log) <= 20_000


# ---- the manifest ----


@pytest.fixture
def copied(trained: Trained, tmp_path: Path) -> Run:
    shutil.copytree(trained.run.folder, tmp_path / "copy")
    return Run(tmp_path / "copy")


def test_the_manifest_vouches_for_what_made_the_run(copied: Run) -> None:
    copied.verify()
    assert copied.exported
    vouched = set(copied.manifest["files"])
    made = {
        "recipe.json",
        "model.safetensors",
        "preprocessing.json",
        "predictions.parquet",
        "history.jsonl",
        "learned.parquet",
    }
    assert made == vouched
    assert {"parameters", "versions", "device", "seconds", "best_epoch"} <= set(copied.manifest)


def test_any_flipped_bit_or_lost_byte_is_noticed(copied: Run) -> None:
    generator = random.Random(0)
    refused = 0
    for name in copied.manifest["files"]:
        path = copied.folder / name
        whole = path.read_bytes()
        for _ in range(20):
            flipped = bytearray(whole)
            flipped[generator.randrange(len(whole))] ^= 1 << generator.randrange(8)
            for damaged in (bytes(flipped), whole[: generator.randrange(len(whole))]):
                path.write_bytes(damaged)
                with pytest.raises(ScalpError, match=name):
                    copied.verify()
                refused += 1
        path.unlink()
        with pytest.raises(ScalpError, match=name):
            copied.verify()
        path.write_bytes(whole)
    assert refused == 240
    copied.verify()


def test_a_damaged_manifest_vouches_for_nothing(copied: Run) -> None:
    path = copied.folder / "manifest.json"
    whole = path.read_bytes()
    hashes_end = whole.index(b"}")
    for at in range(0, hashes_end, 7):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(ScalpError):
            copied.verify()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ScalpError, match=r"manifest\.json"):
        copied.verify()


def test_a_damaged_or_foreign_export_is_not_used(copied: Run) -> None:
    model = copied.folder / "model.onnx"
    whole = model.read_bytes()
    model.write_bytes(whole[:1000] + bytes([whole[1000] ^ 1]) + whole[1001:])
    assert not copied.exported
    model.unlink()
    assert not copied.exported
    model.write_bytes(whole)
    facts = read_json(copied.folder / "export.json")
    write_sealed_json(copied.folder / "export.json", facts | {"outputs": facts["outputs"][:2]})
    assert not copied.exported, "one of an earlier version, which gave less"
    write_sealed_json(copied.folder / "export.json", facts | {"weights": "0" * 64})
    assert not copied.exported


def test_optimized_files_need_their_checked_weights(copied: Run) -> None:
    assert copied.serving == Serving()
    copied.write_serving(Serving(reduced=True), {"checked": "here"})
    assert copied.serving == Serving(reduced=True)
    copied.int8_path.write_bytes(b"a network")
    copied.write_serving(Serving(reduced=True, int8=True), {})
    assert copied.serving == Serving(reduced=True, int8=True)
    copied.int8_path.write_bytes(b"another network")
    assert copied.serving == Serving(reduced=True), "not the one that was checked"
    copied.int8_path.unlink()
    assert copied.serving == Serving(reduced=True), "left behind when the folder was copied"
    manifest = copied.manifest
    write_sealed_json(
        copied.folder / "manifest.json", manifest | {"files": manifest["files"] | {"model.safetensors": "0" * 64}}
    )
    assert copied.serving == Serving(), "trained anew"
    write_text(copied.folder / "serving.json", "{")
    assert copied.serving == Serving(), "damaged: short cuts only save time"


def test_reading_a_run_changes_nothing(copied: Run) -> None:
    def look() -> list[tuple[str, int, int]]:
        return [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in sorted(copied.folder.iterdir())]

    before = look()
    values = (copied.state, copied.recipe, copied.history, copied.predictions, copied.preprocessing, copied.manifest)
    assert all(value is not None for value in values)
    assert (copied.progress, copied.log, copied.locked) == (None, "", False)
    copied.verify()
    assert look() == before


# ---- the operating point ----


@pytest.fixture
def undecided(copied: Run) -> Run:
    copied.operating_point_path.unlink(missing_ok=True)
    return copied


def by_condition(condition: Condition, tau: float, who: str = "me") -> Callable[[OperatingPoint], OperatingPoint]:
    return lambda point: with_decision(point, condition, Decision(tau=tau), who, f"τ {tau:g}")


def test_who_decided_what_and_when_is_kept(undecided: Run) -> None:
    taus = (0.25, 0.5, 0.75)
    for tau in taus:
        undecided.change_operating_point(by_condition(Condition.DANDRUFF, tau, f"person {tau:g}"))
    points = [undecided.operating_point, *undecided.earlier_operating_points]
    assert [point.decision("value_5").tau for point in points] == [0.75, 0.5, 0.25]
    assert [point.who for point in points] == ["person 0.75", "person 0.5", "person 0.25"]
    assert [point.why for point in points] == ["τ 0.75", "τ 0.5", "τ 0.25"]
    assert [point.made for point in points] == sorted((point.made for point in points), reverse=True)
    undecided.verify()  # the manifest does not vouch for what may be replaced


def test_restored_point_is_a_new_version(undecided: Run) -> None:
    for tau in (0.25, 0.5):
        undecided.change_operating_point(by_condition(Condition.DANDRUFF, tau))
    (first,) = undecided.earlier_operating_points
    undecided.change_operating_point(lambda _: sign(first, "you", "back"))
    assert undecided.operating_point.decisions == first.decisions
    assert (undecided.operating_point.who, undecided.operating_point.why) == ("you", "back")
    assert [point.decision("value_5").tau for point in undecided.earlier_operating_points] == [0.5, 0.25]


def test_versions_of_the_same_moment_are_all_kept(undecided: Run) -> None:
    for tau in range(12):
        undecided.write_operating_point(OperatingPoint({Condition.DANDRUFF: Decision(tau=tau)}))
    points = [undecided.operating_point, *undecided.earlier_operating_points]
    assert [point.decision("value_5").tau for point in points] == list(range(11, -1, -1))


def test_concurrent_decisions_are_all_kept(undecided: Run) -> None:
    together = threading.Barrier(len(CONDITIONS))

    def decide(condition: Condition) -> None:
        together.wait()
        for tau in (0.25, 0.5):
            undecided.change_operating_point(by_condition(condition, tau, condition.code))

    threads = [threading.Thread(target=decide, args=(condition,)) for condition in CONDITIONS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {condition: undecided.operating_point.decision(condition).tau for condition in CONDITIONS} == dict.fromkeys(
        CONDITIONS, 0.5
    )
    assert len(undecided.earlier_operating_points) == 2 * len(CONDITIONS) - 1


def test_change_within_one_clock_tick_is_seen(undecided: Run) -> None:
    later = 2**62  # nanoseconds: the file is dated after all that follow
    for tau in (0.25, 0.5, 0.75):
        before = undecided.operating_point, undecided.changed_ns
        undecided.change_operating_point(by_condition(Condition.DANDRUFF, tau))
        assert undecided.operating_point.decision("value_5").tau == tau
        assert undecided.operating_point != before[0]
        assert undecided.changed_ns > before[1]
        if tau == 0.25:
            os.utime(undecided.operating_point_path, ns=(later, later))


def test_where_point_cannot_be_written_nothing_is_lost(undecided: Run) -> None:
    undecided.change_operating_point(by_condition(Condition.DANDRUFF, 0.25))
    before = undecided.operating_point
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))  # as good as full
    try:
        with pytest.raises(ScalpError) as caught:
            undecided.change_operating_point(by_condition(Condition.DANDRUFF, 0.5))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.code == "not_writable"
    assert undecided.operating_point == before
    assert undecided.earlier_operating_points == []
    assert not list(undecided.folder.glob(".tmp-*"))
    undecided.change_operating_point(by_condition(Condition.DANDRUFF, 0.75))
    assert undecided.earlier_operating_points == [before]


def test_a_folder_closed_to_us_is_told(undecided: Run, tmp_path: Path) -> None:
    (tmp_path / ".operating_points.lock").mkdir()  # forbidden even to root
    with pytest.raises(ScalpError, match="writable") as caught:
        undecided.change_operating_point(by_condition(Condition.DANDRUFF, 0.25))
    assert caught.value.code == "not_writable"
    assert undecided.operating_point == OperatingPoint()


def test_killed_replacement_of_a_point_leaves_no_duplicate(undecided: Run) -> None:
    undecided.change_operating_point(by_condition(Condition.DANDRUFF, 0.25))
    written = undecided.operating_point_path.read_text()
    undecided.change_operating_point(by_condition(Condition.DANDRUFF, 0.5))
    undecided.operating_point_path.write_text(written)  # kept already, not replaced yet
    assert undecided.earlier_operating_points == []
    undecided.change_operating_point(by_condition(Condition.DANDRUFF, 0.75))
    assert [point.decision("value_5").tau for point in undecided.earlier_operating_points] == [0.25]
