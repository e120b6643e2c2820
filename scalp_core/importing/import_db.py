"""The state of an import in one SQLite file: a killed import goes on, a repeated one has little to do.

Containers and pictures that have not changed since are not read again. It is a cache of the tree: removing it costs
time only. While nothing is open, `import.sqlite.sha256` beside it vouches for it; a database that is not what it says
is begun anew. A killed import leaves none, and goes on.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from scalp_core.data.file_tree import Container
from scalp_core.data.zip_files import Fault
from scalp_core.files import sha256, write_text

_VERSION = 7  # raised when the tables or their meaning change; a database of another version is begun anew
# Fields of quality.ImageMeasures; looks as signed numbers, which is all that SQLite has.
MEASURES = (
    "sha256",
    "bytes",
    "width",
    "height",
    "sharpness",
    "lightness",
    "clipped",
    "cast_red",
    "cast_yellow",
    "look",
    "look_inner",
    "look_right_below",
    "look_left_below",
    "look_right_above",
    "look_left_above",
)
_TABLES = f"""
CREATE TABLE about (about TEXT NOT NULL, written INTEGER NOT NULL);
CREATE TABLE container (number INTEGER PRIMARY KEY, path TEXT UNIQUE NOT NULL, stamp TEXT NOT NULL, ignored TEXT);
CREATE TABLE place (
    number INTEGER PRIMARY KEY, container INTEGER NOT NULL, location TEXT NOT NULL, path TEXT NOT NULL,
    condition TEXT, grade INTEGER, official TEXT);
CREATE TABLE copy (
    place INTEGER NOT NULL, identity TEXT NOT NULL, joins TEXT NOT NULL, name TEXT NOT NULL, file TEXT,
    offset INTEGER, length INTEGER, deflated INTEGER, bytes INTEGER NOT NULL, stamp INTEGER NOT NULL);
CREATE TABLE label (
    place INTEGER NOT NULL, joins TEXT NOT NULL, name TEXT NOT NULL, row INTEGER, grades TEXT NOT NULL, extra TEXT);
CREATE TABLE meta (place INTEGER NOT NULL, joins TEXT NOT NULL, extra TEXT NOT NULL);
CREATE TABLE fault (container INTEGER NOT NULL, kind TEXT NOT NULL, name TEXT, location TEXT, detail TEXT);
CREATE TABLE picture (
    path TEXT NOT NULL, offset INTEGER NOT NULL, bytes INTEGER NOT NULL, stamp INTEGER NOT NULL, error TEXT,
    {", ".join(f"m_{name}" for name in MEASURES)}, PRIMARY KEY (path, offset, bytes, stamp)) WITHOUT ROWID;
CREATE VIEW placed AS
    SELECT c.rowid AS number, identity, joins, name, location || name AS location, path || coalesce(file, '') AS path,
        offset, length, deflated, bytes, stamp, condition, grade, official
    FROM copy c JOIN place ON place.number = c.place;
CREATE VIEW told AS
    SELECT label.rowid AS number, row, joins, name, location || coalesce(row, name) AS location, grades, extra
    FROM label JOIN place ON place.number = label.place;
