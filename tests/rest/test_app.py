"""The REST contract, the old one and what was added, on a tiny real run."""

import io
import json
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT, Folders, Trained, promote_everywhere, until
from fastapi.testclient import TestClient
from PIL import Image
from support.rest_client import assert_error_response, image_form

from scalp_core.access import Access
from scalp_core.errors import ScalpError
from scalp_core.images import MAX_BYTES
from scalp_core.inference import predict
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.metrics.operating_point import Decision, OperatingPoint
from scalp_core.rest import app, warmup
from scalp_core.runs.champions import champions
from scalp_core.runs.election import score
from scalp_core.runs.run import Run

BOTH_DOORS = ("", "/api")

OLD_NAMES = {
    "value_1": "미세각질",
    "value_2": "피지과다",
    "value_3": "모낭사이홍반",
    "value_4": "모낭홍반/농포",
    "value_5": "비듬",
    "value_6": "탈모",
}
OLD_GRADES = ("양호", "경증", "중등도", "중증")


@pytest.fixture
def client(trained: Trained) -> Iterator[TestClient]:
    with TestClient(app.api, raise_server_exceptions=False) as client:
        yield client


# The old contract.


@pytest.mark.parametrize("door", BOTH_DOORS)
def test_predict_all_keeps_old_shape_byte_for_byte(client: TestClient, trained: Trained, door: str) -> None:
    response = client.post(f"{door}/predict_all", files=image_form(trained.picture))
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    answer = response.json()
    assert list(answer)[:6] == list(OLD_NAMES)
    for number, (key, name) in enumerate(OLD_NAMES.items(), start=1):
        (only,) = answer[key]
        assert list(only)[:5] == ["class_id", "class_name", "pr_num", "pr_name", "answer"]
        assert type(only["class_id"]) is int
        assert type(only["pr_num"]) is int
        grade = OLD_GRADES[only["pr_num"]]
        old = {
            "class_id": number,
            "class_name": name,
            "pr_num": only["pr_num"],
            "pr_name": grade,
            "answer": f"{name}의 상태가 {grade} 입니다.",
        }
        assert old.items() <= only.items()
        written = json.dumps(old, ensure_ascii=False, separators=(",", ":"))
        assert f'"{key}":[{written[:-1]},' in response.content.decode("utf-8")


def test_what_was_there_before_comes_first_and_unchanged(client: TestClient, trained: Trained) -> None:
    """To the byte, so that no client sees another answer than with the version before."""
    answer = predict.grade(trained.picture)
    made_at = json.dumps(trained.run.operating_point.made or None)
    objects = {}
    for condition, grading in answer.gradings.items():
        name, grade = condition.text.ko, grading.grade.text.ko
        members = {
            "class_id": condition.number,
            "class_name": name,
            "pr_num": int(grading.grade),
            "pr_name": grade,
            "answer": f"{name}의 상태가 {grade} 입니다.",
            "probabilities": list(grading.probabilities),
            "grade_set": [int(end) for end in grading.grade_set] if grading.grade_set else None,
            "run": trained.run.id,
            "architecture": "test_efficientnet",
            "synthetic": True,
        }
        added = f',"operating_point":{{"made":{made_at},"fitted":{json.dumps(grading.grade_set is not None)}}}}}'
        objects[condition.value] = written(members)[:-1] + added
    picture = '"image":{"format":"JPEG","width":640,"height":480}'
    gate = '"gradable":null,"reasons":[],"unusual":null,"remarks":[]'
    for condition, members_of in objects.items():
        single = client.post("/predict", files=image_form(trained.picture), data={"value_num": condition[-1]}).text
        assert single == f'{{"{condition}":[{members_of}],{picture},"intended_use":"research_only",{gate}}}'
    conditions = ",".join(f'"{condition}":[{members_of}]' for condition, members_of in objects.items())
    response = client.post("/predict_all", files=image_form(trained.picture)).text
    assert response.startswith(f'{{{conditions},{picture},"scalp_type":{{"key":"')
    assert response.endswith(f'"}},"intended_use":"research_only",{gate}}}')


