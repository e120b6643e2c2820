"""Files of folders and zips are found under the names people gave them, and read by place, whatever a zip claims."""

import io
import os
import struct
import zipfile
import zlib
from pathlib import Path

import pytest
from support.aihub_tree import jpeg, write_zip

from scalp_core.data import zip_files
from scalp_core.data.file_tree import Container, ContainerReader, list_containers
from scalp_core.data.zip_files import Fault, Member
from scalp_core.files import unquote_path

KOREAN = "탈모 사진.jpg"


def contents(root: Path, container: Container, most: int = 2**20) -> dict[str, bytes]:
    """Return the contents of the container's files by folders and name; faults are an error."""
    with ContainerReader(root, container) as reader:
        members = [entry for entry in reader.members() if isinstance(entry, Member)]
        return {"/".join((*entry.parts, entry.name)): reader.read(entry, most) for entry in members}


def members_and_faults(root: Path) -> tuple[list[Member], list[Fault]]:
    members, faults = [], []
    for entry in list_containers(root):
        if isinstance(entry, Fault):
            faults.append(entry)
            continue
        with ContainerReader(root, entry) as reader:
            for inside in reader.members():
                (members if isinstance(inside, Member) else faults).append(inside)  # type: ignore[arg-type]
    return members, faults


def paths(root: Path) -> dict[str, Container]:
    return {entry.path: entry for entry in list_containers(root) if isinstance(entry, Container)}


def test_folders_with_files_and_zip_files_are_containers(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    (tmp_path / "a" / "b" / "1.jpg").write_bytes(b"1")
    (tmp_path / "2.jpg").write_bytes(b"2")
    write_zip(tmp_path / "a" / "세.zip", [("x/3.jpg", b"3"), ("4.JSON", b"4")])
    seen = paths(tmp_path)
    assert {path: (entry.is_zip, entry.files) for path, entry in seen.items()} == {
        "": (False, 1),
        "a/b": (False, 1),
        "a/세.zip": (True, 2),
    }
    assert contents(tmp_path, seen[""]) == {"2.jpg": b"2"}
    assert contents(tmp_path, seen["a/b"]) == {"a/b/1.jpg": b"1"}
    assert contents(tmp_path, seen["a/세.zip"]) == {"a/세/x/3.jpg": b"3", "a/세/4.JSON": b"4"}
    members, faults = members_and_faults(tmp_path)
    assert {(entry.name, entry.ending, entry.size) for entry in members} == {
        ("1.jpg", ".jpg", 1),
        ("2.jpg", ".jpg", 1),
        ("3.jpg", ".jpg", 1),
        ("4.JSON", ".json", 1),
    }
    assert faults == []


def test_stamp_changes_only_with_its_subject(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.jpg").write_bytes(b"1")
    write_zip(tmp_path / "z.zip", [("1.jpg", b"1")])
    before = {path: entry.stamp for path, entry in paths(tmp_path).items()}
    assert {path: entry.stamp for path, entry in paths(tmp_path).items()} == before

    (tmp_path / "a" / "2.jpg").write_bytes(b"2")
    write_zip(tmp_path / "y.zip", [("1.jpg", b"1")])
    after = {path: entry.stamp for path, entry in paths(tmp_path).items()}
    assert after["z.zip"] == before["z.zip"]
    assert after["a"] != before["a"]

    os.utime(tmp_path / "z.zip", ns=(0, 1))
    os.utime(tmp_path / "a" / "1.jpg", ns=(0, 1))
    touched = {path: entry.stamp for path, entry in paths(tmp_path).items()}
    assert touched["z.zip"] != after["z.zip"]
    assert touched["a"] != after["a"]


@pytest.mark.parametrize("packing", ["stored", "deflated", "streamed", "cp949", "after other bytes", "with a comment"])
def test_however_zip_is_packed_its_files_are_read(tmp_path: Path, packing: str) -> None:
    files = {KOREAN: jpeg(1), "폴더/둘.json": b"{}" * 500}
    write_zip(
        tmp_path / "z.zip",
        files.items(),
        deflated=packing == "deflated",
        streamed=packing == "streamed",
        encoding="cp949" if packing == "cp949" else "",
    )
    if packing == "after other bytes":
        whole = (tmp_path / "z.zip").read_bytes()
        (tmp_path / "z.zip").write_bytes(b"MZ a program that unpacks itself" + whole)
    if packing == "with a comment":
        with zipfile.ZipFile(tmp_path / "z.zip", "a") as archive:
            archive.comment = b"c" * 60_000
    container = paths(tmp_path)["z.zip"]
    assert container.files == 2
    assert contents(tmp_path, container) == {f"z/{name}": data for name, data in files.items()}
    assert contents(tmp_path, container, 3) == {f"z/{name}": data[:3] for name, data in files.items()}


def test_undecodable_names_are_readable_and_open(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + "[원천]탈모".encode("cp949")))
    folder.mkdir()
    (folder / "100%.jpg").write_bytes(b"1")
    Path(os.fsdecode(os.fsencode(folder) + b"/" + "둘.jpg".encode("cp949"))).write_bytes(b"2")
    ((path, container),) = paths(tmp_path).items()
    assert (tmp_path / unquote_path(path)).samefile(folder)
    path.encode("utf-8")  # as everything must be that goes into an index
    assert contents(tmp_path, container) == {"[원천]탈모/100%.jpg": b"1", "[원천]탈모/둘.jpg": b"2"}
    for member in members_and_faults(tmp_path)[0]:
        assert (folder / unquote_path(str(member.file))).is_file()


def test_links_are_told_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "1.jpg").write_bytes(b"1")
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "in").symlink_to(tree)
    (tree / "out").symlink_to(tmp_path / "outside")
    (tree / "1.jpg").symlink_to(tmp_path / "outside" / "1.jpg")
    members, faults = members_and_faults(tree)
    assert members == []
    assert {(entry.kind, entry.name) for entry in faults} == {("unsafe_name", name) for name in ("in", "out", "1.jpg")}


