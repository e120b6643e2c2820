"""What an import has found so far, in one SQLite file: a killed one goes on, a repeated one has little to do.

Containers and pictures that have not changed since are not read again. It is a cache of the tree: removing it costs
time only. Knows what is kept, not what it means.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from scalp_core.data.file_tree import Container
from scalp_core.data.zip_files import Fault

_VERSION = 3  # raised when the tables or what is read into them change: older journals are begun anew
# In the order of inspection.Measures; `look` as a signed number, which is all that SQLite has.
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
)
_TABLES = f"""
CREATE TABLE about (about TEXT NOT NULL, written INTEGER NOT NULL);
CREATE TABLE container (number INTEGER PRIMARY KEY, path TEXT UNIQUE NOT NULL, stamp TEXT NOT NULL, ignored INTEGER);
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
    SELECT joins, name, location || coalesce(row, name) AS location, grades, extra
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


# Rows as they are found, plain tuples because hundreds of thousands of them pass from process to process.
# identity, joins, name, file (see trees.Member), offset, length, deflated, bytes, stamp
CopyRow = tuple[str, str, str, str | None, int | None, int | None, bool, int, int]
# joins, name, number of the row of a table, six grades as `grades_text`, JSON object of further fields
LabelRow = tuple[str, str, int | None, str, str | None]
# joins, JSON object
MetaRow = tuple[str, str]

_UNKNOWN = "-"


def grades_text(grades: Iterable[int | None]) -> str:
    """Six grades in the order of CONDITIONS as six characters, such as `0130-2`."""
    return "".join(_UNKNOWN if grade is None else str(grade) for grade in grades)


def grades_of(text: str) -> list[int | None]:
    """The grades behind `grades_text`."""
    return [None if letter == _UNKNOWN else int(letter) for letter in text]