def written(members: dict[str, Any]) -> str:
    return json.dumps(members, ensure_ascii=False, separators=(",", ":"))


def test_predict_answers_with_one_condition_and_same_numbers(client: TestClient, trained: Trained) -> None:
    everything = client.post("/predict_all", files=image_form(trained.picture)).json()
    for door in BOTH_DOORS:
        for number in "123456":
            single = client.post(
                f"{door}/predict", files=image_form(trained.picture), data={"value_num": number}
            ).json()
            gate = ["gradable", "reasons", "unusual", "remarks"]
            assert list(single) == [f"value_{number}", "image", "intended_use", *gate]
            assert single[f"value_{number}"] == everything[f"value_{number}"]
            assert single["image"] == everything["image"]


# What was added.


@pytest.mark.parametrize("door", BOTH_DOORS)
def test_the_numbers_are_those_of_predict(client: TestClient, trained: Trained, door: str) -> None:
    answer = client.post(f"{door}/predict_all", files=image_form(trained.picture)).json()
    expected = predict.grade(trained.picture)
    for condition, grading in expected.gradings.items():
        (only,) = answer[condition.value]
        assert only["probabilities"] == pytest.approx(grading.probabilities, abs=1e-6)
        assert sum(only["probabilities"]) == pytest.approx(1, abs=1e-5)
        assert only["pr_num"] == grading.grade
        assert only["grade_set"] == (list(grading.grade_set) if grading.grade_set else None)
        assert only["run"] == trained.run.id
        assert only["architecture"] == trained.run.recipe.architecture
        assert only["synthetic"] is True
    assert answer["image"] == {"format": "JPEG", "width": expected.picture.width, "height": expected.picture.height}
    assert answer["scalp_type"]["key"] == expected.scalp_type.key
    assert answer["scalp_type"]["name"] == expected.scalp_type.text.ko
    assert answer["scalp_type"]["name_en"] == expected.scalp_type.text.en
    assert answer["scalp_type"]["reason"] == expected.scalp_type.reason.ko
    assert answer["scalp_type"]["missing"] == []
    assert answer["intended_use"] == "research_only"


@pytest.mark.parametrize("door", BOTH_DOORS)
def test_a_calibrated_run_answers_with_a_grade_set(
    client: TestClient, trained: Trained, folders: Folders, door: str
) -> None:
    run = promote_everywhere(Run(Path(shutil.copytree(trained.run.folder, folders.artifacts / "copy"))))
    decision = Decision(temperature=2.0, set_threshold=0.5, images=100, far_limit=0.01, refer_from=0.0)
    run.write_operating_point(OperatingPoint({Condition.PUSTULES: decision}))
    answer = client.post(f"{door}/predict_all", files=image_form(trained.picture)).json()
    gradings = predict.grade(trained.picture).gradings
    for condition, grading in gradings.items():
        (only,) = answer[condition.value]
        assert only["probabilities"] == pytest.approx(grading.probabilities, abs=1e-6)
        if condition is Condition.PUSTULES:
            low, high = only["grade_set"]
            assert (low, high) == grading.grade_set
            assert low <= only["pr_num"] <= high
        assert only.get("refer") is (True if condition is Condition.PUSTULES else None)
    single = client.post(f"{door}/predict", files=image_form(trained.picture), data={"value_num": "4"}).json()
    assert single["value_4"] == answer["value_4"]


@pytest.mark.parametrize("threshold", [1, 2, 3])
def test_threshold_moves_the_scalp_type(client: TestClient, trained: Trained, threshold: int) -> None:
    expected = predict.grade(trained.picture, threshold=threshold).scalp_type
    in_form = client.post("/predict_all", files=image_form(trained.picture), data={"threshold": str(threshold)})
    in_query = client.post(f"/predict_all?threshold={threshold}", files=image_form(trained.picture))
    for response in (in_form, in_query):
        answer = response.json()["scalp_type"]
        assert answer["threshold"] == threshold
        assert answer["key"] == expected.key
        assert answer["present"] == [condition.value for condition in expected.present]
        assert answer["tendencies"] == [condition.value for condition in expected.tendencies]


