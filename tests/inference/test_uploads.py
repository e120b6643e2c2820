"""Uploads: files and zip files, in memory and bounded, whatever is packed into them."""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterable

import pytest

from scalp_core.errors import ScalpError
from scalp_core.inference import uploads
from scalp_core.inference.uploads import group_captures, read_uploads, region
from scalp_core.synthetic.generate import plan_pictures
from scalp_core.terms import REGIONS

PICTURE = b"\xff\xd8\xff" + bytes(range(256)) * 4  # never decoded here


def packed(members: Iterable[tuple[str, bytes]], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def names(files: Iterable[tuple[str, bytes]]) -> list[str]:
    return [upload.name for upload in read_uploads(files)]


def codes(files: Iterable[tuple[str, bytes]]) -> list[str]:
    """Return the code of each entry; `ok` for bytes."""
    return [upload.data.code if isinstance(upload.data, ScalpError) else "ok" for upload in read_uploads(files)]


def as_named_on_korean_windows(archive: bytes, ascii_name: str, meant: str) -> bytes:
    """The archive with that name in cp949, without saying so."""
    stored = meant.encode("cp949")
    assert len(stored) == len(ascii_name)
    return archive.replace(ascii_name.encode(), stored)


def test_files_pass_as_they_are_in_their_order() -> None:
    assert read_uploads([("b.jpg", b"2"), ("a.png", b"")]) == [("b.jpg", b"2"), ("a.png", b"")]
    assert read_uploads([]) == []


def test_a_zip_s_pictures_stand_in_its_place() -> None:
    archive = packed([("day/one.jpg", PICTURE), ("day/two.PNG", b"2")], zipfile.ZIP_DEFLATED)
    assert read_uploads([("first.jpg", b"1"), ("many.zip", archive), ("last.jpg", b"3")]) == [
        ("first.jpg", b"1"),
        ("one.jpg", PICTURE),
        ("two.PNG", b"2"),
        ("last.jpg", b"3"),
    ]


def test_the_content_says_what_a_zip_is() -> None:
    assert names([("archive", packed([("in.jpg", PICTURE)]))]) == ["in.jpg"]
    assert codes([("broken.ZIP", b"no zip at all")]) == ["bad_zip"]


def test_non_pictures_in_a_zip_are_skipped() -> None:
    members = [(f"{folder}x.jpg", PICTURE) for folder in ("__MACOSX/", "", "._")]
    members += [("label.json", b"{}"), ("Thumbs.db", b"1"), ("folder/", b""), (".DS_Store", b"1")]
    assert names([("a.zip", packed(members))]) == ["x.jpg"]


@pytest.mark.parametrize("members", [[], [("label.json", b"{}")], [("only/", b"")]])
def test_a_zip_without_a_picture_says_so(members: list[tuple[str, bytes]]) -> None:
    assert codes([("empty.zip", packed(members))]) == ["no_pictures"]


def test_korean_names_from_windows_and_from_a_mac() -> None:
    archive = as_named_on_korean_windows(packed([("nnnnnn.jpg", PICTURE)]), "nnnnnn.jpg", "비듬_1.jpg")
    assert names([("w.zip", archive)]) == ["비듬_1.jpg"]
    decomposed = "\u1107\u1175\u1103\u1173\u11b7.jpg"
    assert names([(decomposed, PICTURE), ("m.zip", packed([(decomposed.replace(".", "2."), PICTURE)]))]) == [
        "비듬.jpg",
        "비듬2.jpg",
    ]


def test_names_are_for_people_and_lead_nowhere() -> None:
    assert names([("../../etc/passwd.jpg", b""), ("C:\\Users\\a\\b.jpg", b""), ("", b""), ("/", b"")]) == [
        "passwd.jpg",
        "b.jpg",
        "–",
        "– (2)",
    ]
    assert names([("cat\u202egpj.exe\n\x1b[31m.jpg", b"")]) == ["catgpj.exe[31m.jpg"]
    (long,) = names([("x" * 65_000 + "_TH.jpg", b"")])
    assert len(long) == 80
    assert long.endswith("_TH.jpg")
    hostile = packed([("../../up.jpg", PICTURE), ("/root.jpg", PICTURE), ("C:/x.jpg", PICTURE)])
    assert codes([("a.zip", hostile)]) == ["unsafe_name"] * 3


def test_files_of_one_name_are_told_apart() -> None:
    archive = packed([("monday/x.jpg", b"1"), ("tuesday/x.jpg", b"2"), ("y.jpg", b"3")])
    assert names([("x.jpg", b"0"), ("a.zip", archive), ("x.jpg", b"4")]) == [
        "x.jpg",
        "monday/x.jpg",
        "tuesday/x.jpg",
        "y.jpg",
        "x (2).jpg",
    ]
    assert names([("one.zip", packed([("x.jpg", b"1")])), ("two.zip", packed([("x.jpg", b"2")]))]) == [
        "one/x.jpg",
        "two/x.jpg",
    ]


def test_bad_zip_members_are_reported_others_read() -> None:
    archive = packed([("good.jpg", PICTURE), ("inner.zip", b"PK"), ("bad.jpg", PICTURE)], zipfile.ZIP_DEFLATED)
    at = archive.rindex(b"bad.jpg", 0, archive.index(b"PK\x01\x02"))
    damaged = bytearray(archive)
    damaged[at + 20] ^= 0xFF
    result = codes([("a.zip", bytes(damaged))])
    assert result[0] == "ok"
    assert result[1] == "nested_zip"
    assert result[2] == "bad_zip"
    locked = bytearray(packed([("secret.jpg", PICTURE)]))
    for place in (6, locked.index(b"PK\x01\x02") + 8):
        locked[place] |= 1
    assert codes([("b.zip", bytes(locked))]) == ["encrypted"]


@pytest.mark.parametrize("cut", [1, 30, 100])
def test_half_a_zip(cut: int) -> None:
    archive = packed([("a.jpg", PICTURE), ("b.jpg", PICTURE)])
    assert codes([("half.zip", archive[:-cut])]) == ["bad_zip"]


def test_a_bomb_is_not_inflated() -> None:
    bomb = packed([("bomb.jpg", bytes(30 * 2**20)), ("small.jpg", PICTURE)], zipfile.ZIP_DEFLATED)
    assert len(bomb) < 2**17
    assert codes([("a.zip", bomb)]) == ["too_large", "ok"]


def test_lying_bomb_is_not_inflated() -> None:
    archive = bytearray(packed([("bomb.jpg", bytes(64 * 2**20))], zipfile.ZIP_DEFLATED))
    for place in (22, archive.index(b"PK\x01\x02") + 24):
        archive[place : place + 4] = (1000).to_bytes(4, "little")
    (upload,) = read_uploads([("a.zip", bytes(archive))])
    assert isinstance(upload.data, ScalpError)
    assert upload.data.code == "bad_zip"


def test_overlapping_entries_are_counted_first() -> None:
    entry = b"PK\x01\x02" + bytes(42)
    (upload,) = read_uploads([("a.zip", b"PK\x03\x04" + entry * (uploads.MAX_MEMBERS + 1))])
    assert isinstance(upload.data, ScalpError)
    assert upload.data.code == "too_large"


def test_surplus_pictures_are_counted_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    archive = packed([(f"{number:03d}.jpg", PICTURE) for number in range(uploads.MAX_PICTURES + 20)])
    unpacked = []
    monkeypatch.setattr(uploads, "read_zip_image", lambda *of: unpacked.append(of) or b"")
    taken = read_uploads([("many.zip", archive), ("one more.jpg", b"")])
    assert len(taken) == uploads.MAX_PICTURES + 1
    assert len(unpacked) == uploads.MAX_PICTURES
    error = taken[-1].data
    assert isinstance(error, ScalpError)
    assert error.code == "too_many_pictures"
    assert all(text.startswith(("21 ", "나머지 21")) for text in error.text)


def test_no_more_bytes_than_agreed() -> None:
    some = bytes(19 * 2**20)
    whole = packed([(f"{number}.jpg", some) for number in range(12)])
    result = codes([("large.zip", whole)])
    assert result == ["ok"] * 10 + ["too_many_pictures"]


def test_captures_of_the_built_in_data_set() -> None:
    planned = plan_pictures(60, 0)
    groups = group_captures([f"upload/{picture.stem}.jpg" for picture in planned])
    expected: dict[str, list[int]] = {}
    for place, picture in enumerate(planned):
        expected.setdefault(picture.capture, []).append(place)
    assert groups == expected
    assert [region(f"{picture.stem}.jpg") for picture in planned] == [REGIONS[picture.region] for picture in planned]


def test_capture_pictures_follow_their_frames() -> None:
    stem = "0013_A2LEBJJDE00060O_1602578303771"
    files = [f"{stem}_6_BH.jpg", "cat.jpg", f"{stem}_2_TH.JPG", f"day/{stem}_4_LH.jpg (2)", f"{stem}_9_XX.jpg"]
    assert group_captures(files) == {stem: [2, 3, 0]}
    assert [part_of_head and part_of_head.en for part_of_head in map(region, files)] == [
        "back of the head",
        None,
        "top of the head",
        "left side",
        None,
    ]


def test_every_zip_of_few_flipped_bytes_is_answered() -> None:
    archive = packed([("a.jpg", PICTURE), ("b/c.png", PICTURE)], zipfile.ZIP_DEFLATED)
    for place in range(len(archive)):
        flipped = bytearray(archive)
        flipped[place] ^= 0x55
        for upload in read_uploads([("flipped.zip", bytes(flipped))]):
            assert isinstance(upload.data, bytes | ScalpError)
            assert isinstance(upload.data, ScalpError) or zlib.crc32(upload.data) in (
                zlib.crc32(PICTURE),
                zlib.crc32(flipped),
            )


def test_members_that_share_bytes_are_refused() -> None:
    """One picture under 500 names: the directory alone grows."""
    archive = packed([("a000.jpg", PICTURE)])
    at, end = archive.index(b"PK\x01\x02"), archive.rindex(b"PK\x05\x06")
    entry = archive[at:end]
    entries = b"".join(entry.replace(b"a000", f"a{number:03d}".encode()) for number in range(500))
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 500, 500, len(entries), at, 0)
    (only,) = read_uploads([("bomb.zip", archive[:at] + entries + tail)])
    assert isinstance(only.data, ScalpError)
    assert "lie on each other" in str(only.data)
