"""Decodes pictures: bytes become upright sRGB, or an error that says why not. Encodes them as data URLs.

Page, REST, batch, training and import all decode with this module.
"""

import base64
import io
import struct
import warnings
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageCms, ImageOps, UnidentifiedImageError

from scalp_core.errors import ScalpError
from scalp_core.memory_budget import MemoryBudget, no_memory
from scalp_core.tiff import UnreadableTiffError, first_page, is_tiff

Pixels = npt.NDArray[np.uint8]  # (height, width, 3), sRGB

MAX_BYTES = 20 * 2**20  # of a picture file
MAX_PIXELS = 40_000_000
MAX_SIDE = 16_384  # pixels

# Few decoders, well tested ones. MPO, which some phones write under the name of JPEG, is opened by the JPEG one.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")
FORMAT_NAMES = "JPEG, PNG, WebP, BMP, TIFF"
# Endings of these formats, and of pictures in formats that are not decoded; the content decides in the end.
ENDINGS = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".dib", ".tif", ".tiff")
OTHER_ENDINGS = (".gif", ".heic", ".heif", ".avif", ".jp2", ".jxl", ".dng")

# px along the longer side: the scale at which sharpness and light compare (scalp_core.inference.image_stats)
STATS_SIDE = 160

# What Pillow's decoders raise on damaged files, besides its own error.
_DAMAGED = (
    *(OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, OverflowError),
    struct.error,  # an orientation among tags that cannot be written back
)

_RESAMPLING = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}

# Memory of pictures gone is kept for the next ones, up to 64 MB: fresh pages took two thirds of the time of decoding.
Image.core.set_blocks_max(4)  # type: ignore[attr-defined]  # as PILLOW_BLOCKS_MAX would


@dataclass(frozen=True)
class Picture:
    """A decoded picture. `format`, `width` and `height` are the file's own, before turning it upright (TIFF: after).

    Its pixels are upright, and fewer if `decode` was given `least`.
    """

    pixels: Pixels
    format: str
    width: int
    height: int


@dataclass(frozen=True)
class Preprocessing:
    """The input format of a network. Belongs to the weights: stored in the run, and read from there by all users.

    Attributes:
        mean, std: per channel in 0–1, applied inside the network and its export.
        interpolation: `bilinear` or `bicubic`, anti-aliased.
        crop: `squash`: the whole picture is resized to height × width, so that evidence maps cover all of it.
        whitening: 3 × 3 matrix, row by row, that mixes the channels instead of dividing by `std`; see `fit_whitening`.
        reduced: JPEGs are decoded with no more pixels than are needed; see `decode`.
    """

    height: int
    width: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str
    crop: str = "squash"
    whitening: tuple[float, ...] | None = None
    reduced: bool = False

    @property
    def least(self) -> tuple[int, int] | None:
        """Width and height that are enough to decode, for the network and for image statistics; None: all."""
        return (max(self.width, STATS_SIDE), max(self.height, STATS_SIDE)) if self.reduced else None


def decode(data: bytes, least: tuple[int, int] | None = None) -> Picture:
    """Decode a file of FORMATS: first frame or page, upright, ICC profile applied, alpha over white, 8 bit.

    The name and the announced type of a file decide nothing; its content does.

    Args:
        least: width and height that are enough. A JPEG is then decoded at a half, quarter or eighth of its size, which
            is faster and gives other pixels than shrinking all of them: for networks that learned from such pixels, or
            were checked with them.

    Raises:
        ScalpError: `too_large` (bytes or pixels over the limit), `not_a_picture` (unknown format, damaged, truncated).
    """
    if len(data) > MAX_BYTES:
        raise ScalpError(
            "too_large",
            f"The file has {len(data) / 2**20:.1f} MB; at most {MAX_BYTES // 2**20} MB are read.",
            f"파일 크기가 {len(data) / 2**20:.1f} MB예요. {MAX_BYTES // 2**20} MB까지 읽을 수 있어요.",
        )
    if not data:
        raise _not_a_picture("the file is empty", "파일이 비어 있어요")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the limits below are stricter than Pillow's warning
            with _open(data) as image:
                width, height = image.size
                _check_size(width, height)
                _check_pixels(image)
                if least:
                    _shrink(image, *least)
                with _MEMORY.reserved(_BYTES_PER_PIXEL * image.width * image.height):
                    ImageOps.exif_transpose(image, in_place=True)
                    pixels = np.asarray(_to_rgb(image))
                return Picture(pixels, _format_name(image), width, height)
    except UnreadableTiffError as error:
        raise _not_a_picture(error.text.en, error.text.ko) from error
    except UnidentifiedImageError as error:
        raise _not_a_picture("its content is none of these formats", "내용이 이 형식들이 아니에요") from error
    except Image.DecompressionBombError as error:
        raise _too_many_pixels() from error
    except MemoryError as error:
        raise no_memory() from error
    except _DAMAGED as error:
        raise _not_a_picture("the file is damaged or cut short", "파일이 손상되었거나 중간에 끊겼어요") from error


