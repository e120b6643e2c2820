"""A thousand pictures that broke some decoder: those that Pillow tests itself with, fetched from the index.

None is kept here. Most are no picture that we read; many were made to crash decoders.
"""

import os
import subprocess
import sys
import tarfile
from collections import Counter
from importlib.metadata import version
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from conftest import Trained
from fastapi.testclient import TestClient
from support.app_driver import open_page, page_text
from support.rest_client import assert_error_detail, image_form

from scalp_core import images
from scalp_core.errors import ScalpError
from scalp_core.inference import uploads
from scalp_core.rest import app
from ui.words import Say

pytestmark = pytest.mark.index

# Decoders meet all of them, what stands around the decoders so large a part: 1 is all, some minutes.
EVERY = int(os.environ.get("SCALP_EVERY_PICTURE", "4"))

# What a visitor's file dialogue offers.
OFFERED = set(images.ENDINGS)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Pillow's own test pictures by name, of the version that is installed."""
    folder = tmp_path_factory.mktemp("pillow")
    # Only this one as source: what its metadata are made with may come ready-made.
    fetch = ["pip", "download", "--quiet", "--no-deps", "--no-binary", "pillow", f"pillow=={version('pillow')}"]
    done = subprocess.run([sys.executable, "-m", *fetch, "--dest", str(folder)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"Pillow's sources cannot be fetched from the index: {done.stderr.strip().splitlines()[-1]}")
    pictures = read_pictures(next(folder.glob("*.tar.gz")))
    assert len(pictures) >= 1000
    return pictures


def read_pictures(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as sources:
        members = [member for member in sources if member.isfile() and "/Tests/images/" in member.name]
        contents = [sources.extractfile(member) for member in members]
        return {
            member.name.partition("/Tests/images/")[2]: content.read()
            for member, content in zip(members, contents, strict=True)
            if content
        }


def code_of(content: bytes, least: tuple[int, int] | None = None) -> str | None:
    try:
        picture = images.decode(content, least)
    except ScalpError as error:
        return error.code
    assert picture.pixels.dtype == np.uint8
    assert picture.pixels.ndim == 3
    assert picture.pixels.shape[2] == 3
    assert max(picture.width, picture.height) <= images.MAX_SIDE
    return None


def test_decoding_gives_a_picture_or_a_reason(pictures: dict[str, bytes]) -> None:
    codes = {name: code_of(content) for name, content in pictures.items()}
    counted = Counter(codes.values())
    assert set(counted) <= {None, "not_a_picture", "too_large"}
    assert counted[None] > 300
    assert counted["not_a_picture"] > 300
    # What is decoded at reduced scale is no other picture, and no other refusal.
    jpegs = [name for name, content in pictures.items() if content.startswith(b"\xff\xd8")]
    assert len(jpegs) > 50
    assert {name: code_of(pictures[name], (8, 8)) for name in jpegs} == {name: codes[name] for name in jpegs}


def test_the_interface_answers_every_one_of_them(pictures: dict[str, bytes], trained: Trained) -> None:
    pictures = part_of(pictures)
    with TestClient(app.application(), raise_server_exceptions=False) as client:
        for some in by(16, pictures):
            sent = [("image", (name, pictures[name])) for name in some]
            response = client.post("/api/predict_batch", files=sent)
            assert response.status_code == 200, response.text
            for name, result in zip(some, response.json()["results"], strict=True):
                assert result["status"] in (200, 413, 415), name
                if result["status"] != 200:
                    assert_error_detail(result["error"], {413: "too_large", 415: "not_a_picture"}[result["status"]])
        for content in list(pictures.values())[::9]:
            assert client.post("/predict_all?evidence=1", files=image_form(content)).status_code in (200, 413, 415)
        assert 'status="5' not in client.get("/api/metrics").text


def part_of(pictures: dict[str, bytes]) -> dict[str, bytes]:
    return {name: pictures[name] for name in sorted(pictures)[::EVERY]}


def by(many: int, pictures: dict[str, bytes]) -> list[list[str]]:
    names = list(pictures)
    return [names[start : start + many] for start in range(0, len(names), many)]


def test_page_grades_all_readable_offered_files(pictures: dict[str, bytes], trained: Trained) -> None:
    offered = {name: content for name, content in pictures.items() if PurePosixPath(name).suffix in OFFERED}
    offered = part_of(offered)
    at = open_page("diagnose")
    for some in by(uploads.MAX_PICTURES, offered):
        files = [(PurePosixPath(name).name, offered[name], "") for name in some]
        at = at.file_uploader(key="upload").set_value(files).run()
        assert not at.exception, [error.value for error in at.exception]
        unreadable = sum(code_of(content) is not None for _, content, _ in files)
        assert not unreadable or Say("en")("overview_bad", count=unreadable) in page_text(at)
        assert Say("en")("overview_count", count=len(files) - unreadable) in page_text(at)