def test_conditions_that_no_run_knows_are_left_out(client: TestClient, trained: Trained, monkeypatch: Any) -> None:
    only = {Condition.DANDRUFF: predict.champions()[Condition.DANDRUFF]}
    monkeypatch.setattr(predict, "champions", lambda: only)
    answer = client.post("/predict_all", files=image_form(trained.picture)).json()
    assert [key for key in answer if key.startswith("value_")] == ["value_5"]
    assert answer["scalp_type"]["key"] == "undetermined"
    assert answer["scalp_type"]["missing"] == [condition.value for condition in CONDITIONS if condition != "value_5"]
    assert_error_response(
        client.post("/predict", files=image_form(trained.picture), data={"value_num": "1"}), 503, "no_model"
    )


@pytest.mark.parametrize("mode", ["L", "RGBA", "LA", "P", "1", "CMYK", "I;16"])
def test_every_kind_of_picture_is_graded(client: TestClient, trained: Trained, mode: str) -> None:
    picture = Image.open(io.BytesIO(trained.picture))
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)
    buffer = io.BytesIO()
    (picture if mode == "I;16" else picture.convert(mode)).save(buffer, "JPEG" if mode == "CMYK" else "PNG")
    # The name lies; only the content counts.
    response = client.post("/predict_all", files=image_form(buffer.getvalue(), "scalp.txt"))
    assert response.status_code == 200
    assert response.json()["image"]["format"] == ("JPEG" if mode == "CMYK" else "PNG")


# Refusals.


def test_missing_fields_are_refused(client: TestClient, trained: Trained) -> None:
    for door in BOTH_DOORS:
        assert_error_response(client.post(f"{door}/predict_all"), 400, "missing_field")
        assert_error_response(client.post(f"{door}/predict_all", data={"image": "/etc/passwd"}), 400, "missing_field")
        assert_error_response(
            client.post(f"{door}/predict_all", files={"picture": ("a.jpg", b"x")}), 400, "missing_field"
        )
        assert_error_response(client.post(f"{door}/predict_all", files=image_form(b"", "")), 400, "missing_field")
        assert_error_response(
            client.post(f"{door}/predict_all", json={"image": "http://example.org"}), 400, "missing_field"
        )
        assert_error_response(client.post(f"{door}/predict", files=image_form(trained.picture)), 400, "missing_field")
        assert_error_response(client.post(f"{door}/predict", data={"value_num": "1"}), 400, "missing_field")


def test_forms_that_cannot_be_read(client: TestClient, trained: Trained) -> None:
    twice = [("image", ("a.jpg", trained.picture)), ("image", ("b.jpg", trained.picture))]
    assert_error_response(client.post("/predict_all", files=twice), 400, "bad_form")
    many = {f"field{number}": "x" for number in range(100)}
    assert_error_response(client.post("/predict_all", files=image_form(trained.picture), data=many), 400, "bad_form")
    assert_error_response(
        client.post("/predict_all", files=image_form(trained.picture), data={"note": "x" * 5000}), 400, "bad_form"
    )
    for kind in (
        "multipart/form-data",
        "multipart/form-data; boundary=x",
        f"multipart/form-data; boundary={'x' * 60_000}",
    ):
        response = client.post("/predict_all", content=b"--y\r\n\r\nnonsense", headers={"content-type": kind})
        assert response.status_code == 400


@pytest.mark.parametrize("number", ["0", "7", "-1", "abc", "１", "٣", "1.0", "", "value_1", "1 2", "9" * 1000])
def test_value_num_out_of_range(client: TestClient, trained: Trained, number: str) -> None:
    response = client.post("/predict", files=image_form(trained.picture), data={"value_num": number})
    assert_error_response(response, 422, "bad_value_num")