# What decoding takes at its peak in any mode, measured (tests/ground/test_images.py); a file of 100 KB may claim all.
_BYTES_PER_PIXEL = 17
_MEMORY = MemoryBudget(_BYTES_PER_PIXEL * MAX_PIXELS)


def _open(data: bytes) -> Image.Image:
    """Open a file whose first bytes are those of a known format, as far as Pillow alone would take others too."""
    if data.startswith((b"II", b"MM")):
        if not is_tiff(data):
            raise UnidentifiedImageError("a TIFF of more than 4 GB, or none")
        data = first_page(data)
    return Image.open(io.BytesIO(data), formats=FORMATS)


def _check_pixels(image: Image.Image) -> None:
    """Refuse what has no defined white or black, and what Pillow would decode byte by byte in Python."""
    if image.mode in _UNREAD_MODES:
        raise _not_a_picture("its kind of pixels is not read", "이 픽셀 형식은 읽을 수 없어요")
    if image.format == "BMP" and image.info["compression"] in _BMP_RUN_LENGTHS:
        raise _not_a_picture("its kind of compression is not read", "이 압축 방식은 읽을 수 없어요")


_UNREAD_MODES = ("I", "F", "LAB", "La")  # whole numbers and fractions of 32 bits, L*a*b*, grey multiplied by alpha
_BMP_RUN_LENGTHS = (1, 2)  # RLE8, RLE4


def _shrink(image: Image.Image, width: int, height: int) -> None:
    """Let a JPEG be decoded with fewer pixels, but at least so many. Other formats stay as they are."""
    on_its_side = image.getexif().get(ExifTags.Base.Orientation, 1) >= 5
    image.draft(None, (height, width) if on_its_side else (width, height))


def size_from_header(head: bytes) -> tuple[int, int] | None:
    """Return width and height from the first few thousand bytes of a file; None if they are not in these.

    Raises:
        ScalpError: as `decode`, for what these bytes already tell.
    """
    size = _jpeg_size(head) if head.startswith(b"\xff\xd8\xff") else _other_size(head)
    if size:
        _check_size(*size)
    return size


def _jpeg_size(head: bytes) -> tuple[int, int] | None:
    """Read the frame header, ITU-T T.81 B.2.2. Pillow takes ten times as long for it."""
    place, end = 2, len(head) - _SEGMENT.size
    while place <= end:
        marker, length, height, width = _SEGMENT.unpack_from(head, place)
        if marker in _FRAME_HEADERS:
            return width, height
        place += 2 + length
    return None


# Marker, length, and in a frame header the precision (passed over), height and width.
_SEGMENT = struct.Struct(">HHxHH")
_PNG_SIZE_AT = 16
_FRAME_HEADERS = {0xFF00 + code for code in range(0xC0, 0xD0)} - {0xFFC4, 0xFFC8, 0xFFCC}


def _other_size(head: bytes) -> tuple[int, int] | None:
    """Read the header of a PNG. Others have their size in several places, so decoding will tell."""
    if head.startswith(b"\x89PNG\r\n\x1a\n") and head[12:16] == b"IHDR" and len(head) >= _PNG_SIZE_AT + 8:
        width, height = struct.unpack_from(">II", head, _PNG_SIZE_AT)
        return width, height
    if (head.startswith(b"RIFF") and head[8:12] == b"WEBP") or is_tiff(head) or _is_bmp(head):
        return None
    raise _not_a_picture("its content is none of these formats", "내용이 이 형식들이 아니에요")


def _is_bmp(head: bytes) -> bool:
    """Tell a BMP from a text that begins with BM: by its reserved bytes and the length of its header."""
    return head.startswith(b"BM") and head[6:10] == bytes(4) and head[14:18] in _BMP_HEADER_LENGTHS


