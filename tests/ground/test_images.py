"""The one door for pixels: what comes in looks the same whatever file carried it, or is refused in words."""

import io
import os
import resource
import struct
import subprocess
import sys
import threading
import time
import tomllib
import zlib
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from conftest import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageCms, ImageOps

from scalp_core import images
from scalp_core.data.thumbnails import encode_thumbnail
from scalp_core.errors import ScalpError
from scalp_core.images import MAX_BYTES, Preprocessing, decode, fit_whitening, resize
from scalp_core.memory_budget import MemoryBudget


def gradient(height: int = 48, width: int = 64) -> npt.NDArray[np.uint8]:
    """A picture without any symmetry and without sharp edges, so that JPEG keeps it."""
    y, x = np.mgrid[0:height, 0:width]
    pixels = np.stack([255 * x / width, 255 * y / height, 128 * (x + 2 * y) / (width + 2 * height)], axis=-1)
    return pixels.astype(np.uint8)


RGB = gradient()
PICTURE = Image.fromarray(RGB)
GREY = PICTURE.convert("L")


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def difference(data: bytes, reference: npt.NDArray[np.uint8] = RGB) -> float:
    pixels = decode(data).pixels
    assert pixels.dtype == np.uint8
    assert pixels.shape == reference.shape
    return float(np.abs(pixels.astype(int) - reference).mean())


# ---- what is read ----


@pytest.mark.parametrize(
    ("kind", "options", "name"),
    [
        ("JPEG", {"quality": 98, "subsampling": 0}, "JPEG"),
        ("JPEG", {"quality": 98, "subsampling": 0, "progressive": True}, "JPEG"),
        ("PNG", {}, "PNG"),
        ("WEBP", {"lossless": True}, "WEBP"),
        ("BMP", {}, "BMP"),
        ("TIFF", {}, "TIFF"),
        ("TIFF", {"compression": "tiff_lzw"}, "TIFF"),
        ("TIFF", {"compression": "tiff_adobe_deflate", "tiffinfo": {317: 2}}, "TIFF"),
        ("TIFF", {"compression": "packbits"}, "TIFF"),
        ("TIFF", {"compression": "jpeg", "quality": 98}, "TIFF"),
        ("TIFF", {"save_all": True, "append_images": [Image.new("RGB", (8, 8))]}, "TIFF"),
        ("TIFF", {"description": "x" * 9000, "software": "a scanner"}, "TIFF"),
        ("MPO", {"quality": 98, "subsampling": 0, "save_all": True, "append_images": [PICTURE]}, "JPEG"),
    ],
)
def test_every_format_gives_the_same_picture(kind: str, options: dict[str, object], name: str) -> None:
    data = saved(PICTURE, kind, **options)
    assert difference(data) < 2
    picture = decode(data)
    assert (picture.format, picture.width, picture.height) == (name, 64, 48)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_shows_the_same_upright_picture(orientation: int, kind: str) -> None:
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # the transposition that exif_transpose will take back
    turned = PICTURE if orientation == 1 else PICTURE.transpose(Image.Transpose(undo[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(turned, kind, exif=exif, quality=98)
    assert np.array_equal(
        np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(saved(turned, "PNG", exif=exif))))), RGB
    )
    assert difference(data) <= 2
    assert (decode(data).width, decode(data).height) == (PICTURE if kind == "TIFF" else turned).size


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        *[(mode, "PNG") for mode in ("L", "1", "LA", "P", "RGBA")],
        *[(mode, "BMP") for mode in ("L", "1", "P", "RGBA")],
        *[(mode, "TIFF") for mode in ("L", "1", "LA", "P", "RGBA", "CMYK", "YCbCr")],
    ],
)
def test_grey_palette_and_alpha_modes_become_rgb(mode: str, kind: str) -> None:
    reference = np.asarray(PICTURE.convert(mode).convert("RGB"))
    assert difference(saved(PICTURE.convert(mode), kind), reference) < 1