@pytest.mark.parametrize("threshold", ["0", "4", "-1", "abc", "２", "2.0"])
def test_a_bad_threshold_is_refused(client: TestClient, trained: Trained, threshold: str) -> None:
    parameters = {"threshold": threshold}
    assert_error_response(
        client.post("/predict_all", files=image_form(trained.picture), data=parameters), 422, "bad_threshold"
    )
    assert_error_response(
        client.post("/api/predict_all", files=image_form(trained.picture), params=parameters), 422, "bad_threshold"
    )


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"<svg/>", b"%!PS", b"\xff\xd8\xff\xe0 and then nothing"])
def test_not_a_picture(client: TestClient, content: bytes) -> None:
    assert_error_response(client.post("/predict_all", files=image_form(content)), 415, "not_a_picture")


def test_a_picture_cut_short(client: TestClient, trained: Trained) -> None:
    assert_error_response(client.post("/predict_all", files=image_form(trained.picture[:-200])), 415, "not_a_picture")


def test_too_large_bodies_are_refused(client: TestClient) -> None:
    announced = {"content-type": "multipart/form-data; boundary=x", "content-length": "100000000000"}
    assert_error_response(client.post("/predict_all", content=b"x", headers=announced), 413, "too_large")
    pieces = (b"x" * 2**20 for _ in range(22))
    chunked = {"content-type": "multipart/form-data; boundary=x"}
    assert_error_response(client.post("/api/predict_all", content=pieces, headers=chunked), 413, "too_large")
    # Between what the form may have and what the picture may have.
    assert_error_response(client.post("/predict_all", files=image_form(b"\0" * (MAX_BYTES + 1))), 413, "too_large")


def test_too_many_pixels(client: TestClient) -> None:
    buffer = io.BytesIO()
    Image.new("1", (7000, 7000)).save(buffer, "PNG")
    assert_error_response(client.post("/predict_all", files=image_form(buffer.getvalue())), 413, "too_large")


def test_unknown_addresses_and_methods(client: TestClient) -> None:
    assert_error_response(client.get("/api/nothing"), 404, "not_found")
    assert_error_response(client.get("/api/docs/../../etc/passwd"), 404, "not_found")
    assert_error_response(client.get("/api/docs/passwd"), 404, "not_found")
    assert_error_response(client.delete("/api/health"), 405, "method_not_allowed")
    response = client.get("/api/predict")
    assert_error_response(response, 405, "method_not_allowed")
    assert response.headers["allow"] == "POST"


def test_without_a_model(client: TestClient, trained: Trained, folders: Folders) -> None:
    response = client.post("/predict_all", files=image_form(trained.picture))
    assert_error_response(response, 503, "no_model")
    assert "retry-after" not in response.headers
    assert_error_response(client.get("/api/ready"), 503, "no_model")
    assert client.get("/api/models").json()["models"] == []
    assert client.get("/api/health").status_code == 200


def test_the_unexpected_is_told_without_its_traceback(client: TestClient, trained: Trained, monkeypatch: Any) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret details")

    monkeypatch.setattr(predict.Graders, "grade", broken)
    response = client.post("/predict_all", files=image_form(trained.picture))
    assert_error_response(response, 500, "internal_error")
    assert "secret" not in response.text
    assert response.headers["x-request-id"] in response.json()["error"]["message"]
    assert 'scalp_requests_total{route="/predict_all",status="500"}' in client.get("/api/metrics").text
    assert response.headers["cache-control"] == "no-store"


# Headers, logs, load.


def test_headers_and_no_cors(client: TestClient, trained: Trained) -> None:
    responses = [
        client.get("/api/health", headers={"Origin": "https://elsewhere.example"}),
        client.get("/api/nothing"),
        client.post("/predict_all", files=image_form(trained.picture)),
        client.post("/predict_all", content=b"x", headers={"content-length": "100000000000"}),
    ]
    for response in responses:
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["content-security-policy"].startswith("default-src 'none'")
        assert "access-control-allow-origin" not in response.headers
    assert len({response.headers["x-request-id"] for response in responses}) == len(responses)


