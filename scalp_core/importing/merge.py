"""Merges the copies and labels of an import to one row a picture, and records their contradictions.

The database is streamed in the order of names, of contents and of ids, so memory does not grow with the tree.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice
from operator import itemgetter
from typing import Any, NamedTuple
from unicodedata import normalize

import numpy as np
import pandas as pd

from scalp_core.data.aihub import official_part, official_parts, official_text, picture_name
from scalp_core.data.dataset import LABEL_COLUMNS
from scalp_core.data.zip_files import Fault
from scalp_core.importing.container_reader import own_name, stem
from scalp_core.importing.import_db import MEASURES, Copy, ImportDatabase, grades_of
from scalp_core.labels import META

_BATCH = 8192  # rows


class Entry(NamedTuple):
    """One picture, or one of several names of it: `keeper` is the id of the row that stands for its content."""

    identity: str
    id: str
    longer: str
    keeper: str
    joins: str
    name: str
    location: str
    path: str
    offset: int | None
    length: int | None
    deflated: bool
    folders: str
    official: str
    site: str
    device: str
    capture: str
    region: str
    measures: tuple[Any, ...]


# Columns of the table of entries: the fields above, each measure by itself.
_ENTRY = (*Entry._fields[:-1], *(f"m_{name}" for name in MEASURES))


class MergeResult(NamedTuple):
    """A copy with its fault, or else its measures."""

    copy: Copy
    error: str | None
    measures: tuple[Any, ...]

    @property
    def readable(self) -> bool:
        return self.measures[0] is not None


def merge(database: ImportDatabase) -> None:
    """Make the table of entries and the faults that only the whole tree shows."""
    connection = database.connection
    connection.execute("BEGIN")
    connection.execute("DELETE FROM fault WHERE container = 0")
    connection.execute("DROP TABLE IF EXISTS entry")
    connection.execute(f"CREATE TABLE entry ({', '.join(_ENTRY)})")
    entries = _entries(database)
    while batch := list(islice(entries, _BATCH)):
        marks = ", ".join("?" * len(_ENTRY))
        connection.executemany(
            f"INSERT INTO entry VALUES ({marks})",  # noqa: S608  question marks
            [(*entry[:-1], *entry.measures) for entry in batch],
        )
    _assign_ids(database)
    _merge_contents(database)
    connection.execute("CREATE INDEX entry_joins ON entry (joins)")
    connection.execute("CREATE INDEX entry_id ON entry (id)")
    _add_odd_sizes(database)
    _match_rows(database)
    connection.execute(
        "INSERT INTO fault SELECT 0, 'label_without_picture', name, location, '' FROM told "
        "WHERE joins NOT IN (SELECT joins FROM copy) GROUP BY joins, row"
    )
    connection.execute("COMMIT")


def _entries(database: ImportDatabase) -> Iterator[Entry]:
    width = len(Copy._fields)
    results = (MergeResult(Copy(*row[:width]), row[width], row[width + 1 :]) for row in database.measured_copies())
    for _, copies in groupby(results, key=lambda result: result.copy.identity):
        group = list(copies)
        best = next((result for result in group if result.readable), None)
        _add_faults(database, _faults_of(group, best))
        if best:
            yield _entry(best, [result.copy for result in group])


def _faults_of(group: Sequence[MergeResult], best: MergeResult | None) -> Iterator[Fault]:
    for result in group:
        copy = result.copy
        if result.error:
            yield Fault("bad_picture", copy.name, copy.location, result.error)
        if best and (copy.bytes != best.copy.bytes or result.measures[0] not in (None, best.measures[0])):
            yield Fault("same_name_other_content", copy.name, copy.location, best.copy.location)


def _entry(best: MergeResult, copies: Sequence[Copy]) -> Entry:
    copy, own = best.copy, own_name(best.copy.name)
    named = picture_name(own)
    folders = sorted({f"{c.condition}/{c.grade}" for c in copies if c.condition and c.grade is not None})
    image_id = named.image_id if named else own
    return Entry(
        copy.identity,
        image_id,
        copy.identity if named else stem(copy.location).replace("/", "-"),
        "",
        copy.joins,
        copy.name,
        copy.location,
        copy.path,
        copy.offset,
        copy.length,
        copy.deflated,
        " ".join(folders),
        official_text(c.official for c in copies if c.official),
        *((named.site, named.device, named.capture, named.region) if named else ("", "", "", "")),
        best.measures,
    )


def _assign_ids(database: ImportDatabase) -> None:
    """Give entries short ids where these are unique, else longer ones; in the end every id is unique."""
    duplicates = "(SELECT id FROM entry GROUP BY id HAVING count(*) > 1)"
    database.connection.execute(f"UPDATE entry SET id = longer WHERE id IN {duplicates}")  # noqa: S608  a constant
    database.connection.execute(f"UPDATE entry SET id = id || '-' || rowid WHERE id IN {duplicates}")  # noqa: S608
    database.connection.execute("UPDATE entry SET keeper = id, capture = CASE capture WHEN '' THEN id ELSE capture END")


def _merge_contents(database: ImportDatabase) -> None:
    """Merge equal content under several names: the smallest id stands for all."""
    equal = list(
        database.rows(
            "SELECT m_sha256, rowid, id, name, location, folders, official FROM entry WHERE m_sha256 IN "
            "(SELECT m_sha256 FROM entry GROUP BY m_sha256 HAVING count(*) > 1) ORDER BY m_sha256, id"
        )
    )
    for _, alike in groupby(equal, key=itemgetter(0)):
        (_, kept, keeper, kept_name, *_), *others = group = list(alike)
        folders = sorted({folder for entry in group for folder in entry[5].split()})
        official = official_text(part for entry in group for part in official_parts(entry[6]))
        database.connection.execute(
            "UPDATE entry SET folders = ?, official = ? WHERE rowid = ?", (" ".join(folders), official, kept)
        )
        for _, rowid, _, name, location, *_ in others:
            database.connection.execute("UPDATE entry SET keeper = ? WHERE rowid = ?", (keeper, rowid))
            _add_faults(database, [Fault("same_content", name, location, kept_name)])


def _add_odd_sizes(database: ImportDatabase) -> None:
    sizes = database.rows(
        "SELECT m_width, m_height FROM entry GROUP BY m_width, m_height ORDER BY count(*) DESC LIMIT 1"
    )
    for width, height in list(sizes):
        database.connection.execute(
            "INSERT INTO fault SELECT 0, 'odd_size', name, location, m_width || ' × ' || m_height FROM entry "
            "WHERE keeper = id AND (m_width <> ? OR m_height <> ?)",
            (width, height),
        )


def _add_faults(database: ImportDatabase, faults: Iterable[Fault]) -> None:
    rows = [(fault.kind, fault.name, fault.where, fault.detail) for fault in faults]
    database.connection.executemany("INSERT INTO fault VALUES (0, ?, ?, ?, ?)", rows)


# ---- rows of a table ----


def _match_rows(database: ImportDatabase) -> None:
    """Note which pictures each row of a table means: of those that its name may mean, the ones it fits best."""
    connection = database.connection
    connection.create_function("fit", 2, _fit, deterministic=True)
    connection.execute("DROP TABLE IF EXISTS meant")
    connection.execute(
        "CREATE TABLE meant AS SELECT label, entry FROM (SELECT *, max(fit) OVER (PARTITION BY label) AS best FROM ("
        "SELECT l.rowid AS label, e.rowid AS entry, fit(l.extra ->> 'image', e.location) AS fit "
        "FROM label l JOIN entry e ON e.joins = l.joins WHERE l.row IS NOT NULL)) WHERE fit AND fit = best"
    )
    # A row that names a picture in another folder. One of a picture that cannot be read is no fault of the row.
    connection.execute(
        "INSERT INTO fault SELECT 0, 'label_without_picture', name, location, '' FROM told "
        "WHERE row IS NOT NULL AND number NOT IN (SELECT label FROM meant) AND joins IN (SELECT joins FROM entry)"
    )


def _fit(image: str, location: str) -> int:
    """Return how well a path in a table fits the place of a picture: 0 for another one, 4 for the very same.

    A table may count from further up than the tree does: `images/1`, `../images/1`, `/data/images/1`, `C:/images/1`.
    Its names may lack the ending, have that of another format, or be in another case; these mean a picture only where
    none fits better.
    """
    wanted = [part for part in normalize("NFC", image).split("/") if part not in ("", ".", "..")]
    actual = normalize("NFC", location).split("/")
    shared = min(len(wanted), len(actual))
    wanted, actual = wanted[-shared:], actual[-shared:]
    if wanted == actual:
        return 4
    own = [[*parts[:-1], own_name(parts[-1])] for parts in (wanted, actual)]
    if own[0] == own[1]:
        return 3
    folded = [[part.casefold() for part in parts] for parts in own]
    # The publisher's names are joined without regard to their region's case, in folders of any name.
    return 2 if folded[0] == folded[1] else 0


# ---- rows ----


def batches(database: ImportDatabase) -> Iterator[pd.DataFrame]:
    """Yield the rows of the index in the order of ids, without `part` and `look_alikes`; adds the faults of labels."""
    metas = _extra_columns(database)
    rows = _rows(database)
    database.connection.execute("BEGIN")
    while batch := list(islice(rows, _BATCH)):
        yield _frame(batch, metas)
    database.connection.execute("COMMIT")


class _Row(NamedTuple):
    entry: Entry
    values: tuple[int | None, ...]
    official: str
    extra: dict[str, str]


def _rows(database: ImportDatabase) -> Iterator[_Row]:
    entries = database.rows(f"SELECT {', '.join(_ENTRY)} FROM entry WHERE keeper = id ORDER BY id")  # noqa: S608
    labels = _Lookahead(database.rows(_LABELS_OF_TABLE if _has_table(database) else _LABELS_OF_FILES))
    metas = _Lookahead(
        database.rows("SELECT e.keeper, m.extra FROM entry e JOIN meta m ON m.joins = e.joins ORDER BY e.keeper")
    )
    plain = len(_ENTRY) - len(MEASURES)
    for row in entries:
        entry = Entry._make((*row[:plain], row[plain:]))
        joined = labels.of(entry.id)
        values, faults = _values(entry, joined)
        _add_faults(database, faults)
        texts = [label[-1] for label in joined if label[-1]] + [meta[-1] for meta in metas.of(entry.id)]
        facts: list[dict[str, str]] = [json.loads(text) for text in texts]
        official, faults = _official(entry, [fact["official"] for fact in facts if "official" in fact])
        _add_faults(database, faults)
        yield _Row(entry, values, official, {key: text for fact in facts for key, text in fact.items()})


_LABELS_OF_FILES = (
    "SELECT e.keeper, l.location, l.grades, l.extra FROM entry e JOIN told l ON l.joins = e.joins ORDER BY e.keeper"
)
_LABELS_OF_TABLE = (
    "SELECT e.keeper, l.location, l.grades, l.extra FROM meant JOIN entry e ON e.rowid = meant.entry "
    "JOIN told l ON l.number = meant.label ORDER BY e.keeper, l.row"
)


def _has_table(database: ImportDatabase) -> bool:
    return next(database.rows("SELECT 1 FROM label WHERE row IS NOT NULL LIMIT 1"), None) is not None


class _Lookahead:
    """Rows of a second query that is ordered by id like the first, returned id by id."""

    def __init__(self, rows: Iterator[tuple[Any, ...]]) -> None:
        self._groups = ((key, list(group)) for key, group in groupby(rows, key=itemgetter(0)))
        self._next = next(self._groups, None)

    def of(self, key: str) -> list[tuple[Any, ...]]:
        while self._next and self._next[0] < key:
            self._next = next(self._groups, None)
        return self._next[1] if self._next and self._next[0] == key else []


def _values(entry: Entry, joined: Sequence[tuple[Any, ...]]) -> tuple[tuple[int | None, ...], list[Fault]]:
    """Return the six labels of a row, from label files or else from its folders; contradictions are left open."""
    folders = [folder.split("/") for folder in entry.folders.split()]
    grades: dict[str, set[int]] = {column: set() for column in LABEL_COLUMNS}
    for row in joined:
        for column, value in zip(LABEL_COLUMNS, grades_of(row[2]), strict=True):
            if value is not None:
                grades[column].add(value)
    faults = []
    for column, grade in folders:
        if not joined:
            grades[column].add(int(grade))
        elif grades[column] and int(grade) not in grades[column]:
            detail = f"{column}: folder {grade}, label {_list(grades[column])}"
            faults.append(Fault("folder_disagrees", entry.name, entry.location, detail))
    if not any(grades.values()):
        faults.append(Fault("picture_without_label", entry.name, entry.location))
    for column, values in grades.items():
        if len(values) > 1:
            places = ", ".join(dict.fromkeys(str(row[1]) for row in joined)) or entry.folders
            detail = f"{column}: {_list(values)} ({places})"
            faults.append(Fault("conflicting_labels", entry.name, entry.location, detail))
    return tuple(next(iter(values)) if len(values) == 1 else None for values in grades.values()), faults


def _official(entry: Entry, words: Sequence[str]) -> tuple[str, list[Fault]]:
    """Return the publisher's split of a row: by its table, else by its folders; `test` counts wherever it is said.

    A word that is not understood stays as it is written, and a split that would follow it is refused.
    """
    marks = {word: official_part(word) for word in words}
    faults = [Fault("unknown_split", entry.name, entry.location, word) for word, part in marks.items() if part is None]
    folders = official_parts(entry.official)
    parts = {part or word for word, part in marks.items()} or folders
    return official_text(parts | (folders & {"test"})), faults


def _list(grades: set[int]) -> str:
    return ", ".join(str(grade) for grade in sorted(grades))


def _extra_columns(database: ImportDatabase) -> list[str]:
    """Return the names of all further facts in the tree, so that every batch has the same columns."""
    keys = database.rows(
        "SELECT DISTINCT key FROM (SELECT extra FROM meta UNION ALL SELECT extra FROM label WHERE extra IS NOT NULL), "
        "json_each(extra) ORDER BY key"
    )
    return [key for (key,) in keys if key.startswith(META)]


_TEXTS = ("id", "path", "site", "device", "capture", "region")


def _frame(rows: Sequence[_Row], metas: Sequence[str]) -> pd.DataFrame:
    # Types are given, not inferred: a column may be empty in one batch and filled in the next.
    texts: dict[str, list[str | None]] = {
        name: [row.extra.get(name) or getattr(row.entry, name) for row in rows] for name in _TEXTS
    }
    texts["official"] = [row.official or None for row in rows]
    texts["folders"] = [row.entry.folders or None for row in rows]
    texts |= {name: [row.extra.get(name) for row in rows] for name in metas}
    columns: dict[str, Any] = {name: pd.array(values, dtype="string") for name, values in texts.items()}
    columns |= {
        column: pd.array([row.values[place] for row in rows], dtype="Int8")
        for place, column in enumerate(LABEL_COLUMNS)
    }
    columns |= {
        "offset": pd.array([row.entry.offset for row in rows], dtype="Int64"),
        "length": pd.array([row.entry.length for row in rows], dtype="Int64"),
        "deflated": [bool(row.entry.deflated) for row in rows],
    }
    for place, name in enumerate(MEASURES):
        values = [row.entry.measures[place] for row in rows]
        columns[name] = np.array(values, dtype=np.int64).view(np.uint64) if name.startswith("look") else values
    return pd.DataFrame(columns)
