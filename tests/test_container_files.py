"""Dockerfile and .dockerignore keep to docs/design/container.md. Reads them; needs no engine."""

import re
from pathlib import Path

import pytest
from conftest import ROOT

from scalp_core.version import __version__

IMAGES = ("app", "api")
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def instructions() -> list[tuple[str, str]]:
    """Name and argument of each, continuation lines joined."""
    lines = [line for line in DOCKERFILE.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(name.upper(), rest) for name, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]


def stages() -> dict[str, list[tuple[str, str]]]:
    """Return the instructions of each stage by its name; the last has a name too."""
    result: dict[str, list[tuple[str, str]]] = {}
    for name, rest in instructions():
        if name == "FROM":
            result[rest.split(" AS ")[1]] = []
        if result:
            result[list(result)[-1]].append((name, rest))
    return result


def target(image: str) -> list[tuple[str, str]]:
    """Return the instructions that make an image, those of the stages that it is made from first."""
    own = stages()[image]
    parent = own[0][1].split()[0]
    return [*(target(parent) if parent in stages() else []), *own]


def arguments(name: str, image: str = "app") -> list[str]:
    """Return the arguments of all instructions of that name in an image."""
    return [rest for entry, rest in target(image) if entry == name]


def environment(image: str = "app") -> dict[str, str]:
    return dict(pair.split("=", 1) for rest in arguments("ENV", image) for pair in rest.split())


def ignored(path: str) -> bool:
    """Docker's rule: the last line that matches the path or a folder above it decides."""
    answer = False
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.strip()
        if not pattern or pattern.startswith("#"):
            continue
        kept = pattern.startswith("!")
        steps = [r"(?:.*/)?" if step == "**" else _step(step) + "/" for step in pattern.lstrip("!").split("/")]
        if re.fullmatch("".join(steps) + ".*", path + "/"):
            answer = not kept
    return answer


def _step(pattern: str) -> str:
    return "".join(char if char in "[]" else "[^/]*" if char == "*" else re.escape(char) for char in pattern)


def test_image_without_a_target_has_everything() -> None:
    """`docker build .` makes the last stage."""
    assert list(stages())[-1] == "app"


def test_base_image_is_versioned_without_digest() -> None:
    bases = {rest.split()[0] for name, rest in instructions() if name == "FROM"} - stages().keys()
    assert bases == {"python:3.11-slim-bookworm"}


def test_only_what_every_builder_reads() -> None:
    assert "<<" not in DOCKERFILE, "heredoc"
    for name, rest in instructions():
        assert name != "ADD", f"ADD {rest}: COPY takes files, pip what is elsewhere"
        assert "--link" not in rest
        assert "--mount" not in rest
        assert "--start-interval" not in rest
        assert not re.search(r"\b(curl|wget)\b", rest)


@pytest.mark.parametrize("image", IMAGES)
def test_container_runs_as_unprivileged_user(image: str) -> None:
    user = arguments("USER", image)[-1].split(":")[0]
    assert user.isdecimal(), "Kubernetes can tell only from a number that it is not root"
    assert int(user) == 10001
    assert arguments("WORKDIR", image)[-1] == "/app"


def test_only_runs_of_the_whole_image_can_be_written() -> None:
    """By the image's user, and by any other number in group 0."""
    owned = [rest for rest in arguments("COPY") if "--chown" in rest]
    assert owned == ["--from=content --chown=10001:0 /app/artifacts artifacts"]
    assert stages()["content"][-1] == ("RUN", "chmod -R g=u artifacts")
    assert " && chmod g=u artifacts && " in re.sub(r" +", " ", arguments("RUN")[-1]), "the folder itself"
    assert not [rest for rest in arguments("COPY", "api") if "--chown" in rest]


def test_runs_data_and_downloads_are_in_one_folder() -> None:
    """The one to put a volume on; whatever else wants to write gets the temporary folder."""
    expected = environment()
    volume = expected["SCALP_ARTIFACTS"]
    assert volume == "/app/artifacts"
    assert not arguments("VOLUME"), "copied at every first start: 6 s and 200 MB left behind"
    for folder in ("SCALP_DATA", "HF_HOME", "TORCH_HOME"):
        assert expected[folder].startswith(volume + "/"), folder
    for folder in ("XDG_CACHE_HOME", "MPLCONFIGDIR"):
        assert expected[folder].startswith("/tmp/"), folder  # noqa: S108  the container's own


def test_import_folder_is_only_the_mounted_one() -> None:
    """Every visitor of the page may start an import: it must not reach what is in the image or the volume."""
    requested = Path(environment()["SCALP_IMPORT_FROM"])
    assert requested.is_absolute()
    for ours in ("/app", "/opt", "/tmp", environment()["SCALP_DATA"]):  # noqa: S108  the container's own
        assert not Path(ours).is_relative_to(requested)
        assert not requested.is_relative_to(ours)
    described = (ROOT / "docs" / "guide" / "container.md").read_text(encoding="utf-8")
    assert f":{requested}:ro" in described


