"""The Postman collection: made of the description, and run against a server by newman."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from support.rest_server import serving

from scalp_core.images import decode
from scalp_core.rest.postman import COLLECTION, PICTURE
from training import postman

FOLDER = ROOT / "docs" / "postman"
NEWMAN = ROOT / "tests" / "newman" / "node_modules" / ".bin" / "newman"
TOKEN = "a token of this test"  # noqa: S105


def collection() -> dict[str, Any]:
    read: dict[str, Any] = json.loads((FOLDER / COLLECTION).read_text(encoding="utf-8"))
    return read


def requests(folder: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for item in folder["item"]:
        yield from requests(item) if "item" in item else [item]


def test_collection_is_what_the_command_makes(tmp_path: Path) -> None:
    assert postman.main(["--folder", str(tmp_path)]) == 0
    remedy = "make it anew: python -m training.postman"
    assert (tmp_path / COLLECTION).read_text(encoding="utf-8") == (FOLDER / COLLECTION).read_text(encoding="utf-8"), (
        remedy
    )
    picture = decode((FOLDER / PICTURE).read_bytes())
    assert (picture.width, picture.height) == (640, 480)


def test_collection_has_every_address_and_a_test_of_each() -> None:
    tested = {item["request"]["url"]["raw"] for item in requests(collection()) if item["event"]}
    assert tested >= {
        f"{{{{base}}}}{path}"
        for path in (
            *("/predict_all", "/predict", "/api/predict_all", "/api/predict", "/api/predict_batch"),
            *("/api/health", "/api/ready", "/api/models", "/api/metrics"),
        )
    }


def test_newman_comes_from_the_ordinary_registry() -> None:
    packages = json.loads((ROOT / "tests" / "newman" / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    del packages[""]
    assert {package["resolved"].split("/")[2] for package in packages.values()} == {"registry.npmjs.org"}


@pytest.mark.usefixtures("trained")
def test_newman_finds_the_server_as_the_collection_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not NEWMAN.exists():
        pytest.skip("newman is not installed: npm ci --prefix tests/newman")
    monkeypatch.setenv("SCALP_TOKEN", TOKEN)
    report = tmp_path / "report.json"
    with serving(tmp_path / "log.txt") as (_, address):
        line = [str(NEWMAN), "run", str(FOLDER / COLLECTION), "--working-dir", str(FOLDER), "--color", "off"]
        line += ["--env-var", f"base={address}", "--env-var", f"token={TOKEN}"]
        line += ["--reporters", "cli,json", "--reporter-json-export", str(report)]
        done = subprocess.run(line, cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    run = json.loads(report.read_text(encoding="utf-8"))["run"]
    assert run["stats"]["requests"] == {"total": len(list(requests(collection()))), "pending": 0, "failed": 0}
    assert run["failures"] == []
