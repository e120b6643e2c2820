"""Answers of REST about pictures that the gate advises against."""

import io
import json
import logging
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Trained, promote_everywhere, until
from fastapi.testclient import TestClient
from PIL import Image
from support.rest_client import assert_error_response, image_form
from support.sharpness_gate import euclidean_distance

from scalp_core import images
from scalp_core.inference import input_gate
from scalp_core.inference.gate_limits import FARTHEST, GateLimits
from scalp_core.inference.image_stats import image_stats
from scalp_core.inference.input_gate import Gate, signed_log1p
from scalp_core.rest import app
from scalp_core.runs.run import Run

DOORS = ("/predict_all", "/api/predict_all")
USUAL_DISTANCE = 2.0  # logarithm of the squared distance


@dataclass(frozen=True)
class Gated:
    """A run whose gate refuses pictures of fewer than 100 pixels along a side, and calls the black one unusual."""

    client: TestClient
    good: bytes
    small: bytes
    black: bytes


@pytest.fixture(scope="module")
def gated(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gated]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCALP_ARTIFACTS", str(artifacts := tmp_path_factory.mktemp("gated")))
        run = promote_everywhere(Run(Path(shutil.copytree(trained.run.folder, artifacts / "gated"))))
        input_gate.write(gate_of(run, trained.picture), run.gate_path)
        small = io.BytesIO()
        Image.open(io.BytesIO(trained.picture)).resize((64, 48)).save(small, "PNG")
        with TestClient(app.application(), raise_server_exceptions=False) as client:
            until(lambda: client.get("/api/ready").status_code == 200)
            yield Gated(client, trained.picture, small.getvalue(), black_picture())


def black_picture() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (640, 480)).save(buffer, "PNG")
    return buffer.getvalue()


def gate_of(run: Run, picture: bytes) -> Gate:
    """Around this picture: a small one of the same scalp is nearer than a black one."""
    features = signed_log1p(image_stats(images.decode(picture).pixels).texture_features)
    return Gate(
        GateLimits(
            pixels=100, sharpness=0.0, overexposed=1.0, brightness=0.0, distance=FARTHEST, usual_distance=USUAL_DISTANCE
        ),
        replace(euclidean_distance(), mean=features.astype(np.float32)),
        facts={"version": input_gate.VERSION, "weights": run.manifest["files"]["model.safetensors"]},
    )


@pytest.mark.parametrize("door", DOORS)
def test_a_good_picture_is_gradable(gated: Gated, door: str) -> None:
    usual = gated.client.post(door, files=image_form(gated.good)).json()
    assert (usual["gradable"], usual["reasons"]) == (True, [])
    assert (usual["unusual"], usual["remarks"]) == (False, [])
    assert gated.client.post(f"{door}?strict=1", files=image_form(gated.good)).json() == usual


@pytest.mark.parametrize("door", DOORS)
def test_another_is_graded_and_marked(gated: Gated, door: str) -> None:
    answer = gated.client.post(door, files=image_form(gated.small)).json()
    assert answer["gradable"] is False
    (reason,) = answer["reasons"]
    assert set(reason) == {"code", "message", "message_ko"}
    assert reason["code"] == "too_small"
    assert "64 × 48" in reason["message"]
    assert re.search("[가-힣]", reason["message_ko"])
    assert all(answer[f"value_{number}"] for number in range(1, 7))
    single = gated.client.post("/predict", files=image_form(gated.small), data={"value_num": "3"}).json()
    assert (single["gradable"], single["reasons"]) == (False, answer["reasons"])


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("query", ["", "?strict=1"])
def test_an_unusual_picture_is_graded_and_marked(gated: Gated, door: str, query: str) -> None:
    answer = gated.client.post(f"{door}{query}", files=image_form(gated.black)).json()
    assert (answer["gradable"], answer["reasons"], answer["unusual"]) == (True, [], True)
    (remark,) = answer["remarks"]
    assert remark["code"] == "unusual"
    assert "Another camera" in remark["message"]
    assert all(answer[f"value_{number}"] for number in range(1, 7))


def test_strict_refuses_it_with_the_reasons(gated: Gated) -> None:
    reasons = gated.client.post("/predict_all", files=image_form(gated.small)).json()["reasons"]
    fields = {"value_num": "3"}
    for path in ("/predict_all", "/api/predict_all", "/predict", "/api/predict"):
        response = gated.client.post(f"{path}?strict=1", files=image_form(gated.small), data=fields)
        assert response.status_code == 422
        body = response.json()
        assert set(body) == {"error", "intended_use", "request_id"}
        assert body["intended_use"] == "research_only"
        assert body["error"]["code"] == "not_gradable"
        assert body["error"]["reasons"] == reasons
        assert reasons[0]["message"] in body["error"]["message"]
        assert reasons[0]["message_ko"] in body["error"]["message_ko"]


