"""The bill of materials of an image as CycloneDX JSON: `python -m scalp_core.sbom > sbom.cdx.json`.

It lists the system, its packages where dpkg keeps them, Python and the Python packages. Libraries inside of wheels are
listed by those wheels that bring a bill of their own (PEP 770), which is referred to. The same installation gives the
same bytes: there is neither a time nor a serial number.
"""

import json
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from typing import Any
from urllib.parse import quote

from scalp_core.version import __version__

_DPKG_FORMAT = "${db:Status-Abbrev}\t${Package}\t${Version}\t${Architecture}\n"
_LONGEST_LICENCE = 80  # letters; some packages put the whole text there


def bill_of_materials() -> dict[str, Any]:
    """Return the bill: the product, and its components in the order of their names."""
    components = [*_platform(), *_system_packages(), *_python_packages()]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": "scalp-lab",
                "name": "scalp-lab",
                "version": __version__,
                "licenses": [{"license": {"id": "MIT"}}],
            }
        },
        "components": sorted(components, key=lambda component: str(component["bom-ref"])),
    }


def _platform() -> Iterator[dict[str, Any]]:
    system = platform.freedesktop_os_release()
    name, version = system["ID"], system.get("VERSION_ID", "")
    yield {"type": "operating-system", "bom-ref": f"{name}@{version}", "name": name, "version": version}
    version = platform.python_version()
    yield {"type": "platform", "bom-ref": f"cpython@{version}", "name": "cpython", "version": version}


def _system_packages() -> Iterator[dict[str, Any]]:
    if not (dpkg := shutil.which("dpkg-query")):
        return
    system = platform.freedesktop_os_release()
    suffix = f"&distro={system['ID']}-{system['VERSION_ID']}" if "VERSION_ID" in system else ""
    listed = subprocess.run([dpkg, "-W", "-f", _DPKG_FORMAT], capture_output=True, text=True, check=True).stdout
    for line in listed.splitlines():
        status, name, version, architecture = line.split("\t")
        if status.strip() == "ii":  # installed, not merely its settings left behind
            place = f"pkg:deb/{system['ID']}/{quote(name, safe='')}@{quote(version, safe='')}"
            yield _library(name, version, f"{place}?arch={architecture}{suffix}")


def _python_packages() -> Iterator[dict[str, Any]]:
    packages = {re.sub(r"[-_.]+", "-", package.name).lower(): package for package in distributions()}
    for name, package in packages.items():
        component = _library(name, package.version, f"pkg:pypi/{name}@{quote(package.version, safe='')}")
        if licences := _licences(package):
            component["licenses"] = licences
        if bills := _own_bills(package):
            component["externalReferences"] = [{"type": "bom", "url": bill} for bill in bills]
        yield component


def _library(name: str, version: str, purl: str) -> dict[str, Any]:
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


def _licences(package: Distribution) -> list[dict[str, Any]]:
    metadata = package.metadata
    if expression := metadata["License-Expression"]:
        return [{"expression": expression}]
    named = str(metadata["License"] or "").strip()
    if named and "\n" not in named and len(named) <= _LONGEST_LICENCE:
        return [{"license": {"name": named}}]
    classifiers = [text.split(" :: ")[-1] for text in metadata.get_all("Classifier") or [] if text[:7] == "License"]
    return [{"license": {"name": name}} for name in dict.fromkeys(classifiers)]


def _own_bills(package: Distribution) -> list[str]:
    bills = [file for file in package.files or [] if ".dist-info/sboms/" in file.as_posix()]
    return sorted(f"file://{package.locate_file(bill)}" for bill in bills)


if __name__ == "__main__":
    json.dump(bill_of_materials(), sys.stdout, indent=1)
    sys.stdout.write("\n")