def test_busy_executor_still_answers_health(trained: Trained, monkeypatch: Any) -> None:
    going, peak, go_on, real = 0, 0, threading.Event(), predict.Graders.grade
    counting = threading.Lock()

    def slow(*arguments: Any) -> predict.Answer:
        nonlocal going, peak
        with counting:
            going += 1
            peak = max(peak, going)
        go_on.wait(30)
        with counting:
            going -= 1
        return real(*arguments)

    monkeypatch.setattr(predict.Graders, "grade", slow)
    crowded = app.application(app.ServiceLimits(gradings=2, queue_length=3))
    with TestClient(crowded) as client, ThreadPoolExecutor(5) as clients:
        responses = [clients.submit(client.post, "/predict_all", files=image_form(trained.picture)) for _ in range(5)]
        until(lambda: going == 2)
        assert client.get("/api/health").status_code == 200
        until(lambda: not crowded.state.service.executor.free)
        busy = client.post("/predict_all", files=image_form(trained.picture))
        assert_error_response(busy, 503, "busy")
        assert int(busy.headers["retry-after"]) > 0
        go_on.set()
        assert {busy.result().status_code for busy in responses} == {200}
        assert client.post("/predict_all", files=image_form(trained.picture)).status_code == 200
    assert peak == 2


# The service's own routes.


def test_health_and_ready(client: TestClient, trained: Trained) -> None:
    assert client.get("/api/health").json() == {"status": "alive", "intended_use": "research_only"}
    until(lambda: client.get("/api/ready").status_code == 200)
    answer = client.get("/api/ready").json()
    assert answer == {"status": "ready", "runs": [trained.run.id], "intended_use": "research_only"}


def test_not_ready_while_loading(trained: Trained, monkeypatch: Any) -> None:
    go_on, real = threading.Event(), predict.warm_up
    monkeypatch.setattr(predict, "warm_up", lambda: go_on.wait(30) and real())
    with TestClient(app.application()) as another:
        # The loading thread elects; an asker that did so too would take time from it.
        monkeypatch.setattr(warmup, "champions", lambda: pytest.fail("elected beside the loading thread"))
        response = another.get("/api/ready")
        assert_error_response(response, 503, "warming")
        assert int(response.headers["retry-after"]) > 0
        assert another.get("/api/health").status_code == 200
        monkeypatch.setattr(warmup, "champions", champions)
        go_on.set()
        until(lambda: another.get("/api/ready").status_code == 200)


def test_an_error_of_loading_stays_while_it_is_tried_again(trained: Trained, monkeypatch: Any) -> None:
    go_on, tries = threading.Event(), []

    def fail() -> None:
        tries.append(go_on.wait(30) if tries else None)
        raise ScalpError("damaged", "It is damaged.", "손상되었어요.")

    def code() -> str:
        with pytest.raises(ScalpError) as refused:
            loading.check()
        return refused.value.code

    monkeypatch.setattr(predict, "warm_up", fail)
    loading = warmup.Warmup()
    until(lambda: code() == "damaged")
    assert {code() for _ in range(3)} == {"damaged"}  # though the next try is under way
    go_on.set()


def test_models_lists_the_answering_runs(client: TestClient, trained: Trained) -> None:
    answer = client.get("/api/models").json()
    assert answer["intended_use"] == "research_only"
    assert [model["key"] for model in answer["models"]] == [condition.value for condition in CONDITIONS]
    for model in answer["models"]:
        assert model["run"] == trained.run.id
        assert model["data"] == "tiny"
        assert model["synthetic"] is True
        assert model["pinned"] is True
        measured = [score(trained.run, Condition(model["key"]), part) for part in ("valid", "test")]
        assert [model["quadratic_weighted_kappa"][part] for part in ("valid", "test")] == measured
        assert [each["code"] for each in model["shortfalls"]][:1] == ["few_pictures"]
    assert answer["passed_over"] == []