def test_sixteen_bit_grey_is_scaled_and_not_clipped() -> None:
    wide = np.asarray(GREY).astype(np.uint16) * 257
    for kind in ("PNG", "TIFF"):
        assert difference(saved(Image.fromarray(wide), kind), np.asarray(GREY.convert("RGB"))) == 0
    assert difference(saved(Image.fromarray(wide.astype(">u2")), "TIFF"), np.asarray(GREY.convert("RGB"))) == 0


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_pixels_are_white(mode: str) -> None:
    image = PICTURE.convert(mode)
    alpha = Image.new("L", image.size, 255)
    alpha.paste(0, (0, 0, 32, 48))
    image.putalpha(alpha)
    pixels = decode(saved(image, "PNG")).pixels
    assert (pixels[:, :32] == 255).all()
    assert np.array_equal(pixels[:, 32:], np.asarray(image.convert("RGB"))[:, 32:])


def test_a_transparent_palette_colour_is_white() -> None:
    image = Image.new("P", (8, 8), 3)
    image.putpalette([10, 20, 30] * 256)
    image.putpixel((0, 0), 5)
    pixels = decode(saved(image, "PNG", transparency=5)).pixels
    assert pixels[0, 0].tolist() == [255, 255, 255]
    assert pixels[1, 1].tolist() == [10, 20, 30]


def test_cmyk_jpeg_looks_as_before() -> None:
    assert difference(saved(PICTURE.convert("CMYK"), "JPEG", quality=98, subsampling=0)) < 3


def test_icc_profile_is_applied_and_broken_one_ignored() -> None:
    assert difference(saved(PICTURE, "PNG", icc_profile=srgb())) <= 1
    assert difference(saved(PICTURE, "PNG", icc_profile=b"not a profile")) == 0
    # The same numbers under a profile with red and green exchanged mean other colours.
    exchanged = swapped_profile()
    pixels = decode(saved(PICTURE, "PNG", icc_profile=exchanged)).pixels
    assert np.abs(pixels[..., [1, 0, 2]].astype(int) - RGB).mean() < 3


def srgb() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def swapped_profile() -> bytes:
    profile = bytearray(srgb())
    at = {bytes(profile[p : p + 4]): p for p in range(132, 132 + 12 * struct.unpack(">I", profile[128:132])[0], 12)}
    red, green = at[b"rXYZ"], at[b"gXYZ"]
    profile[red : red + 4], profile[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(profile)


@pytest.mark.parametrize("kind", ["WEBP", "PNG"])
def test_of_an_animation_the_first_frame_is_read(kind: str) -> None:
    frames = [Image.new("RGB", (64, 48), colour) for colour in ("red", "blue")]
    data = saved(PICTURE, kind, save_all=True, append_images=frames, duration=10, lossless=True)
    assert difference(data) < 1


def test_misnamed_jpeg_is_decoded_without_metadata() -> None:
    exif = Image.Exif()
    exif[0x010F] = "camera"
    data = saved(PICTURE, "JPEG", exif=exif)
    assert b"camera" in data
    assert b"camera" not in encode_thumbnail(data, 32)


# ---- what is refused ----

GIF = saved(PICTURE, "GIF")
BMP = saved(PICTURE, "BMP")
TIFF = saved(PICTURE, "TIFF")


@pytest.mark.parametrize(
    "data",
    [
        GIF,
        b"",
        b"\0" * 100,
        b"<html><script>alert(1)</script></html>",
        b"%PDF-1.7",
        b"GIF89a",
        b"\xff\xd8",
        b"BM",
        b"II*\0",
    ],
    ids=["gif", "empty", "zeros", "html", "pdf", "gif head", "jpeg head", "bmp head", "tiff head"],
)
def test_other_content_is_refused_with_what_to_do(data: bytes) -> None:
    with pytest.raises(ScalpError, match="JPEG, PNG, WebP") as caught:
        decode(data)
    assert caught.value.code == "not_a_picture"
    assert "JPEG" in caught.value.text.ko


def tiff(*entries: tuple[int, int, int, int], order: str = "<", tail: bytes = b"") -> bytes:
    """A TIFF of these tags, each with its type, number of values and value or place; then any bytes."""
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}I", 8)
    tags = b"".join(struct.pack(f"{order}HHII", *entry) for entry in entries)
    return head + struct.pack(f"{order}H", len(entries)) + tags + bytes(4) + tail


