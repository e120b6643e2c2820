"""Pictures damaged in two hundred ways: a picture or a reason why not, never a failure of the server."""

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Iterator

import numpy as np
import pytest
from conftest import Trained
from fastapi.testclient import TestClient
from PIL import Image, ImageCms
from support.rest_client import assert_error_detail, image_form

from scalp_core import images
from scalp_core.errors import ScalpError
from scalp_core.rest import app


def saved(picture: Image.Image, kind: str, **how: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **how)
    return buffer.getvalue()


def healthy() -> dict[str, bytes]:
    """One small file of every kind that is read, and of some that hold more than one frame."""
    colours = Image.fromarray(np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8))
    exif = Image.Exif()
    exif[274], exif[282] = 6, (1, 1)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    deep = Image.fromarray(np.arange(48 * 64, dtype=np.uint16).reshape(48, 64) * 21)
    two = {"save_all": True, "append_images": [colours.rotate(90)]}
    return {
        "jpeg": saved(colours, "JPEG", exif=exif, icc_profile=profile),
        "progressive": saved(colours, "JPEG", progressive=True),
        "cmyk": saved(colours.convert("CMYK"), "JPEG"),
        "grey": saved(colours.convert("L"), "JPEG"),
        "mpo": saved(colours, "MPO", **two),
        "png": saved(colours, "PNG", exif=exif, icc_profile=profile),
        "palette": saved(colours.convert("P"), "PNG", transparency=3),
        "bits": saved(colours.convert("1"), "PNG"),
        "deep": saved(deep, "PNG"),
        "animated png": saved(colours, "PNG", **two),
        "webp": saved(colours, "WEBP", exif=exif.tobytes(), icc_profile=profile),
        "lossless webp": saved(colours.convert("RGBA"), "WEBP", lossless=True),
        "animated webp": saved(colours, "WEBP", **two),
        "bmp": saved(colours, "BMP"),
        "palette bmp": saved(colours.convert("P"), "BMP"),
        "tiff": saved(colours.copy(), "TIFF", tiffinfo={274: 6}),
        "packed tiff": saved(colours.convert("RGBA"), "TIFF", compression="tiff_lzw"),
        "pages": saved(
            colours.copy(), "TIFF", compression="tiff_lzw", save_all=True, append_images=[colours.rotate(9)]
        ),
    }


def damaged() -> dict[str, bytes]:
    """Every kind cut short, bent and mixed up, the same ones every time; and what is no picture at all."""
    chance, files, whole = random.Random(0), dict(strange()), healthy()
    for kind, content in whole.items():
        for share in (0.02, 0.3, 0.9, 0.99):
            files[f"{kind} cut at {share}"] = content[: int(len(content) * share)]
        for number in range(6):
            bent = bytearray(content)
            for _ in range(1 + 4 * number):
                bent[chance.randrange(min(len(bent), 40 * 4**number))] = chance.randrange(256)
            files[f"{kind} bent {number}"] = with_sums(bytes(bent)) if number % 2 else bytes(bent)
        at = chance.randrange(len(content))
        files[f"{kind} with a hole"] = content[:at] + content[at + 7 :]
        files[f"{kind} zeroed"] = content[:20] + bytes(len(content) - 20)
        files[f"{kind} with a tail"] = content + b"PK\x03\x04" + content
        files[f"{kind} under another head"] = b"RIFF\xff\xff\xff\xffWEBPVP8 " + content[12:]
    return files