def test_models_lists_runs_below_floor(client: TestClient, trained: Trained, folders: Folders) -> None:
    shutil.copytree(trained.run.folder, folders.artifacts / "copy")
    answer = client.get("/api/models").json()
    assert answer["models"] == []
    assert [(passed["key"], passed["run"]) for passed in answer["passed_over"]] == [(c, "copy") for c in CONDITIONS]
    for passed in answer["passed_over"]:
        assert "labelled validation picture" in passed["shortfalls"][0]["message"]
        assert "검증 사진" in passed["shortfalls"][0]["message_ko"]
    error = client.post("/predict_all", files=image_form(trained.picture)).json()["error"]
    assert error["code"] == "no_model"
    assert "run “copy” does not answer by itself" in error["message"]


def test_docs_need_nothing_from_elsewhere(client: TestClient) -> None:
    page = client.get("/api/docs")
    assert page.status_code == 200
    addresses = re.findall(r'(?:src|href)="([^"]*)"', page.text)
    assert len(addresses) == 4
    for address in addresses:
        assert not re.match("[a-z]+:|//", address) or address == "data:,"
        if address != "data:,":
            asset = client.get(f"/api/{address}")
            assert asset.status_code == 200
            assert asset.headers["content-type"].startswith(("text/css", "text/javascript"))
    assert "http" not in client.get("/api/docs/start.js").text
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "http" not in policy
    assert "script-src 'self';" in policy


def test_openapi_describes_every_route(client: TestClient) -> None:
    answer = client.get("/api/openapi.json").json()
    gradings = {f"{door}/{name}" for door in BOTH_DOORS for name in ("predict", "predict_all")}
    service = {f"/api/{name}" for name in ("health", "ready", "models", "metrics")}
    assert set(answer["paths"]) == gradings | service | {"/api/predict_batch"}
    for path in gradings | {"/api/predict_batch"}:
        route = answer["paths"][path]["post"]
        fields = route["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]
        image = fields["image"]
        assert image.get("items", image)["format"] == "binary"
        assert {parameter["name"] for parameter in route["parameters"]} == {"run", "evidence", "strict", "X-Request-ID"}
        assert {"200", "400", "404", "408", "413", "422", "503"} <= set(route["responses"])
        assert route["summary"]
        assert route["description"]
    schemas = answer["components"]["schemas"]
    assert "90%" in schemas["GradeResponse"]["properties"]["grade_set"]["description"]
    description = schemas["EvidenceMap"]["properties"]["png"]["description"]
    assert "#e66101" in description
    assert "#e66101" in answer["info"]["description"]


@pytest.mark.parametrize("token", ["", "correct-horse-battery"])
def test_description_asks_for_a_token_that_exists(token: str) -> None:
    with TestClient(app.application(settings=lambda: Access(frozenset({"testserver"}), token))) as client:
        paths = client.get("/api/openapi.json").json()["paths"]
    operations = {path: next(iter(described.values())) for path, described in paths.items()}
    asking = {path for path, operation in operations.items() if "security" in operation}
    assert asking == (set(operations) - {"/api/health", "/api/ready"} if token else set())


def test_answering_needs_nothing_that_trains_fits_or_draws(trained: Trained, tmp_path: Path) -> None:
    """Answer with maps and counters from a fresh start: these modules alone would double the time and the memory."""
    (tmp_path / "scalp.jpg").write_bytes(trained.picture)
    program = """
import sys
from pathlib import Path
from fastapi.testclient import TestClient
from scalp_core.rest import app as rest

with TestClient(rest.api) as client:
    files = {"image": Path(sys.argv[1]).read_bytes()}
    assert client.post("/predict_all?evidence=1", files=files).json()["value_6"]
    assert client.get("/api/metrics").is_success
heavy = "torch torchvision timm onnx streamlit altair plotly matplotlib seaborn scipy sklearn"
print([name for name in heavy.split() if name in sys.modules])
"""
    command = [sys.executable, "-c", program, str(tmp_path / "scalp.jpg")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