@pytest.mark.parametrize("image", IMAGES)
def test_container_listens_everywhere_with_health_check(image: str) -> None:
    assert environment(image)["HOST"] == "0.0.0.0"  # noqa: S104  the port is published by `docker run`
    assert arguments("EXPOSE", image) == [environment(image)["PORT"]]
    (check,) = arguments("HEALTHCHECK", image)
    assert "/api/health" in check
    assert "ProxyHandler({})" in check


@pytest.mark.parametrize(
    ("image", "served"), [("app", '["python", "serve.py"]'), ("api", '["python", "-m", "scalp_core.rest"]')]
)
def test_signals_reach_the_server(image: str, served: str) -> None:
    (entry,), (command,) = arguments("ENTRYPOINT", image), arguments("CMD", image)
    assert entry.startswith('["/usr/bin/tini"')
    assert command == served


@pytest.mark.parametrize("image", IMAGES)
def test_says_what_it_is_for_and_where_it_comes_from(image: str) -> None:
    labels = " ".join(arguments("LABEL", image))
    assert "Research and education only. Not a medical device" in labels
    for name in ("version", "revision", "source"):
        assert f'org.opencontainers.image.{name}="${name.upper()}"' in labels
        assert name.upper() in arguments("ARG", image)
    assert ("ARG", f"VERSION={__version__}") in instructions()


@pytest.mark.parametrize("image", IMAGES)
def test_lists_its_packages(image: str) -> None:
    assert "python -m scalp_core.sbom > sbom.cdx.json" in arguments("RUN", image)[-1]
    for language in (".", "ko"):
        described = (ROOT / "docs" / "guide" / language / "container.md").read_text(encoding="utf-8")
        assert "/app/sbom.cdx.json" in described


@pytest.mark.parametrize("stage", ["packages", "api-opencv", "api-packages"])
def test_packages_are_installed_before_any_code_is_copied(stage: str) -> None:
    """Otherwise every change of the code would install torch anew."""
    copied = [rest for name, rest in stages()[stage] if name == "COPY" and not rest.startswith("--from=api-opencv ")]
    assert copied == ["requirements.txt ./"]


def test_torch_can_be_the_small_build() -> None:
    result = stages()["packages"]
    install = next(number for number, (name, rest) in enumerate(result) if name == "RUN" and "requirements.txt" in rest)
    assert "TORCH_INDEX_URL" in result[install][1]
    assert ("ARG", 'TORCH_INDEX_URL=""') in result[:install]


def test_image_leaves_out_secrets_and_data() -> None:
    outside = [
        ".git/HEAD",
        ".venv/bin/python",
        "data/demo/index.parquet",
        "docs/design/container.md",
        "tests/conftest.py",
        ".env",
        ".streamlit/secrets.toml",
        "artifacts/champions.json",
        "artifacts/runner.log",
        "artifacts/efficientnet_b0-20260101-000000-abcd/model.safetensors",
        "artifacts/demo-vit_tiny/model-int8.onnx",
        "artifacts/demo-vit_tiny/.lock",
        "scalp_core/__pycache__/runs.cpython-311.pyc",
        "README.md",
    ]
    assert [path for path in outside if not ignored(path)] == []


def test_image_takes_in_shipped_runs() -> None:
    runs = ("demo-tf_efficientnet_lite0", "demo-vit_tiny")
    files = ("recipe.json", "history.jsonl", "model.safetensors", "preprocessing.json", "model.onnx", "export.json")
    assert [path for path in (f"artifacts/{run}/{file}" for run in runs for file in files) if ignored(path)] == []


def test_everything_that_is_copied_is_let_in() -> None:
    for name, rest in instructions():
        if name != "COPY" or "--from" in rest:
            continue
        for source in rest.split()[:-1]:
            if (ROOT / source).is_dir():
                wanted = [path for path in (ROOT / source).iterdir() if path.suffix in (".py", ".csv", ".json")]
                assert not [path for path in wanted if ignored(path.relative_to(ROOT).as_posix())]
            elif source != "artifacts":
                assert (ROOT / source).is_file(), source
                assert not ignored(source), source


def test_all_of_the_program_is_copied() -> None:
    """A new folder of code is not forgotten."""
    copied = {source for rest in arguments("COPY") if "--from" not in rest for source in rest.split()[:-1]}
    program = {path.name for path in ROOT.glob("*.py")}
    program |= {path.parent.name for path in ROOT.glob("*/*.py") if _is_ours(path.parent)} - {"tests", "benchmarks"}
    assert program <= copied


def test_api_has_no_more_of_the_program_than_rest() -> None:
    copied = [rest for rest in arguments("COPY", "api") if "--from" not in rest]
    assert copied == ["LICENSE ./", "scalp_core scalp_core"]
    installing = [rest for name, rest in stages()["api-packages"] if name == "RUN"][-1]
    assert "grep ' # api' requirements.txt > api.txt" in installing, "tests/test_requirements.py holds the marks"


def _is_ours(folder: Path) -> bool:
    return not folder.name.startswith(".") and folder.name not in ("data", "artifacts", "docs")