def strange() -> Iterator[tuple[str, bytes]]:
    whole = healthy()
    yield from {"nothing": b"", "zeroes": bytes(4096), "text": "사진이 아닙니다".encode(), "line": b"\n"}.items()
    for head in (
        b"\xff\xd8\xff",
        b"\xff\xd8\xff\xe0",
        b"\x89PNG\r\n\x1a\n",
        b"RIFF",
        b"RIFF\0\0\0\0WEBP",
        b"GIF89a",
        b"BM",
    ):
        yield f"head {head!r}", head
        yield f"head {head!r} and noise", head + random.Random(1).randbytes(3000)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as folder:
        folder.writestr("scalp.jpg", whole["jpeg"])
    yield "zip", packed.getvalue()
    yield "svg", b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'
    yield "eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"
    for kind in ("GIF", "PPM"):
        yield kind, saved(Image.new("RGB", (8, 8)), kind)
    for size in ((60_000, 60_000), (2**31 - 1, 1), (0, 0), (16_385, 1)):
        yield f"png of {size}", with_sums(whole["png"][:16] + struct.pack(">II", *size) + whole["png"][24:])
    place = whole["grey"].index(b"\xff\xc0")
    yield "jpeg of 65535", whole["grey"][: place + 5] + b"\xff\xff\xff\xff" + whole["grey"][place + 9 :]
    for orientation in (0, 9, 65_535):
        exif = Image.Exif()
        exif[274] = orientation
        yield f"orientation {orientation}", saved(Image.new("RGB", (8, 8)), "JPEG", exif=exif)
    for name, lie in {
        "endless": b"\xff" * 60,
        "short": b"II",
        "loop": b"MM\0*\0\0\0\x08" * 9,
        "text": b"x" * 99,
    }.items():
        yield f"exif {name}", saved(Image.new("RGB", (8, 8)), "JPEG", exif=b"Exif\0\0" + lie)
    yield "profile of nothing", saved(Image.new("RGB", (8, 8)), "PNG", icc_profile=b"no profile")
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 6000, 6000, 8, 2, 0, 0, 0))
    yield "flat bomb", bomb + chunk(b"IDAT", zlib.compress(bytes(2**20))) + chunk(b"IEND", b"")
    yield "text bomb", bomb + chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2**26))) + chunk(b"IEND", b"")


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def with_sums(content: bytes) -> bytes:
    """A PNG's damage where its checksums do not show it; anything else as it is."""
    if not content.startswith(b"\x89PNG\r\n\x1a\n"):
        return content
    mended, place = content[:8], 8
    while place + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, place)
        if place + 12 + length > len(content):
            break
        mended += chunk(content[place + 4 : place + 8], content[place + 8 : place + 8 + length])
        place += 12 + length
    return mended + content[place:]


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    files = damaged()
    assert len(files) > 200
    return files


def test_decoding_gives_a_picture_or_a_reason(files: dict[str, bytes]) -> None:
    assert {code_of(content) for content in healthy().values()} == {None}
    codes = [code_of(content) for content in files.values()]
    assert set(codes) == {None, "not_a_picture", "too_large"}
    assert codes.count(None) < len(codes) - 100


def code_of(content: bytes) -> str | None:
    try:
        picture = images.decode(content)
    except ScalpError as error:
        return error.code
    height, width, channels = picture.pixels.shape
    assert (picture.pixels.dtype, channels) == (np.uint8, 3)
    assert {height, width} == {picture.width, picture.height}
    return None


def test_unwritable_exif_tags_are_ignored() -> None:
    tags = b"II*\0\x08\0\0\0" + struct.pack("<H", 2)
    tags += struct.pack("<HHII", 274, 3, 1, 6)
    tags += struct.pack("<HHII", 278, 5, 1, 38) + bytes(4) + struct.pack("<II", 1, 1)  # a fraction for a whole number
    picture = saved(Image.new("RGB", (8, 16)), "JPEG", exif=b"Exif\0\0" + tags)
    with pytest.raises(ScalpError, match="damaged"):
        images.decode(picture)


def test_the_interface_answers_every_one_of_them(files: dict[str, bytes], trained: Trained) -> None:
    names, contents = list(files), list(files.values())
    with TestClient(app.application(), raise_server_exceptions=False) as client:
        for start in range(0, len(names), 16):
            sent = [("image", (f"{start}.jpg", content)) for content in contents[start : start + 16]]
            response = client.post("/api/predict_batch", files=sent)
            assert response.status_code == 200, response.text
            for name, entry in zip(names[start:], response.json()["results"], strict=False):
                assert entry["status"] in (200, 413, 415), name
                if entry["status"] != 200:
                    assert_error_detail(entry["error"], "too_large" if entry["status"] == 413 else "not_a_picture")
        for content in contents[::7]:
            assert client.post("/predict_all", files=image_form(content)).status_code in (200, 413, 415)
        assert 'status="5' not in client.get("/api/metrics").text
