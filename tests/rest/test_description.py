"""A server answers as its own description says: schemathesis, all checks, over a real process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from support.rest_server import serving

CONFIG = Path("tests/rest/schemathesis.toml")  # from ROOT; its first lines say how to run it by hand
EXAMPLES = os.environ.get("SCALP_SCHEMA_EXAMPLES", "3")  # of an address; 200 take minutes
TOKEN = "a token of this test"  # noqa: S105


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
