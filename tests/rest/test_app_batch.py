"""Several pictures at once, a run asked for by name, evidence maps, and where a grade comes from."""

import base64
import io
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import TINY, Trained, promote_everywhere, until
from fastapi.testclient import TestClient
from PIL import Image
from support.rest_client import assert_error_detail, assert_error_response, image_form

from scalp_core.images import MAX_BYTES
from scalp_core.inference import predict
from scalp_core.inference.evidence import local_grade
from scalp_core.labels import Condition
from scalp_core.learning.train import train
from scalp_core.metrics.operating_point import Decision, OperatingPoint
from scalp_core.rest import app
from scalp_core.runs.queue import create_run
from scalp_core.runs.recipe import Recipe
from scalp_core.runs.run import Run

MADE = "2026-03-04T05:06:07+00:00"


@dataclass(frozen=True)
class Served:
    """Three runs: one of all conditions at an operating point, one of dandruff alone, one that waits."""

    client: TestClient
    whole: Run
    part: Run
    waiting: Run


@pytest.fixture(scope="module")
def served(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with pytest.MonkeyPatch.context() as patch:
        artifacts = tmp_path_factory.mktemp("served")
        patch.setenv("SCALP_ARTIFACTS", str(artifacts))
        whole = promote_everywhere(Run(Path(shutil.copytree(trained.run.folder, artifacts / "whole"))))
        decision = Decision(temperature=2.0, set_threshold=0.5, images=100)
        whole.write_operating_point(OperatingPoint({Condition.PUSTULES: decision}, made=MADE))
        part = create_run(Recipe(**TINY, epochs=1, conditions=(Condition.DANDRUFF,)), "part")
        with part.lock():
            train(part)
        waiting = create_run(Recipe(**TINY, epochs=9), "waiting")
        with TestClient(app.application(), raise_server_exceptions=False) as client:
            until(lambda: client.get("/api/ready").status_code == 200)
            yield Served(client, whole, part, waiting)


def in_batch(*contents: bytes) -> list[tuple[str, tuple[str, bytes]]]:
    return [("image", (f"{number}.jpg", content)) for number, content in enumerate(contents)]


# Several pictures.


def test_batch_results_keep_the_order_of_pictures(served: Served, trained: Trained) -> None:
    others = [trained.dataset.read(image_id) for image_id in trained.dataset.column("id")[:3]]
    huge = io.BytesIO()
    Image.new("1", (7000, 7000)).save(huge, "PNG")
    sent = [others[0], b"", others[1], b"GIF89a", trained.picture[:-200], huge.getvalue(), others[2]]
    response = served.client.post("/api/predict_batch", files=in_batch(*sent))
    assert response.status_code == 200
    assert list(response.json()) == ["results", "intended_use"]
    results = response.json()["results"]
    assert [entry["status"] for entry in results] == [200, 415, 200, 415, 415, 413, 200]
    for content, entry in zip(sent, results, strict=True):
        alone = served.client.post("/api/predict_all", files=image_form(content))
        assert entry["status"] == alone.status_code
        if alone.status_code == 200:
            assert entry == {"status": 200, "answer": alone.json()}
        else:
            assert entry == {"status": alone.status_code, "error": alone.json()["error"]}


def test_threshold_run_and_evidence_apply_to_batches(served: Served, trained: Trained) -> None:
    parameters = {"run": "part", "evidence": "1"}
    files = in_batch(trained.picture, trained.picture)
    response = served.client.post("/api/predict_batch", params=parameters, files=files, data={"threshold": "1"})
    first, second = response.json()["results"]
    assert first == second
    assert first["answer"]["scalp_type"]["threshold"] == 1
    assert first["answer"]["value_5"][0]["run"] == "part"
    assert first["answer"]["value_5"][0]["evidence"]["png"]


def test_too_many_and_too_large(served: Served, trained: Trained) -> None:
    post = served.client.post
    response = post("/api/predict_batch", files=in_batch(*[b"x"] * 17))
    assert_error_response(response, 413, "too_many_pictures")
    assert "16" in response.json()["error"]["message"]
    assert len(post("/api/predict_batch", files=in_batch(*[b"x"] * 16)).json()["results"]) == 16
    form = {"content-type": "multipart/form-data; boundary=x"}
    response = post("/api/predict_batch", content=b"x", headers=form | {"content-length": "100000000"})
    assert_error_response(response, 413, "too_large")
    assert "64 MB" in response.json()["error"]["message"]
    pieces = (b"x" * 2**20 for _ in range(66))
    assert_error_response(post("/api/predict_batch", content=pieces, headers=form), 413, "too_large")
    # More than one picture may have, less than all together.
    response = post("/api/predict_batch", files=in_batch(b"\0" * (MAX_BYTES + 1), trained.picture))
    assert [entry["status"] for entry in response.json()["results"]] == [413, 200]
    assert_error_response(
        post("/predict_all", content=b"x", headers=form | {"content-length": "60000000"}), 413, "too_large"
    )


def test_a_batch_without_pictures(served: Served, trained: Trained) -> None:
    post = served.client.post
    assert_error_response(post("/api/predict_batch"), 400, "missing_field")
    assert_error_response(post("/api/predict_batch", data={"image": "/etc/passwd"}), 400, "missing_field")
    assert_error_response(post("/api/predict_batch", files=image_form(b"", "")), 400, "missing_field")
    mixed = post("/api/predict_batch", data={"image": "x"}, files=in_batch(trained.picture)).json()["results"]
    assert sorted(entry["status"] for entry in mixed) == [200, 415]
    assert_error_detail(next(entry["error"] for entry in mixed if entry["status"] == 415), "not_a_picture")
    assert_error_response(post("/api/predict_batch?run=nobody", files=in_batch(trained.picture)), 404, "no_run")
    assert_error_response(post("/api/predict_batch?threshold=9", files=in_batch(trained.picture)), 422, "bad_threshold")


def test_a_batch_without_a_model(folders: Any, trained: Trained) -> None:
    with TestClient(app.application()) as client:
        assert_error_response(client.post("/api/predict_batch", files=in_batch(trained.picture)), 503, "no_model")


# A run by name.


@pytest.mark.parametrize("door", ["", "/api"])
def test_a_run_that_does_not_answer_otherwise(served: Served, trained: Trained, door: str) -> None:
    picture = trained.dataset.read(trained.dataset.column("id")[0])
    answer = served.client.post(f"{door}/predict_all?run=part", files=image_form(picture)).json()
    expected = predict.grade_with_run(served.part, picture)[Condition.DANDRUFF]
    assert [key for key in answer if key.startswith("value_")] == ["value_5"]
    (only,) = answer["value_5"]
    assert only["run"] == "part"
    assert only["probabilities"] == pytest.approx(expected.probabilities)
    assert answer["scalp_type"]["key"] == "undetermined"
    assert len(answer["scalp_type"]["missing"]) == 5
    single = served.client.post(f"{door}/predict?run=part", files=image_form(picture), data={"value_num": "5"}).json()
    assert single["value_5"] == answer["value_5"]


def test_the_champion_by_name_says_the_same(served: Served, trained: Trained) -> None:
    form = {"files": image_form(trained.picture), "data": {"value_num": "4"}}
    usual = served.client.post("/predict", **form).json()
    assert usual == served.client.post("/predict?run=whole", **form).json()
    assert usual == served.client.post("/predict?run=", **form).json()


def test_runs_that_cannot_answer(served: Served, trained: Trained) -> None:
    def predict_by(run: str, number: str = "5") -> Any:
        return served.client.post(
            "/predict", params={"run": run}, files=image_form(trained.picture), data={"value_num": number}
        )

    assert_error_response(predict_by("nobody"), 404, "no_run")
    assert_error_response(predict_by("../whole"), 404, "no_run")
    assert_error_response(predict_by("/etc/passwd"), 404, "no_run")
    assert_error_response(predict_by("waiting"), 404, "run_not_finished")
    assert_error_response(predict_by("part", "1"), 422, "not_graded")
    assert predict_by("part").status_code == 200
    assert len(predict_by("x" * 5000).json()["error"]["message"]) < 200


def test_a_run_never_exported_is_made_ready_meanwhile(served: Served, trained: Trained) -> None:
    served.part.export_path.unlink()
    with TestClient(app.application()) as client:
        response = client.post("/predict_all?run=part", files=image_form(trained.picture))
        assert_error_response(response, 503, "warming")
        assert int(response.headers["retry-after"]) > 0
        assert client.post("/predict_all", files=image_form(trained.picture)).status_code == 200
        until(lambda: client.post("/predict_all?run=part", files=image_form(trained.picture)).status_code == 200, 120)
    assert served.part.exported


# Evidence, and where a grade comes from.


def test_evidence_maps_lie_over_the_picture(served: Served, trained: Trained) -> None:
    answer = served.client.post("/predict_all?evidence=1&run=whole", files=image_form(trained.picture)).json()
    expected = predict.grade_with_run(served.whole, trained.picture)
    for condition, grading in expected.items():
        evidence = answer[condition.value][0]["evidence"]
        assert evidence["scale"] == 3
        assert len(evidence["png"]) < 20_000
        overlay = drawn_in(evidence["png"])
        assert overlay.shape == (120, 160, 4)
        assert {tuple(colour) for colour in overlay.reshape(-1, 4)[:, :3]} == {(0xE6, 0x61, 0x01)}
        # Opacity, averaged, is the map's own mean.
        assert 3 * overlay[..., 3].mean() / 255 == pytest.approx(
            local_grade(grading.evidence, grading.probabilities).mean(), abs=0.05
        )


def drawn_in(address: str) -> Any:
    kind, _, content = address.partition(",")
    assert kind == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content, validate=True)), formats=["PNG"]))