@dataclass(frozen=True)
class Place:
    """What lies in one folder, of the tree or of a zip file, or stands in a table.

    Attributes:
        location: what the locations of all that is in it begin with; the name or the number of the row follows.
        path: what their paths begin with; the path itself of everything in a zip file.
        condition, grade, official: what the names of folders say; see aihub.FolderName.
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
    """Everything found in one container.

    `spoilt` are pictures whose first bytes are enough to know that they cannot be read, and why.
    """

    container: Container
    places: list[Place] = field(default_factory=list)
    spoilt: list[tuple["Pending", str]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)


class Pending(NamedTuple):
    """A copy whose pixels nobody has looked at yet."""

    path: str
    offset: int | None
    length: int | None
    deflated: bool
    bytes: int
    stamp: int


def _opened(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None)
    # A power cut may lose the journal, which costs a repetition; a kill does not.
    database.execute("PRAGMA synchronous = OFF")
    return database


def _about(database: sqlite3.Connection) -> str | None:
    try:
        (version,) = database.execute("PRAGMA user_version").fetchone()
        found = database.execute("SELECT about FROM about").fetchone() if version == _VERSION else None
    except sqlite3.DatabaseError:  # no journal at all: what a full disk or a stranger left there
        return None
    return str(found[0]) if found else None


class ImportDatabase:
    """The file, opened; everything written is kept in whole containers and batches of pictures."""

    def __init__(self, path: Path, about: str) -> None:
        """Open the journal of `about`, which says what is imported and how; one about something else is begun anew."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.database = _opened(path)
        if _about(self.database) != about:
            self.database.close()
            path.unlink()
            self.database = _opened(path)
            self.database.executescript(f"BEGIN; {_TABLES} COMMIT;")
            self.database.execute("INSERT INTO about VALUES (?, 0)", (about,))

    def __enter__(self) -> "ImportDatabase":
        return self

    def __exit__(self, *_: object) -> None:
        self.database.close()

    def rows(self, query: str, *values: object) -> Iterator[tuple[Any, ...]]:
        """The rows of a query, one by one."""
        return iter(self.database.execute(query, values))

    @property
    def written(self) -> bool:
        """Whether an index was written from all that is in here."""
        return bool(self.database.execute("SELECT written FROM about").fetchone()[0])

    def mark_written(self) -> None:
        self.database.execute("UPDATE about SET written = 1")

    def stamps(self) -> dict[str, str]:
        """Stamp by path of every container that is read."""
        return dict(self.database.execute("SELECT path, stamp FROM container"))

    def forget(self, paths: Iterable[str]) -> None:
        """Containers that are gone or changed, with all that was in them."""
        database = self.database
        containers = "(SELECT number FROM container WHERE path IN gone)"
        places = f"(SELECT number FROM place WHERE container IN {containers})"  # noqa: S608  a constant
        database.execute("BEGIN")
        database.execute("UPDATE about SET written = 0")
        database.execute("CREATE TEMPORARY TABLE gone (path TEXT PRIMARY KEY)")
        database.executemany("INSERT INTO gone VALUES (?)", ((path,) for path in paths))
        # Without indexes, which would cost every first import more than one look through the tables costs here.
        for table in ("copy", "label", "meta"):
            database.execute(f"DELETE FROM {table} WHERE place IN {places}")  # noqa: S608  constants
        for table in ("place", "fault"):
            database.execute(f"DELETE FROM {table} WHERE container IN {containers}")  # noqa: S608  constants
        database.execute("DELETE FROM container WHERE path IN gone")
        database.execute("DROP TABLE gone")
        database.execute("COMMIT")

    def add(self, contents: Contents) -> None:
        """A container that is read whole."""
        self.database.execute("BEGIN")
        self.database.execute("UPDATE about SET written = 0")
        container = contents.container
        number = self._new("container (path, stamp, ignored)", (container.path, container.stamp, len(contents.ignored)))
        for place in contents.places:
            self._add_place(number, place)
        self._insert("fault", number, [(one.kind, one.name, one.where, one.detail) for one in contents.faults])
        self._add_pictures((one, error, ()) for one, error in contents.spoilt)
        self.database.execute("COMMIT")

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
        return int(self.database.execute(query, row).fetchone()[0])

    def _insert(self, table: str, whose: int, rows: Sequence[Sequence[object]]) -> None:
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            self.database.executemany(f"INSERT INTO {table} VALUES ({whose:d}, {marks})", rows)  # noqa: S608

    # ---- pictures ----

    def index_pictures(self) -> None:
        """To be called once all containers are in, before pictures are asked for."""
        self.database.execute("CREATE INDEX IF NOT EXISTS copy_identity ON copy (identity, bytes)")

    def pending(self) -> list[int]:
        """Row ids of the copies to look at next; empty when nothing is left to be seen.

        One of each name and size at first. Where none of those is readable, the other copies of that name follow.
        """
        first = f"""
            SELECT c.number, min(c.path || printf(' %015d', coalesce(c.offset, 0)))
            FROM placed c LEFT JOIN picture p ON {_SAME}
            GROUP BY c.identity, c.bytes HAVING count(p.path) = 0"""  # noqa: S608  constants
        others = f"""
            SELECT c.number FROM placed c LEFT JOIN picture p ON {_SAME} WHERE p.path IS NULL AND c.identity IN (
                SELECT c.identity FROM placed c LEFT JOIN picture p ON {_SAME}
                GROUP BY c.identity HAVING count(p.m_sha256) = 0)"""  # noqa: S608  constants
        found = [row for (row, _) in self.database.execute(first)]
        return found or [row for (row,) in self.database.execute(others)]

    def copies(self, rowids: Sequence[int]) -> list[Pending]:
        marks = ", ".join("?" * len(rowids))
        query = f"SELECT path, offset, length, deflated, bytes, stamp FROM placed WHERE number IN ({marks})"  # noqa: S608
        return [Pending(*row) for row in self.database.execute(query, rowids)]

    def add_pictures(self, seen: Iterable[tuple[Pending, str | None, Sequence[object]]]) -> None:
        """Copies with what is wrong with them, or else their measures."""
        self.database.execute("BEGIN")
        self._add_pictures(seen)
        self.database.execute("COMMIT")

    def _add_pictures(self, seen: Iterable[tuple[Pending, str | None, Sequence[object]]]) -> None:
        marks = ", ".join("?" * (5 + len(MEASURES)))
        blank = (None,) * len(MEASURES)
        self.database.executemany(
            f"INSERT OR REPLACE INTO picture VALUES ({marks})",  # noqa: S608  question marks
            (
                (one.path, -1 if one.offset is None else one.offset, one.bytes, one.stamp, error, *(measures or blank))
                for one, error, measures in seen
            ),
        )

    def prune(self) -> None:
        """Forget pictures that are no longer in the tree."""
        self.database.execute(
            "DELETE FROM picture WHERE (path, offset, bytes, stamp) NOT IN "
            "(SELECT path, coalesce(offset, -1), bytes, stamp FROM placed)"
        )

    def found_copies(self) -> Iterator[tuple[Any, ...]]:
        """Every copy with what was seen of it, by identity, the largest first: Copy's fields, error, measures."""
        measures = ", ".join(f"p.m_{name}" for name in MEASURES)
        copy = ", ".join(f"c.{name}" for name in Copy._fields)
        return self.rows(
            f"SELECT {copy}, p.error, {measures} FROM placed c LEFT JOIN picture p ON {_SAME} "  # noqa: S608
            "ORDER BY c.identity, c.bytes DESC, c.path, c.offset"
        )
