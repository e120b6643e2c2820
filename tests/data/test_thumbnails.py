"""Thumbnails by address: the picture that was meant or none, made once, whatever a client or a disk does."""

import hashlib
import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import Folders
from PIL import Image

from scalp_core import images
from scalp_core.data.dataset import Dataset, open_dataset
from scalp_core.data.index_writer import write_dataset
from scalp_core.data.thumbnails import SIDE, address, encode_thumbnail, thumbnail, thumbnail_at
from scalp_core.errors import ScalpError


@pytest.fixture
def mine(folders: Folders, tiny_data: Dataset) -> Dataset:
    """A copy of "tiny" that a test may spoil, without cache."""
    shutil.copytree(tiny_data.folder, folders.data / "tiny", ignore=shutil.ignore_patterns("cache"))
    return open_dataset("tiny")


def opened(webp: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(webp))
    assert image.format == "WEBP"
    return image.convert("RGB")


def difference(webp: bytes, data: bytes) -> float:
    """Mean difference of a thumbnail from the picture it should show, in 8-bit steps."""
    small = opened(webp)
    whole = Image.fromarray(images.decode(data).pixels).resize(small.size)
    return float(np.abs(np.asarray(small, dtype=int) - np.asarray(whole)).mean())


def files_of(dataset: Dataset) -> list[Path]:
    return [path for path in (dataset.folder / "cache").rglob("*") if path.is_file()]


def with_hash(dataset: Dataset, row: int, digest: str) -> Dataset:
    """Return `dataset` with another hash in the index at this row."""
    rows = dataset.index.reset_index(drop=True)
    rows.loc[row, "sha256"] = digest
    return write_dataset(dataset.folder, dataset.kind, dataset.made, rows)


@pytest.mark.parametrize("row", [0, 17, 47])
def test_an_address_leads_to_its_picture(mine: Dataset, row: int) -> None:
    image_id = mine.column("id").iloc[row]
    small = thumbnail_at(address(mine, row))
    assert max(opened(small).size) == SIDE
    assert difference(small, mine.read(image_id)) < 6
    other = mine.read(mine.column("id").iloc[(row + 20) % 48])
    assert difference(small, other) > 6
    assert thumbnail(mine, row) == small


def test_a_thumbnail_is_made_once(mine: Dataset) -> None:
    first = thumbnail(mine, 5)
    (kept,) = files_of(mine)
    digest = mine.column("sha256").iloc[5]
    assert kept.relative_to(mine.folder).as_posix() == f"cache/thumbnails/{digest[:2]}/{digest}.webp"
    (mine.folder / mine.column("path").iloc[5]).unlink()
    assert thumbnail(mine, 5) == first


@pytest.mark.parametrize("spoiled", [b"", bytes(5000), b"RIFF\xff\xff\x00\x00WEBP"])
def test_what_a_power_cut_left_is_made_again(mine: Dataset, spoiled: bytes) -> None:
    first = thumbnail(mine, 5)
    (kept,) = files_of(mine)
    whole = kept.read_bytes()
    kept.write_bytes(spoiled)
    assert thumbnail(mine, 5) == first
    assert kept.read_bytes() == whole


def test_data_folder_that_cannot_be_written_still_shows(mine: Dataset) -> None:
    (mine.folder / "cache").write_bytes(b"a file where the folder should be; permissions mean nothing to root")
    small = thumbnail_at(address(mine, 5))
    assert difference(small, mine.read(mine.column("id").iloc[5])) < 6


def test_address_from_before_new_import_is_nobody_s(mine: Dataset) -> None:
    old = address(mine, 5)
    thumbnail_at(old)
    rows = mine.index.reset_index(drop=True).drop(index=0)
    write_dataset(mine.folder, mine.kind, mine.made, rows)
    with pytest.raises(ScalpError) as caught:
        thumbnail_at(old)
    assert caught.value.code == "no_thumbnail"
    assert thumbnail_at(address(open_dataset("tiny"), 4)) == thumbnail(mine, 4)


