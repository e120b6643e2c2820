"""The bill of materials: what an image lists of itself."""

import json
import subprocess
import sys
from importlib.metadata import distributions, version
from typing import Any

import pytest
from conftest import ROOT

from scalp_core.sbom import bill_of_materials
from scalp_core.version import __version__


@pytest.fixture(scope="module")
def bill() -> dict[str, Any]:
    return bill_of_materials()


def test_bill_names_the_product_and_its_format(bill: dict[str, Any]) -> None:
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
    assert bill["metadata"]["component"]["version"] == __version__


def test_every_python_package_is_listed_once(bill: dict[str, Any]) -> None:
    purls = [component["purl"] for component in bill["components"] if component.get("purl", "").startswith("pkg:pypi")]
    assert len(purls) == len(set(purls)) == len({package.name.lower().replace("_", "-") for package in distributions()})
    assert f"pkg:pypi/pillow@{version('pillow')}" in purls
    assert f"pkg:pypi/torch@{version('torch').replace('+', '%2B')}" in purls


def test_system_and_python_are_listed(bill: dict[str, Any]) -> None:
    kinds = [component["type"] for component in bill["components"]]
    assert kinds.count("operating-system") == kinds.count("platform") == 1


def test_licences_are_those_of_the_packages(bill: dict[str, Any]) -> None:
    licences = {component["name"]: component.get("licenses") for component in bill["components"]}
    assert licences["pillow"] == [{"expression": "MIT-CMU"}]
    missing = [component["name"] for component in bill["components"] if component.get("licenses") == []]
    assert missing == []


def test_bills_of_wheels_are_referred_to(bill: dict[str, Any]) -> None:
    (pillow,) = (component for component in bill["components"] if component["name"] == "pillow")
    assert all(reference["type"] == "bom" for reference in pillow["externalReferences"])


def test_command_prints_the_bill_and_the_same_bytes_each_time(bill: dict[str, Any]) -> None:
    command = [sys.executable, "-m", "scalp_core.sbom"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == bill