GREY_TAGS = {256: (3, 1, 8), 257: (3, 1, 8), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1), 277: (3, 1, 1)}
STRIPS = {278: (3, 1, 8), 279: (4, 1, 64)}


def grey_tiff(changes: dict[int, tuple[int, int, int]], tail: bytes = b"\x80" * 64) -> bytes:
    """A grey TIFF of 8 × 8 pixels with some tags changed or added."""
    tags = GREY_TAGS | STRIPS | {273: (4, 1, 0)} | changes
    if 273 not in changes:
        tags[273] = (4, 1, 14 + 12 * len(tags))  # the pixels lie behind the tags
    return tiff(*((tag, *tags[tag]) for tag in sorted(tags)), tail=tail)


def test_a_plain_tiff_is_read_with_tags_of_any_sense() -> None:
    assert (decode(grey_tiff({})).pixels == 128).all()
    assert decode(grey_tiff({700: (1, 2**31, 0), 34_665: (4, 1, 8), 37_724: (7, 2**32 - 1, 8)})).pixels.shape == (
        8,
        8,
        3,
    )


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (saved(Image.fromarray(np.zeros((8, 8), np.int32)), "TIFF"), "32-bit pixels are not read"),
        (saved(Image.fromarray(np.zeros((8, 8), np.float32)), "TIFF"), "32-bit pixels are not read"),
        (grey_tiff({258: (3, 1, 12)}), "12-bit pixels are not read"),
        (grey_tiff({258: (3, 1, 16), 262: (3, 1, 0)}), "16-bit pixels are not read"),
        (saved(PICTURE.convert("LAB"), "TIFF"), "kind of pixels is not read"),
        (saved(GREY.convert("1"), "TIFF", compression="group4"), "kind of compression is not read"),
        (saved(PICTURE, "TIFF", compression="zstd"), "kind of compression is not read"),
        (saved(PICTURE, "TIFF", big_tiff=True), "none of these formats"),
        (saved(GREY, "BMP")[:30] + b"\1" + saved(GREY, "BMP")[31:], "kind of compression is not read"),
        (grey_tiff({322: (3, 1, 65_520), 323: (3, 1, 65_520)}), "damaged"),  # a tile of 4 gigapixels
        (grey_tiff({259: (3, 2, 1)}), "damaged"),
        (grey_tiff({320: (3, 2**30, 8)}), "damaged"),
        (grey_tiff({273: (4, 2_000_000, 8)}, bytes(9 * 2**20)), "damaged"),  # two million strips
        (tiff((256, 3, 1, 8)), "damaged"),
        (tiff(*[(34_675, 7, 2**20, 8)] * 9, order=">", tail=bytes(2**20)), "damaged"),
        (b"II*\0" + struct.pack("<I", 2**31), "damaged"),
    ],
)
def test_pixels_that_are_not_read_are_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(ScalpError, match=reason) as caught:
        decode(data)
    assert caught.value.code == "not_a_picture"


def test_a_tiff_cannot_claim_more_than_it_has() -> None:
    """Each of these tags is the whole file again: Pillow would copy all of them."""
    tail = bytes(4 * 2**20)
    data = grey_tiff({tag: (7, len(tail), 150) for tag in range(50_000, 51_000)}, tail)
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    outcome(data)
    assert time.monotonic() - started < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024  # kilobytes


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF"])
@pytest.mark.parametrize("share", [0.02, 0.1, 0.5, 0.9])
def test_a_file_cut_short_is_refused(kind: str, share: float) -> None:
    data = saved(Image.fromarray(gradient(480, 640)), kind)
    with pytest.raises(ScalpError) as caught:
        decode(data[: int(len(data) * share)])
    assert caught.value.code == "not_a_picture"


def test_more_than_twenty_megabytes_are_refused() -> None:
    good = saved(PICTURE, "JPEG")
    assert difference(good + b"\0" * (MAX_BYTES - len(good))) < 3
    with pytest.raises(ScalpError, match="20 MB") as caught:
        decode(good + b"\0" * (MAX_BYTES - len(good) + 1))
    assert caught.value.code == "too_large"