@pytest.mark.parametrize("value", ["yes", "2", "true", "１"])
def test_strict_is_a_switch(gated: Gated, value: str) -> None:
    response = gated.client.post("/predict_all", params={"strict": value}, files=image_form(gated.good))
    assert_error_response(response, 422, "bad_strict")
    assert value in response.json()["error"]["message"]
    assert gated.client.post("/predict_all?strict=0", files=image_form(gated.small)).status_code == 200


def test_each_of_a_batch_for_itself(gated: Gated) -> None:
    files = [("image", ("a.jpg", content)) for content in (gated.good, gated.small, b"GIF89a")]
    usual = gated.client.post("/api/predict_batch", files=files).json()["results"]
    assert [entry["status"] for entry in usual] == [200, 200, 415]
    assert [entry["answer"]["gradable"] for entry in usual[:2]] == [True, False]
    strict = gated.client.post("/api/predict_batch?strict=1", files=files).json()["results"]
    assert [entry["status"] for entry in strict] == [200, 422, 415]
    assert strict[1]["error"]["code"] == "not_gradable"
    assert strict[1]["error"]["reasons"] == usual[1]["answer"]["reasons"]
    assert strict[0] == usual[0]
    assert strict[2] == usual[2]


def test_without_a_gate_gradable_is_null(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCALP_ARTIFACTS", str(trained.run.folder.parent))
    with TestClient(app.application()) as client:
        for query in ("", "?strict=1"):
            answer = client.post(f"/predict_all{query}", files=image_form(trained.picture)).json()
            assert (answer["gradable"], answer["reasons"]) == (None, [])
            assert (answer["unusual"], answer["remarks"]) == (None, [])
        assert 'scalp_gate_total{gradable="unknown"} 2.0' in client.get("/api/metrics").text


def test_it_is_counted_and_noted_by_code(gated: Gated, caplog: pytest.LogCaptureFixture) -> None:
    def counted(sample: str) -> float:
        match = re.search(rf"^{re.escape(sample)} (\S+)$", gated.client.get("/api/metrics").text, re.MULTILINE)
        return float(match[1]) if match else 0.0

    samples = {f'scalp_gate_total{{gradable="{answer}"}}': more for answer, more in (("yes", 2), ("no", 2))}
    samples |= {f'scalp_gate_reasons_total{{code="{code}"}}': more for code, more in (("too_small", 2), ("unusual", 1))}
    before = {sample: counted(sample) for sample in samples}
    caplog.set_level(logging.INFO, logger="scalp_core.rest.middleware")
    gated.client.post("/predict_all?strict=1", files=image_form(gated.good))
    gated.client.post("/predict_all", files=image_form(gated.small))
    gated.client.post("/predict_all?strict=1", files=image_form(gated.small))
    gated.client.post("/predict_all?strict=1", files=image_form(gated.black))
    assert {sample: counted(sample) - before[sample] for sample in samples} == samples
    lines: list[dict[str, Any]] = [json.loads(record.getMessage()) for record in caplog.records]
    noted = [(line["outcome"], line["pictures"][0]["outcome"], line["pictures"][0].get("reasons")) for line in lines]
    assert noted == [
        ("answered", "graded", None),
        ("answered", "graded", ["too_small"]),
        ("not_gradable", "not_gradable", ["too_small"]),
        ("answered", "graded", ["unusual"]),
    ]
    assert "64 × 48" not in caplog.text


def test_openapi_tells_of_it(gated: Gated) -> None:
    description = gated.client.get("/api/openapi.json").json()
    schemas = description["components"]["schemas"]
    for name in ("PredictAllResponse", "PredictResponse"):
        assert {"gradable", "reasons", "unusual", "remarks"} <= set(schemas[name]["properties"])
    assert "not_gradable" in schemas["ErrorDetail"]["properties"]["reasons"]["description"]
    strict = [
        parameter
        for parameter in description["paths"]["/predict_all"]["post"]["parameters"]
        if parameter["name"] == "strict"
    ]
    assert "not_gradable" in strict[0]["description"]
    assert "strict" in description["paths"]["/predict_all"]["post"]["responses"]["422"]["description"]
