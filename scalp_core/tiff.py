"""Checks the head of a TIFF before a decoder sees it: its tags may claim far more memory and time than its picture has.

Pillow copies the value of every tag and makes an object for every strip; libtiff takes room for a whole tile. So only
the tags that pixels need are left, of the first page, and what these claim is limited. Format: TIFF 6.0, Adobe 1992.
"""

import struct

from scalp_core.errors import Text

_BYTE_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_ENTRY_BYTES = 12
_VALUE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}  # by type
_SHORT, _LONG = 3, 4
_OPAQUE = (1, 2, 7)  # types whose value stays bytes

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _TILE_WIDTH, _TILE_HEIGHT = 256, 257, 258, 259, 262, 322, 323
_STRIPS, _TILES = (273, 278, 279), (_TILE_WIDTH, _TILE_HEIGHT, 324, 325)
_LAYOUT = (266, 277, 284, 317, 332, 338, 339)  # order of bits, samples, planes, predictor, inks, alpha, signs
_COLOURS = (320, 347, 529, 530, 531, 532, 34_675)  # palette, tables of JPEG, YCbCr, ICC profile
_ORIENTATION = 274
_NEEDED = {_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _ORIENTATION, *_STRIPS, *_TILES, *_LAYOUT, *_COLOURS}
_SINGLE = (_WIDTH, _HEIGHT, _COMPRESSION, _TILE_WIDTH, _TILE_HEIGHT)
_BLANK_TAG = 65_000  # of the private range, unused

# None, LZW, JPEG, Deflate in both numbers, PackBits: what cameras and editors write, and decoders of limited memory.
_COMPRESSIONS = (1, 5, 7, 8, 32_946, 32_773)
_WHITE_IS_ZERO = 0
_MAX_VALUES = 200_000  # of a tag; 40 megapixels in the smallest tiles, 16 × 16, are 156,250
_MAX_TILE = 2**20  # pixels, where the picture itself has fewer


class UnreadableTiffError(ValueError):
    """A TIFF that is not read; `text` says why in both languages, without a full stop."""

    def __init__(self, en: str, ko: str) -> None:
        super().__init__(en)
        self.text = Text(en, ko)


def is_tiff(head: bytes) -> bool:
    """Return whether these first bytes are those of a TIFF."""
    return head[:4] in _BYTE_ORDERS


def first_page(data: bytes) -> bytes:
    """Return a TIFF with nothing but its first page and the tags that its pixels need.

    Raises:
        UnreadableTiffError: it claims more than it can have, or its pixels are stored in a way that is not read.
        struct.error: its head is cut short.
    """
    order = _BYTE_ORDERS[data[:4]]
    page = bytearray(data)
    (directory,) = struct.unpack_from(f"{order}I", data, 4)
    (entries,) = struct.unpack_from(f"{order}H", data, directory)
    end = directory + 2 + _ENTRY_BYTES * entries
    numbers: dict[int, int] = {}
    kept: set[int] = set()
    claimed = 0  # bytes
    for at in range(directory + 2, end, _ENTRY_BYTES):
        tag, kind, values, _ = struct.unpack_from(f"{order}HHII", data, at)
        if tag not in _NEEDED or tag in kept:
            struct.pack_into(f"{order}HHII", page, at, _BLANK_TAG, 1, 1, 0)
            continue
        kept.add(tag)
        claimed += values * _VALUE_BYTES.get(kind, 0)
        if claimed > len(data) or (values > _MAX_VALUES and kind not in _OPAQUE):
            raise _damaged()
        if values == 1 and kind in (_SHORT, _LONG):
            (numbers[tag],) = struct.unpack_from(order + ("H" if kind == _SHORT else "I"), data, at + 8)
    struct.pack_into(f"{order}I", page, end, 0)  # no further page
    _check(numbers, kept)
    return bytes(page)


def _check(numbers: dict[int, int], kept: set[int]) -> None:
    if any(tag in kept and tag not in numbers for tag in _SINGLE) or not {_WIDTH, _HEIGHT} <= kept:
        raise _damaged()
    if numbers.get(_COMPRESSION, 1) not in _COMPRESSIONS:
        raise UnreadableTiffError("its kind of compression is not read", "이 압축 방식은 읽을 수 없어요")
    bits = numbers.get(_BITS, 1)
    if bits not in (1, 2, 4, 8, 16) or (bits == 16 and numbers.get(_PHOTOMETRIC) == _WHITE_IS_ZERO):
        raise UnreadableTiffError(f"its {bits}-bit pixels are not read", f"{bits}비트 픽셀은 읽을 수 없어요")
    picture = _padded(numbers[_WIDTH]) * _padded(numbers[_HEIGHT])
    if numbers.get(_TILE_WIDTH, 0) * numbers.get(_TILE_HEIGHT, 0) > max(picture, _MAX_TILE):
        raise _damaged()


def _padded(side: int) -> int:
    """Return a side in pixels as tiles have it."""
    return -(-side // 16) * 16


def _damaged() -> UnreadableTiffError:
    return UnreadableTiffError("the file is damaged or cut short", "파일이 손상되었거나 중간에 끊겼어요")