def test_exchanged_file_is_not_shown(mine: Dataset) -> None:
    paths = [mine.folder / mine.column("path").iloc[row] for row in (5, 6)]
    shutil.copy(paths[1], paths[0])
    with pytest.raises(ScalpError):
        thumbnail_at(address(mine, 5))
    assert files_of(mine) == []


@pytest.mark.parametrize("content", [None, b"", b"not a picture", b"\xff\xd8\xff\xe0 cut short"])
def test_a_picture_that_cannot_be_read_has_none(mine: Dataset, content: bytes | None) -> None:
    path = mine.folder / mine.column("path").iloc[5]
    path.unlink()
    if content is not None:
        path.write_bytes(content)
        mine = with_hash(mine, 5, hashlib.sha256(content).hexdigest())
    with pytest.raises(ScalpError) as caught:
        thumbnail_at(address(mine, 5))
    assert caught.value.code in ("no_image", "not_a_picture")


@pytest.mark.parametrize(
    "path",
    [
        "",
        "thumbnails/",
        "thumbnails/tiny/5.webp",
        "thumbnails/tiny/5-00000000.webp",
        "thumbnails/tiny/-1-{hash}.webp",
        "thumbnails/tiny/48-{hash}.webp",
        "thumbnails/tiny/５-{hash}.webp",
        "thumbnails/tiny/" + "9" * 5000 + "-{hash}.webp",
        "thumbnails/tiny/5-{hash}.webp\n",
        "thumbnails/tiny/5-{hash}.jpg",
        "thumbnails/Tiny/5-{hash}.webp",
        "thumbnails/nothing/5-{hash}.webp",
        "thumbnails/../data/tiny/5-{hash}.webp",
        "thumbnails/tiny/../../../../etc/passwd",
        "thumbnails/tiny/5-../../..webp",
    ],
)
def test_no_other_address_leads_anywhere(mine: Dataset, path: str) -> None:
    with pytest.raises(ScalpError):
        thumbnail_at(path.replace("{hash}", mine.column("sha256").iloc[5][:8]))
    assert files_of(mine) == []


def test_a_hash_that_is_a_path_writes_nowhere(mine: Dataset) -> None:
    before = sorted(mine.folder.parent.parent.rglob("*"))
    mine = with_hash(mine, 5, "../../../../stray")
    for ask in (lambda: thumbnail(mine, 5), lambda: thumbnail_at(address(mine, 5))):
        with pytest.raises(ScalpError):
            ask()
    assert sorted(mine.folder.parent.parent.rglob("*")) == before


# Scaled while it is decoded, a JPEG still comes out as `decode` would have it.


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_a_large_jpeg_comes_upright_in_its_colours(mode: str, orientation: int) -> None:
    y, x = np.mgrid[0:900, 0:1300] / 1300
    picture = Image.fromarray((255 * np.stack([x, y, (x + 2 * y) / 3], axis=-1)).astype(np.uint8)).convert(mode)
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=95, exif=exif)
    small = encode_thumbnail(buffer.getvalue(), SIDE)
    assert opened(small).size == ((152, 220) if orientation == 6 else (220, 152))
    assert difference(small, buffer.getvalue()) < 3


def test_what_decode_refuses_has_no_thumbnail() -> None:
    buffer = io.BytesIO()
    Image.new("L", (images.MAX_SIDE + 1, 8)).save(buffer, "JPEG")
    for data, code in (
        (buffer.getvalue(), "too_large"),
        (buffer.getvalue()[:200], "not_a_picture"),
        (bytes(images.MAX_BYTES + 1), "too_large"),
        (b"GIF89a", "not_a_picture"),
    ):
        with pytest.raises(ScalpError) as caught:
            encode_thumbnail(data, SIDE)
        assert caught.value.code == code
