"""Models from elsewhere: compared with runs on the same pictures, and never answering."""

import errno
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import Folders, Trained
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import cohen_kappa_score

import scalp_core
from scalp_core.data.index_writer import write_dataset
from scalp_core.errors import ScalpError
from scalp_core.evaluation.comparison import align_runs, list_candidates, newest_and_best
from scalp_core.inference.embeddings import features
from scalp_core.labels import CONDITIONS
from scalp_core.metrics.metrics import PROBABILITIES
from scalp_core.runs import external as external_module
from scalp_core.runs.champions import champions
from scalp_core.runs.evaluations import evaluation_notes
from scalp_core.runs.external import ExternalRun, add_external, external_runs, remove_external, rename_external
from scalp_core.runs.run import Run
from scalp_core.runs.store import damaged_runs, list_runs
from training import evaluate as command
from training import report


@pytest.fixture
def run(trained: Trained, folders: Folders, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A copy of the finished run, in a folder of runs of its own."""
    monkeypatch.setenv("SCALP_DATA", str(trained.dataset.folder.parent))
    shutil.copytree(trained.run.folder, folders.artifacts / "tiny")
    return Run(folders.artifacts / "tiny")


def answers(trained: Trained, shares: tuple[float, ...] = (0.1, 0.6, 0.2, 0.1)) -> pd.DataFrame:
    ids = trained.dataset.index["id"]
    rows = [(image, condition.value, *shares) for condition in CONDITIONS for image in ids]
    return pd.DataFrame(rows, columns=["image", "condition", *PROBABILITIES])


def test_scikit_learn_on_embeddings_is_ranked_beside_the_run(trained: Trained, run: Run) -> None:
    dataset, condition = trained.dataset, CONDITIONS[1]
    index = dataset.index
    _, vectors = features(run, dataset, np.arange(len(index)))
    train = (index["part"] == "train").to_numpy()
    truth = index[condition.value].to_numpy(dtype=int)
    classifier = LogisticRegression(max_iter=200).fit(vectors[train], truth[train])
    probabilities = np.zeros((len(index), 4))
    probabilities[:, classifier.classes_] = classifier.predict_proba(vectors)
    table = pd.DataFrame(probabilities, columns=PROBABILITIES)
    table.insert(0, "image", index["id"].to_numpy())
    table.insert(1, "condition", condition.value)
    external = scalp_core.add_external("forest", "tiny", table, "Logistic regression", "https://example.org/forest")
    models, excluded = list_candidates(dataset)
    assert {model.name for model in models} == {"test_efficientnet", "forest ↗"}
    assert not excluded
    assert newest_and_best(models, condition)[0] == "tiny"  # what was trained here comes first
    figures = scalp_core.compare([external, run]).set_index(["run", "condition"])
    test = (index["part"] == "test").to_numpy()
    kappa = cohen_kappa_score(truth[test], classifier.predict(vectors[test]), weights="quadratic", labels=range(4))
    assert figures.loc[("forest", condition.value), "value"] == pytest.approx(kappa)
    assert ("forest", CONDITIONS[0].value) not in figures.index  # it answers for one condition
    (note,) = evaluation_notes([external, run])
    assert "forest is from elsewhere" in note.en
    assert "Logistic regression · https://example.org/forest" in note.ko


def test_it_answers_nothing_and_is_no_run(trained: Trained, run: Run) -> None:
    before = champions()
    external = scalp_core.add_external("other", "tiny", answers(trained))
    assert champions() == before
    assert [listed.id for listed in list_runs()] == [run.id]
    assert damaged_runs() == []
    with pytest.raises(ScalpError) as refused:
        scalp_core.load_run("other")
    assert refused.value.code == "no_run"
    assert external.recipe.conditions == CONDITIONS
    assert set(external.predictions["part"]) <= {"test", "valid", "calib"}  # what it may have learned from is left out


def test_fewer_pictures_are_judged_in_common(trained: Trained, run: Run) -> None:
    table = answers(trained)
    test = trained.dataset.index.query("part == 'test'")["id"]
    external = scalp_core.add_external("part", "tiny", table[table["image"].isin(list(test)[:3])])
    aligned = align_runs(trained.dataset, [run, external], "test")
    assert sorted(aligned.images) == sorted(list(test)[:3])


def test_names_and_holes_are_refused(trained: Trained, run: Run) -> None:
    table = answers(trained)
    training = trained.dataset.index.query("part == 'train'")["id"]
    for name, predictions, code in (
        ("No Name", table, "bad_name"),
        ("../up", table, "bad_name"),
        ("tiny", table, "run_exists"),
        ("holes", table.drop(index=[len(table) - 1]), "bad_table"),
        ("training", table[table["image"].isin(training)], "nothing_to_judge"),
    ):
        with pytest.raises(ScalpError) as refused:
            scalp_core.add_external(name, "tiny", predictions)
        assert refused.value.code == code, name
    assert external_runs(trained.dataset) == ([], {})
    scalp_core.add_external("other", "tiny", table)
    with pytest.raises(ScalpError, match="“other” already"):
        scalp_core.add_external("other", "tiny", table)


def test_it_is_renamed_and_removed(trained: Trained, run: Run) -> None:
    external = scalp_core.add_external("other", "tiny", answers(trained), about="one\nline")
    assert isinstance(external, ExternalRun)
    with pytest.raises(ScalpError, match="“tiny” already"):
        rename_external(external, "tiny")
    renamed = rename_external(external, "newer")
    assert renamed.origin.about == "one line"
    assert [listed.id for listed in external_runs(trained.dataset)[0]] == ["newer"]
    remove_external(renamed)
    assert external_runs(trained.dataset) == ([], {})
    assert run.complete


def test_it_grades_no_picture_and_is_judged_by_its_file_alone(trained: Trained, run: Run) -> None:
    external = scalp_core.add_external("other", "tiny", answers(trained))
    for refuse in (
        lambda: scalp_core.grade(trained.dataset.read(trained.dataset.index["id"].iloc[0]), run=external),
        lambda: scalp_core.evaluate(external, "tiny"),
    ):
        with pytest.raises(ScalpError) as refused:
            refuse()
        assert refused.value.code == "external"
    assert [listed.id for listed in scalp_core.external_models("tiny")] == ["other"]


def test_whether_it_gives_grades_alone_is_kept_with_each_file(trained: Trained, run: Run, folders: Folders) -> None:
    dataset, table = trained.dataset, answers(trained)
    rows = dataset.index.reset_index(drop=True)
    rows["part"] = rows["part"].replace({"valid": "test", "test": "valid"})
    (folders.artifacts / "data").mkdir()
    other = write_dataset(folders.artifacts / "data", "csv", {}, rows, source=str(dataset.folder))
    first = add_external("other", dataset, table, about="first")
    second = add_external("other", other, table, grades_alone=True)
    assert "grades alone" not in first.own_note.en
    assert "grades alone" in second.own_note.en
    assert "first" in second.own_note.en


def test_a_full_disk_leaves_no_half_model(trained: Trained, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(external_module, "write_evaluation", full)
        with pytest.raises(ScalpError) as refused:
            scalp_core.add_external("other", "tiny", answers(trained))
        assert refused.value.code == "not_writable"
    scalp_core.add_external("other", "tiny", answers(trained))


def test_reports_of_all_leave_out_what_answers_a_part(
    trained: Trained, run: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    table = answers(trained)
    test = list(trained.dataset.index.query("part == 'test'")["id"])
    scalp_core.add_external("whole", "tiny", table)
    scalp_core.add_external("part", "tiny", table[table["image"].isin(test[:3])])
    assert report.main(["--data", "tiny", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {row["other"] for row in document["comparisons"]} | {row["model"] for row in document["comparisons"]} == {
        *("whole", "tiny")
    }
    assert any(note.startswith(f"part: answers 3 of {len(test)} pictures") for note in document["notes"])
    assert {row["seed"] for row in document["runs"] if row["external"]} == {None}
    page = tmp_path / "report.html"
    assert report.main(["--data", "tiny", "--html", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    assert "answers 3 of" in text
    assert "whole ↗" in text
    assert text.count("&#34;epochs&#34;") + text.count("&quot;epochs&quot;") + text.count('"epochs"') == 1  # no recipe
    assert report.main(["--data", "tiny", "--html", str(page), "--runs", "tiny", "part"]) == 0
    assert "part ↗" in page.read_text(encoding="utf-8")


def test_damage_is_said_and_leaves_the_others(trained: Trained, run: Run) -> None:
    external = scalp_core.add_external("other", "tiny", answers(trained))
    for path in (external.predictions_path, external.folder / "external.json"):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        models, excluded = list_candidates(trained.dataset)
        assert [model.key for model in models] == [run.id]
        (entry,) = excluded
        assert path.name in entry.reason.en
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    assert len(list_candidates(trained.dataset)[0]) == 2


def test_commands_take_and_report_it(
    trained: Trained, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answers(trained).to_csv(tmp_path / "their.csv", index=False)
    arguments = [
        "--data",
        "tiny",
        "--predictions",
        str(tmp_path / "their.csv"),
        "--name",
        "theirs",
        "--about",
        "Theirs",
    ]
    assert command.main(arguments) == 0
    printed = capsys.readouterr().out
    assert "theirs is from elsewhere" in printed
    assert "kappa on the test pictures of “tiny” (synthetic)" in printed
    assert report.main(["--data", "tiny"]) == 0
    assert "theirs: a model from elsewhere, judged on “tiny”" in capsys.readouterr().out
    assert report.main(["--data", "tiny", "--json"]) == 0
    assert '"external": true' in capsys.readouterr().out
    page = tmp_path / "report.html"
    assert report.main(["--data", "tiny", "--html", str(page)]) == 0
    assert "theirs ↗" in page.read_text(encoding="utf-8")
    with pytest.raises(SystemExit):
        command.main(["--data", "tiny", "tiny", "--predictions", "x.csv", "--name", "x"])
    assert "name runs, or --name of a model from elsewhere" in capsys.readouterr().err