_BMP_HEADER_LENGTHS = {struct.pack("<I", length) for length in (12, 16, 40, 52, 56, 64, 108, 124)}


def preprocess(data: bytes, preprocessing: Preprocessing) -> Pixels:
    """Return the picture in these bytes as a network sees it in training, evaluation and prediction.

    Raises:
        ScalpError: as `decode`.
    """
    return resize(decode(data, preprocessing.least).pixels, preprocessing)


def resize(pixels: Pixels, preprocessing: Preprocessing) -> Pixels:
    """Resize the picture to the input size of a network, still 8 bit; the network normalises by itself."""
    size = (preprocessing.width, preprocessing.height)
    return np.asarray(Image.fromarray(pixels).resize(size, _RESAMPLING[preprocessing.interpolation]))


def fit_whitening(preprocessing: Preprocessing, pictures: npt.NDArray[np.uint8]) -> Preprocessing:
    """Return the preprocessing with colours in which every direction varies by 1 within a picture (ZCA).

    Skin and hair differ mostly in light and shade: within a picture red against green varies 20 times less. A network
    with random weights learns from the largest variations and found no red spot in ten epochs; whitened, it does
    (docs/design/training.md). Pretrained filters know colours already and need theirs unchanged. Source: Bell &
    Sejnowski 1997.

    Args:
        pictures: (n, height, width, 3), some of the training pictures.
    """
    pixels = pictures.reshape(len(pictures), -1, 3).astype(np.float64) / 255
    mean = pixels.mean(axis=(0, 1))
    within = (pixels - pixels.mean(axis=1, keepdims=True)).reshape(-1, 3)
    variances, directions = np.linalg.eigh(within.T @ within / len(within))
    # Pictures of one colour vary in nothing; what a lamp's noise varies by is left as it is.
    matrix = directions @ np.diag(1 / np.sqrt(np.maximum(variances, _MIN_VARIANCE))) @ directions.T
    # Rounded, so that another order of summation gives the same preprocessing.
    red, green, blue = (float(value) for value in mean.round(4))
    return replace(
        preprocessing,
        mean=(red, green, blue),
        std=(1.0, 1.0, 1.0),
        whitening=tuple(float(value) for value in matrix.round(3).ravel()),
    )


_MIN_VARIANCE = (1 / 255) ** 2


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        raise _too_many_pixels()


def data_url(image: Image.Image, encoding: str, **options: int) -> str:
    """Return a picture as a file in a data URL (RFC 2397).

    Args:
        encoding: one of FORMATS.
        options: of Pillow's encoder.
    """
    file = io.BytesIO()
    image.save(file, encoding, **options)
    return f"data:image/{encoding.lower()};base64,{base64.b64encode(file.getvalue()).decode('ascii')}"


def _format_name(image: Image.Image) -> str:
    return "JPEG" if image.format == "MPO" else str(image.format)


def _to_rgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I") or image.mode == "F":  # 16 bit grey: scaled, where Pillow would clip
        grey = np.asarray(image, dtype=np.int32).clip(0, 2**16 - 1)
        image = Image.fromarray(((grey + 128) // 257).astype(np.uint8))  # rounded: 257 × 255 is 16 bits
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, image.convert("RGBA"))
    if profile and image.mode in ("RGB", "RGBA", "CMYK"):
        image = _to_srgb(image.convert("RGB") if image.mode == "RGBA" else image, profile)
    return image if image.mode == "RGB" else image.convert("RGB")


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):
        return image  # a broken profile says nothing about the pixels; browsers ignore it as well
    return converted or image


def _not_a_picture(en: str, ko: str) -> ScalpError:
    return ScalpError(
        "not_a_picture",
        f"Not a readable picture ({FORMAT_NAMES}): {en}. Save it as JPEG or PNG and try again.",
        f"읽을 수 있는 사진({FORMAT_NAMES})이 아니에요: {ko}. JPEG나 PNG로 저장해서 다시 시도하세요.",
    )


def _too_many_pixels() -> ScalpError:
    return ScalpError(
        "too_large",
        f"Picture too large: at most {MAX_PIXELS // 1_000_000} megapixels and {MAX_SIDE} pixels a side are read.",
        f"사진이 너무 커요. {MAX_PIXELS // 1_000_000}메가픽셀, 한 변 {MAX_SIDE}픽셀까지 읽을 수 있어요.",
    )