PRAGMA user_version = {_VERSION};
"""  # noqa: S608  constants
# A picture is the same as long as it lies at the same place with the same size and stamp.
_SAME = "p.path = c.path AND p.offset = coalesce(c.offset, -1) AND p.bytes = c.bytes AND p.stamp = c.stamp"


class Copy(NamedTuple):
    """One picture file in the tree; the same picture may lie there several times.

    `identity` is equal for copies of one picture as far as names tell, `joins` for a picture and its label.
    """

    identity: str
    joins: str
    name: str
    location: str
    path: str
    offset: int | None
    length: int | None
    deflated: bool
    bytes: int
    stamp: int
    condition: str | None
    grade: int | None
    official: str | None


# Plain tuples, because hundreds of thousands of them pass from process to process.
# identity, joins, name, file (see zip_files.Member), offset, length, deflated, bytes, stamp
CopyRow = tuple[str, str, str, str | None, int | None, int | None, bool, int, int]
# joins, name, number of the row of a table, six grades as `grades_text`, JSON object of further fields
LabelRow = tuple[str, str, int | None, str, str | None]
# joins, JSON object
MetaRow = tuple[str, str]

_UNKNOWN = "-"


def grades_text(grades: Iterable[int | None]) -> str:
    """Return six grades in the order of CONDITIONS as six characters, such as `0130-2`."""
    return "".join(_UNKNOWN if grade is None else str(grade) for grade in grades)


def grades_of(text: str) -> list[int | None]:
    """Return the grades behind `grades_text`."""
    return [None if letter == _UNKNOWN else int(letter) for letter in text]


@dataclass(frozen=True)
class Place:
    """The content of one folder, of the tree or of a zip file, or of a table.

    Attributes:
        location: the beginning of the locations of its files or rows; a name or the number of a row follows.
        path: the beginning of their paths; in a zip file the whole path.
        condition, grade, official: facts in the names of folders; see aihub.FolderName.
    """

    location: str
    path: str = ""
    condition: str | None = None
    grade: int | None = None
    official: str | None = None
    copies: list[CopyRow] = field(default_factory=list)
    labels: list[LabelRow] = field(default_factory=list)
    metas: list[MetaRow] = field(default_factory=list)


@dataclass(frozen=True)
class Contents:
    """The content of one container.

    `spoilt` are pictures whose first bytes show that they cannot be read, and why; `ignored` counts other files by
    ending.
    """

    container: Container
    places: list[Place] = field(default_factory=list)
    spoilt: list[tuple["Pending", str]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)


class Pending(NamedTuple):
    """A copy that is not measured yet."""

    path: str
    offset: int | None
    length: int | None
    deflated: bool
    bytes: int
    stamp: int


# A copy with its fault, or else its MEASURES.
MeasuredRow = tuple[Pending, str | None, Sequence[object]]


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    # A power cut may lose the journal, which costs a repetition; a kill does not.
    connection.execute("PRAGMA synchronous = OFF")
    return connection


def digest_path(path: Path) -> Path:
    """Return the file beside a database that says its SHA-256."""
    return path.with_name(f"{path.name}.sha256")


def _is_spoilt(path: Path) -> bool:
    vouched = digest_path(path)
    return vouched.exists() and (not path.exists() or vouched.read_bytes() != sha256(path).encode())


def _about(connection: sqlite3.Connection) -> str | None:
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        row = connection.execute("SELECT about FROM about").fetchone() if version == _VERSION else None
    except sqlite3.DatabaseError:  # a file of another kind, or half of one
        return None
    return str(row[0]) if row else None


class ImportDatabase:
    """The open database; it is written in whole containers and batches of pictures."""

    def __init__(self, path: Path, about: str) -> None:
        """Open the database of an import; one of another import is begun anew.

        Args:
            about: the source and how it is read, as text.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        if _is_spoilt(path):
            path.unlink(missing_ok=True)
        self.path, self.connection = path, _open(path)
        if _about(self.connection) != about:
            self.connection.close()
            path.unlink()
            self.connection = _open(path)
            self.connection.executescript(f"BEGIN; {_TABLES} COMMIT;")
            self.connection.execute("INSERT INTO about VALUES (?, 0)", (about,))
        digest_path(path).unlink(missing_ok=True)

    def __enter__(self) -> "ImportDatabase":
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()
        write_text(digest_path(self.path), sha256(self.path))

    def rows(self, query: str, *values: object) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query."""
        return iter(self.connection.execute(query, values))

    @property
    def written(self) -> bool:
        """Whether an index was written from the whole content."""
        return bool(self.connection.execute("SELECT written FROM about").fetchone()[0])

    def mark_written(self) -> None:
        self.connection.execute("UPDATE about SET written = 1")

    def stamps(self) -> dict[str, str]:
        """Return the stamp of every container that is read, by path."""
        return dict(self.connection.execute("SELECT path, stamp FROM container"))

    def forget(self, paths: Iterable[str]) -> None:
        """Remove containers that are gone or changed, with their content."""
        connection = self.connection
        containers = "(SELECT number FROM container WHERE path IN gone)"
        places = f"(SELECT number FROM place WHERE container IN {containers})"  # noqa: S608  a constant
        connection.execute("BEGIN")
        connection.execute("UPDATE about SET written = 0")
        connection.execute("CREATE TEMPORARY TABLE gone (path TEXT PRIMARY KEY)")
        connection.executemany("INSERT INTO gone VALUES (?)", ((path,) for path in paths))
        # Without indexes, which would cost every first import more than one look through the tables costs here.
        for table in ("copy", "label", "meta"):
            connection.execute(f"DELETE FROM {table} WHERE place IN {places}")  # noqa: S608  constants
        for table in ("place", "fault"):
            connection.execute(f"DELETE FROM {table} WHERE container IN {containers}")  # noqa: S608  constants
        connection.execute("DELETE FROM container WHERE path IN gone")
        connection.execute("DROP TABLE gone")
        connection.execute("COMMIT")

    def add(self, contents: Contents) -> None:
        """Add a container that is read completely."""
        self.connection.execute("BEGIN")
        self.connection.execute("UPDATE about SET written = 0")
        container = contents.container
        number = self._new(
            "container (path, stamp, ignored)", (container.path, container.stamp, json.dumps(contents.ignored))
        )
        for place in contents.places:
            self._add_place(number, place)
        self._insert(
            "fault", number, [(fault.kind, fault.name, fault.where, fault.detail) for fault in contents.faults]
        )
        self._add_pictures((picture, error, ()) for picture, error in contents.spoilt)
        self.connection.execute("COMMIT")

    def _add_place(self, container: int, place: Place) -> None:
        number = self._new(
            "place (container, location, path, condition, grade, official)",
            (container, place.location, place.path, place.condition, place.grade, place.official),
        )
        self._insert("copy", number, place.copies)
        self._insert("label", number, place.labels)
        self._insert("meta", number, place.metas)

    def _new(self, table: str, row: Sequence[object]) -> int:
        marks = ", ".join("?" * len(row))
        query = f"INSERT INTO {table} VALUES ({marks}) RETURNING number"  # noqa: S608  constants
        return int(self.connection.execute(query, row).fetchone()[0])

    def _insert(self, table: str, owner: int, rows: Sequence[Sequence[object]]) -> None:
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            self.connection.executemany(f"INSERT INTO {table} VALUES ({owner:d}, {marks})", rows)  # noqa: S608

    # ---- pictures ----

    def index_pictures(self) -> None:
        """Index the copies, once all containers are in and before `pending`."""
        self.connection.execute("CREATE INDEX IF NOT EXISTS copy_identity ON copy (identity, bytes)")

    def pending(self) -> list[int]:
        """Return the row ids of the copies to measure next; empty when none are left.

        One of each name and size comes first. If none of those is readable, the other copies of that name follow.
        """
        first = f"""
            SELECT c.number, min(c.path || printf(' %015d', coalesce(c.offset, 0)))
            FROM placed c LEFT JOIN picture p ON {_SAME}
            GROUP BY c.identity, c.bytes HAVING count(p.path) = 0"""  # noqa: S608  constants
        others = f"""
            SELECT c.number FROM placed c LEFT JOIN picture p ON {_SAME} WHERE p.path IS NULL AND c.identity IN (
                SELECT c.identity FROM placed c LEFT JOIN picture p ON {_SAME}
                GROUP BY c.identity HAVING count(p.m_sha256) = 0)"""  # noqa: S608  constants
        rows = [row for (row, _) in self.connection.execute(first)]
        return rows or [row for (row,) in self.connection.execute(others)]

    def copies(self, rowids: Sequence[int]) -> list[Pending]:
        marks = ", ".join("?" * len(rowids))
        query = f"SELECT path, offset, length, deflated, bytes, stamp FROM placed WHERE number IN ({marks})"  # noqa: S608
        return [Pending(*row) for row in self.connection.execute(query, rowids)]

    def add_pictures(self, measured: Iterable[MeasuredRow]) -> None:
        """Add copies with their fault, or else their measures."""
        self.connection.execute("BEGIN")
        self._add_pictures(measured)
        self.connection.execute("COMMIT")

    def _add_pictures(self, measured: Iterable[MeasuredRow]) -> None:
        marks = ", ".join("?" * (5 + len(MEASURES)))
        blank = (None,) * len(MEASURES)
        self.connection.executemany(
            f"INSERT OR REPLACE INTO picture VALUES ({marks})",  # noqa: S608  question marks
            (
                (
                    copy.path,
                    -1 if copy.offset is None else copy.offset,
                    copy.bytes,
                    copy.stamp,
                    error,
                    *(values or blank),
                )
                for copy, error, values in measured
            ),
        )

    def prune(self) -> None:
        """Remove pictures that are no longer in the tree."""
        self.connection.execute(
            "DELETE FROM picture WHERE (path, offset, bytes, stamp) NOT IN "
            "(SELECT path, coalesce(offset, -1), bytes, stamp FROM placed)"
        )

    def measured_copies(self) -> Iterator[tuple[Any, ...]]:
        """Yield every copy by identity, the largest first: the fields of Copy, its fault, its measures."""
        measures = ", ".join(f"p.m_{name}" for name in MEASURES)
        copy = ", ".join(f"c.{name}" for name in Copy._fields)
        return self.rows(
            f"SELECT {copy}, p.error, {measures} FROM placed c LEFT JOIN picture p ON {_SAME} "  # noqa: S608
            "ORDER BY c.identity, c.bytes DESC, c.path, c.offset"
        )