def png_of_size(width: int, height: int) -> bytes:
    """A valid PNG of one colour, a few kilobytes whatever its size."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(b"\0" * (width // 8 + 2)) for _ in range(min(height, 20_000))) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def webp_of_size(width: int, height: int) -> bytes:
    """The head of a lossless WebP that claims this size."""
    bits = 0x2F | (width - 1) << 8 | (height - 1) << 22
    body = b"VP8L" + struct.pack("<I", 6) + struct.pack("<Q", bits)[:5] + b"\0"
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


@pytest.mark.parametrize(
    "data",
    [
        png_of_size(22_000, 22_000),
        png_of_size(12_000, 9_600),
        png_of_size(16_385, 10),
        webp_of_size(16_384, 16_384),
        BMP[:18] + struct.pack("<ii", 22_000, -22_000) + BMP[26:],
        grey_tiff({256: (4, 1, 22_000), 257: (4, 1, 22_000)}),
        grey_tiff({256: (4, 1, 2**31), 257: (4, 1, 1)}),
    ],
    ids=["484 MP", "115 MP", "long side", "webp 268 MP", "bmp 484 MP", "tiff 484 MP", "tiff 2 GP"],
)
def test_pixel_bomb_is_refused_without_memory(data: bytes) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.monotonic()
    with pytest.raises(ScalpError) as caught:
        decode(data)
    assert caught.value.code in ("too_large", "not_a_picture")
    assert time.monotonic() - started < 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024  # kilobytes


def test_the_largest_allowed_picture_is_read() -> None:
    assert decode(png_of_size(16_384, 2_440)).pixels.shape == (2_440, 16_384, 3)


def test_png_text_bombs_are_survived_quickly() -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    good = saved(PICTURE, "PNG")
    bomb = chunk(b"zTXt", b"key\0\0" + zlib.compress(b"\0" * 200_000_000, 9))
    started = time.monotonic()
    for extra in (chunk(b"tEXt", b"key\0" + b"x" * 1000) * 5000, bomb):
        outcome(good[:33] + extra + good[33:])
    assert time.monotonic() - started < 5


EXIF = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"  # turned by 90°
SEEDS = (
    saved(PICTURE, "JPEG", exif=Image.Exif()),
    saved(PICTURE, "JPEG", progressive=True, icc_profile=srgb(), exif=EXIF),
    saved(PICTURE.convert("CMYK"), "JPEG"),
    saved(PICTURE, "PNG", icc_profile=srgb()),
    saved(PICTURE.quantize(16), "PNG", transparency=3),
    saved(PICTURE.convert("LA"), "PNG"),
    saved(Image.fromarray(np.asarray(GREY).astype(np.uint16) * 257), "PNG"),
    saved(PICTURE, "PNG", save_all=True, append_images=[Image.new("RGB", (64, 48))]),
    saved(PICTURE.convert("RGBA"), "WEBP"),
    saved(PICTURE, "WEBP", save_all=True, append_images=[Image.new("RGB", (64, 48))]),
    saved(PICTURE, "MPO", save_all=True, append_images=[PICTURE]),
    saved(PICTURE, "BMP"),
    saved(PICTURE.quantize(16), "BMP"),
    saved(PICTURE.convert("RGBA"), "TIFF", compression="tiff_lzw"),
    saved(PICTURE, "TIFF", compression="jpeg", exif=Image.Exif()),
    saved(PICTURE.quantize(16), "TIFF", save_all=True, append_images=[PICTURE]),
    grey_tiff({}),
)


@st.composite
def damaged_files(draw: st.DrawFn) -> bytes:
    """A valid file with bytes flipped, cut out, repeated or taken from another; PNG checksums put right again."""
    data = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        # Headers are where the decisions are, so half of the changes go there.
        at = at % 200 if draw(st.booleans()) else at
        change = draw(st.sampled_from(["flip", "set", "cut", "repeat", "splice", "truncate"]))
        length = draw(st.integers(1, 64))
        if change == "flip" and at < len(data):
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif change == "set":
            data[at : at + length] = draw(st.binary(min_size=1, max_size=8))
        elif change == "cut":
            del data[at : at + length]
        elif change == "repeat":
            data[at:at] = data[at : at + length] * draw(st.integers(1, 20))
        elif change == "splice":
            data[at : at + length] = draw(st.sampled_from(SEEDS))[at : at + length]
        elif change == "truncate":
            del data[max(at, 8) :]
    return with_right_checksums(bytes(data)) if draw(st.booleans()) else bytes(data)


def with_right_checksums(data: bytes) -> bytes:
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return data
    fixed, at = bytearray(data), 8
    while at + 12 <= len(fixed):
        end = at + 8 + struct.unpack(">I", fixed[at : at + 4])[0]
        if end + 4 > len(fixed):
            break
        fixed[end : end + 4] = struct.pack(">I", zlib.crc32(fixed[at + 4 : end]))
        at = end + 4
    return bytes(fixed)


@settings(max_examples=int(os.environ.get("SCALP_DAMAGED_FILES", "500")))
@given(data=damaged_files())
def test_damaged_file_is_picture_or_explained_error(data: bytes) -> None:
    assert outcome(data) in ("picture", "not_a_picture", "too_large")


def outcome(data: bytes) -> str:
    try:
        pixels = decode(data).pixels
    except ScalpError as error:
        return error.code
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3
    assert pixels.shape[2] == 3
    return "picture"


# ---- what leaves ----


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_resizing_squashes_the_whole_picture(interpolation: str) -> None:
    mean = (0.5, 0.5, 0.5)
    small = resize(RGB, Preprocessing(32, 16, mean, mean, interpolation))
    assert small.shape == (32, 16, 3)
    assert small.dtype == np.uint8
    assert np.abs(small.mean(axis=(0, 1)) - RGB.mean(axis=(0, 1))).max() < 1


HALF = (0.5, 0.5, 0.5)
PLAIN = Preprocessing(32, 32, HALF, HALF, "bilinear")


def scalps(pictures: int, noise: float = 4.0) -> npt.NDArray[np.uint8]:
    """Pictures that vary mostly in light, each lit by a lamp of another colour, with little colour in them."""
    generator = np.random.default_rng(0)
    lamp = generator.normal(128, 20, (pictures, 1, 1, 3))
    light = generator.normal(0, 25, (pictures, 32, 32, 1))
    return (lamp + light + generator.normal(0, noise, (pictures, 32, 32, 3))).clip(0, 255).astype(np.uint8)


def within(preprocessing: Preprocessing, pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """(3, 3): covariance of the whitened channels within pictures."""
    centred = pictures.reshape(len(pictures), -1, 3) / 255 - np.array(preprocessing.mean)
    mixed = centred @ np.array(preprocessing.whitening).reshape(3, 3).T
    return np.mean([np.cov(picture.T, bias=True) for picture in mixed], axis=0)


def test_whitening_gives_each_colour_direction_unit_variance() -> None:
    pictures = scalps(40)
    preprocessing = fit_whitening(PLAIN, pictures)
    assert np.abs(within(preprocessing, pictures) - np.eye(3)).max() < 0.01
    assert np.array(preprocessing.mean) == pytest.approx(pictures.mean(axis=(0, 1, 2)) / 255, abs=1e-4)
    assert (preprocessing.height, preprocessing.width, preprocessing.interpolation, preprocessing.crop) == (
        32,
        32,
        "bilinear",
        "squash",
    )
    # It says the same of the same pictures in another order, and when called again.
    assert fit_whitening(PLAIN, pictures) == preprocessing == fit_whitening(PLAIN, pictures[::-1])


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (120, 80, 60)])
def test_pictures_without_any_variation_do_not_blow_up(colour: tuple[int, int, int]) -> None:
    preprocessing = fit_whitening(PLAIN, np.full((3, 32, 32, 3), colour, dtype=np.uint8))
    assert np.isfinite(preprocessing.whitening).all()
    assert np.abs(preprocessing.whitening).max() <= 255.1
    grey = np.repeat(scalps(5)[..., :1], 3, axis=-1)  # varies in light, in no colour
    assert np.abs(fit_whitening(PLAIN, grey).whitening).max() <= 255.1
    single = fit_whitening(PLAIN, scalps(1))
    assert np.isfinite(single.whitening).all()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("least", "expected"),
    [((640, 480), (640, 480)), ((300, 200), (320, 240)), ((100, 61), (160, 120)), ((1, 1), (80, 60))],
)
def test_fewer_pixels_where_they_are_enough(
    orientation: int, least: tuple[int, int], expected: tuple[int, int]
) -> None:
    width, height = expected
    if orientation >= 5:  # what is asked for is upright, whatever way the camera was held
        least, width, height = least[::-1], height, width
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    data = saved(Image.fromarray(gradient(480, 640)), "JPEG", exif=exif)
    whole, fewer = decode(data), decode(data, least)
    assert fewer.pixels.shape == (height, width, 3)
    assert (fewer.format, fewer.width, fewer.height) == ("JPEG", 640, 480), "the file's own size is told"
    shrunk = Image.fromarray(whole.pixels).resize((width, height), Image.Resampling.BOX)
    assert np.abs(np.asarray(shrunk).astype(int) - fewer.pixels).mean() < 1.5


def test_a_network_sees_what_its_preprocessing_says() -> None:
    data = saved(Image.fromarray(gradient(480, 640)), "JPEG")
    whole, fewer = (images.preprocess(data, replace(PLAIN, reduced=reduced)) for reduced in (False, True))
    assert (whole == resize(decode(data).pixels, PLAIN)).all()
    assert (fewer == resize(decode(data, (160, 160)).pixels, PLAIN)).all()
    assert 0 < np.abs(whole.astype(int) - fewer).mean() < 2


def test_only_a_jpeg_comes_with_fewer_pixels() -> None:
    data = saved(Image.fromarray(gradient(480, 640)), "PNG")
    assert (decode(data, (8, 8)).pixels == decode(data).pixels).all()


def test_a_thumbnail_keeps_the_shape_and_is_small() -> None:
    data = encode_thumbnail(saved(Image.fromarray(gradient(480, 640)), "PNG"), 160)
    image = Image.open(io.BytesIO(data))
    assert (image.format, image.size) == ("WEBP", (160, 120))
    with pytest.raises(ScalpError):
        encode_thumbnail(GIF, 160)


def test_pillow_itself_is_kept_from_other_formats() -> None:
    assert images.FORMATS == ("JPEG", "PNG", "WEBP", "BMP", "TIFF")


def test_pictures_share_one_memory_budget() -> None:
    budget = MemoryBudget(100)
    held, waiting = threading.Event(), threading.Event()
    order: list[str] = []

    def large() -> None:
        waiting.set()
        with budget.reserved(1000):  # more than there is: alone, but not never
            order.append("large")

    with budget.reserved(60), budget.reserved(40):
        thread = threading.Thread(target=large)
        thread.start()
        assert waiting.wait(5)
        assert not held.wait(0.1)
        order.append("small")
    thread.join(5)
    assert order == ["small", "large"]


def test_memory_that_runs_out_is_no_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(_image: Image.Image) -> Image.Image:
        raise MemoryError

    monkeypatch.setattr(images, "_to_rgb", exhausted)
    with pytest.raises(ScalpError) as caught:
        decode(saved(Image.fromarray(gradient(48, 64)), "PNG"))
    assert caught.value.code == "no_memory"


# Reads a picture in a process of its own, whose peak is its own too.
PEAK = """
import resource, sys
from scalp_core import images
peak = lambda: 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
data, before = sys.stdin.buffer.read(), peak()
images.decode(data)
print(peak() - before)
"""


@pytest.mark.parametrize(
    ("mode", "kind"),
    [*[(mode, "PNG") for mode in ("RGB", "RGBA", "LA", "I;16", "P")], ("RGBA", "TIFF"), ("CMYK", "TIFF")],
)
def test_decoding_stays_within_what_the_budget_reserves(mode: str, kind: str) -> None:
    side, options = 3000, {"compression": "tiff_lzw"} if kind == "TIFF" else {}
    grey = Image.fromarray(np.full((side, side), 30_000, dtype=np.uint16))
    data = saved(grey if mode == "I;16" else Image.new(mode, (side, side)), kind, **options)
    process = subprocess.run([sys.executable, "-c", PEAK], input=data, capture_output=True, check=True, cwd=ROOT)
    assert int(process.stdout) < 1.1 * images._BYTES_PER_PIXEL * side**2


def test_streamlit_takes_what_is_read() -> None:
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    assert config["server"]["maxUploadSize"] == MAX_BYTES / 2**20