OUT = ["../1.jpg", "a/../../1.jpg", "/1.jpg", "\\1.jpg", "..\\1.jpg", "C:\\1.jpg", "C:1.jpg"]


@pytest.mark.parametrize("name", OUT)
def test_name_leading_out_of_its_zip_is_reported(tmp_path: Path, name: str) -> None:
    write_zip(tmp_path / "z.zip", [(name, b"1"), ("sound.jpg", b"2")])
    members, faults = members_and_faults(tmp_path)
    assert [entry.name for entry in members] == ["sound.jpg"]
    assert [(entry.kind, entry.name) for entry in faults] == [("unsafe_name", name if name == "C:1.jpg" else "1.jpg")]


def test_locked_nested_and_unfinished_files_are_told(tmp_path: Path) -> None:
    write_zip(tmp_path / "locked.zip", [("1.jpg", b"1")], flags=0x1)
    write_zip(tmp_path / "nested.zip", [("inner.ZIP", b"1"), ("2.jpg.part", b"2"), ("3.zip.part0", b"3")])
    (tmp_path / "4.zip.crdownload").write_bytes(b"4")
    members, faults = members_and_faults(tmp_path)
    assert members == []
    assert {(entry.kind, entry.name) for entry in faults} == {
        ("encrypted", "1.jpg"),
        ("nested_zip", "inner.ZIP"),
        ("partial_download", "2.jpg.part"),
        ("partial_download", "3.zip.part0"),
        ("partial_download", "4.zip.crdownload"),
    }


