"""A server answers as its own description says: schemathesis, all checks, over a real process."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, Trained
from fastapi.testclient import TestClient
from support.rest_client import image_form
from support.rest_server import serving

from scalp_core.access import Access
from scalp_core.rest import app, examples, schemas
from scalp_core.rest.error_handlers import _STATUS as STATUS_OF_CODE

CONFIG = Path("tests/rest/schemathesis.toml")  # from ROOT; its first lines say how to run it by hand
EXAMPLES = os.environ.get("SCALP_SCHEMA_EXAMPLES", "3")  # of an address; 200 take minutes
TOKEN = "a token of this test"  # noqa: S105


# Of addresses that the description does not have.
ELSEWHERE = {"not_found", "method_not_allowed"}


def description() -> dict[str, Any]:
    settings = Access(token=TOKEN)
    return app.application(settings=lambda: settings).openapi()


def test_every_field_is_described_with_an_example() -> None:
    silent = []
    for schema, described in description()["components"]["schemas"].items():
        for name, field in described["properties"].items():
            exemplified = {"examples", "const", "$ref"} & field.keys() or "#/components/schemas/" in json.dumps(field)
            if not (exemplified and field.get("description")):
                silent.append(f"{schema}.{name}")
    assert silent == []


def test_every_error_has_an_example_under_its_status() -> None:
    codes = set()
    for operations in description()["paths"].values():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                for code, example in response["content"].get("application/json", {}).get("examples", {}).items():
                    error = example["value"]["error"]
                    assert schemas.ErrorResponse.model_validate(example["value"]).error.code == code
                    assert status == str(STATUS_OF_CODE.get(code, 500))
                    assert re.search("[a-z]{3}", error["message"])
                    assert re.search("[가-힣]", error["message_ko"])
                    codes.add(code)
    assert codes == STATUS_OF_CODE.keys() - ELSEWHERE | {"internal_error"}


def test_examples_of_answers_have_all_that_answers_have(trained: Trained) -> None:
    with TestClient(app.application(), base_url="http://localhost") as client:
        answers = {
            "PredictAllResponse": client.post("/predict_all", files=image_form(trained.picture)),
            "PredictResponse": client.post("/predict", files=image_form(trained.picture), data={"value_num": "4"}),
            "PredictBatchResponse": client.post("/api/predict_batch", files=image_form(trained.picture)),
            "HealthResponse": client.get("/api/health"),
            "ModelsResponse": client.get("/api/models"),
        }
    for name, answer in answers.items():
        example = examples.answer_bodies()[name]
        getattr(schemas, name).model_validate(example)
        assert keys_of(example) == keys_of(answer.json()), name


def keys_of(value: object) -> object:
    """The names in a body, and in what it holds; of a list those of its first entry. Few runs have shortfalls."""
    if isinstance(value, dict):
        return {key: None if key == "shortfalls" else keys_of(held) for key, held in value.items()}
    return keys_of(value[0]) if isinstance(value, list) and value and isinstance(value[0], dict) else None


def test_examples_of_errors_are_what_the_server_says() -> None:
    """Ask for those that need no run; the functions that make the real errors make all others."""
    with TestClient(app.application(), base_url="http://localhost") as client:
        for code, answer in {
            "missing_field": client.post("/predict", files=image_form(b"no picture")),
            "bad_value_num": client.post("/predict", files=image_form(b"no picture"), data={"value_num": "7"}),
            "bad_threshold": client.post("/predict_all?threshold=4", files=image_form(b"no picture")),
            "bad_evidence": client.post("/predict_all?evidence=2", files=image_form(b"no picture")),
            "no_run": client.post("/predict_all?run=clinic-resnet18", files=image_form(b"no picture")),
            "foreign_host": client.get("/api/health", headers={"Host": "elsewhere.example"}),
            "foreign_origin": client.get("/api/health", headers={"Origin": "http://elsewhere.example"}),
        }.items():
            assert answer.json()["error"] == examples.error_body(code)["error"]
            assert answer.status_code == examples.status(code)


@pytest.mark.usefixtures("trained")
def test_server_keeps_to_its_description(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start the server with a token, so that addresses without protection show."""
    monkeypatch.setenv("SCALP_TOKEN", TOKEN)
    report = tmp_path / "report.json"
    with serving(tmp_path / "log.txt") as (_, address):
        line = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "run", "--no-color"]
        line += [f"{address}/api/openapi.json", "--header", f"Authorization: Bearer {TOKEN}"]
        line += ["--seed", "0", "--max-examples", EXAMPLES, "--report-json-path", str(report)]
        done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    outcome = json.loads(report.read_text())
    assert {name: phase["status"] for name, phase in outcome["phases"].items()} == dict.fromkeys(
        ("examples", "coverage", "fuzzing", "stateful"), "success"
    )
    assert outcome["operations"]["tested"] == outcome["operations"]["total"] == 9