def test_evidence_has_the_upright_picture_s_shape(served: Served, trained: Trained) -> None:
    upright, exif = io.BytesIO(), Image.Exif()
    exif[274] = 6
    Image.open(io.BytesIO(trained.picture)).save(upright, "JPEG", exif=exif)
    answer = served.client.post(
        "/predict?evidence=1", files=image_form(upright.getvalue()), data={"value_num": "1"}
    ).json()
    assert drawn_in(answer["value_1"][0]["evidence"]["png"]).shape == (160, 120, 4)


def test_evidence_only_where_it_is_asked_for(served: Served, trained: Trained) -> None:
    for query in ("", "?evidence=0", "?evidence="):
        answer = served.client.post(f"/predict_all{query}", files=image_form(trained.picture)).json()
        assert "evidence" not in answer["value_1"][0]
    assert_error_response(
        served.client.post("/predict_all?evidence=yes", files=image_form(trained.picture)), 422, "bad_evidence"
    )


def test_grades_name_the_time_of_their_operating_point(served: Served, trained: Trained) -> None:
    answer = served.client.post("/predict_all?run=whole", files=image_form(trained.picture)).json()
    for condition in Condition:
        point = answer[condition.value][0]["operating_point"]
        assert point == {"made": MADE, "fitted": condition is Condition.PUSTULES}
    answer = served.client.post("/predict_all?run=part", files=image_form(trained.picture)).json()
    point = answer["value_5"][0]["operating_point"]
    assert point == {"made": served.part.operating_point.made or None, "fitted": served.part.operating_point.fitted}