def test_other_compressions_are_told(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "z.zip", "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("1.jpg", b"1" * 100)
    members, faults = members_and_faults(tmp_path)
    assert (members, [entry.kind for entry in faults]) == ([], ["bad_zip"])


def test_what_claims_to_be_large_is_not_inflated(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "z.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("large.jpg", bytes(21 * 2**20))
        archive.writestr("dense.jpg", bytes(2 * 2**20))
    members, faults = members_and_faults(tmp_path)
    assert members == []
    assert {(entry.kind, entry.name) for entry in faults} == {("too_large", "large.jpg"), ("too_large", "dense.jpg")}


def test_lying_size_limits_inflation(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "z.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("liar.jpg", bytes(30 * 2**20))
        archive.infolist()[0].file_size = 1000
    (container,) = paths(tmp_path).values()
    assert contents(tmp_path, container, 5000) == {"z/liar.jpg": bytes(5000)}


def test_zip_with_too_many_members_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zip_files, "MAX_MEMBERS", 3)
    write_zip(tmp_path / "z.zip", [(f"{number}.jpg", b"1") for number in range(4)])
    members, faults = members_and_faults(tmp_path)
    assert (members, [(entry.kind, entry.name) for entry in faults]) == ([], [("too_large", "z.zip")])


def test_damaged_zips_are_told_and_sound_members_read(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("1.jpg", b"1" * 100)
        archive.writestr("2.jpg", b"2" * 100)
    whole = stream.getvalue()
    (tmp_path / "cut.zip").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.zip").write_bytes(b"")
    (tmp_path / "text.zip").write_bytes(b"no zip file")
    second = whole.index(b"PK\x03\x04", 4)
    (tmp_path / "moved.zip").write_bytes(whole[:second] + b"XX" + whole[second + 2 :])
    members, faults = members_and_faults(tmp_path)
    assert [(entry.parts, entry.name) for entry in members] == [(("moved",), "1.jpg")]
    names = {"cut.zip", "empty.zip", "text.zip", "2.jpg"}
    assert {(entry.kind, entry.name) for entry in faults} == {("bad_zip", name) for name in names}


def test_member_said_to_lie_behind_end_is_told(tmp_path: Path) -> None:
    write_zip(tmp_path / "z.zip", [("1.jpg", b"1" * 100)])
    whole = bytearray((tmp_path / "z.zip").read_bytes())
    directory = whole.index(b"PK\x01\x02")
    struct.pack_into("<I", whole, directory + 42, 2**31)
    (tmp_path / "z.zip").write_bytes(whole)
    members, faults = members_and_faults(tmp_path)
    assert (members, [entry.kind for entry in faults]) == ([], ["bad_zip"])


def test_damaged_bytes_are_an_error_of_their_own(tmp_path: Path) -> None:
    write_zip(tmp_path / "z.zip", [("1.jpg", b"1" * 100)], deflated=True)
    (container,) = paths(tmp_path).values()
    with ContainerReader(tmp_path, container) as reader:
        (member,) = reader.members()
        assert isinstance(member, Member)
        assert member.offset is not None
        whole = bytearray((tmp_path / "z.zip").read_bytes())
        whole[member.offset] = 0xFF
        (tmp_path / "z.zip").write_bytes(whole)
    with ContainerReader(tmp_path, container) as reader, pytest.raises(zlib.error):
        reader.read(member, 1000)


def test_junk_of_operating_systems_is_passed_over(tmp_path: Path) -> None:
    junk = [".DS_Store", "Thumbs.db", "desktop.ini", "__MACOSX/._1.jpg", "._2.jpg"]
    for name in junk:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"junk")
    write_zip(tmp_path / "z.zip", [(name, b"junk") for name in junk])
    assert members_and_faults(tmp_path) == ([], [])


def test_folder_that_vanishes_meanwhile_is_error_of_system(tmp_path: Path) -> None:
    write_zip(tmp_path / "z.zip", [("1.jpg", b"1")])
    (container,) = paths(tmp_path).values()
    (tmp_path / "z.zip").unlink()
    with pytest.raises(FileNotFoundError):
        ContainerReader(tmp_path, container)
