"""From everything an import has found to one row a picture: duplicates merged, labels joined, contradictions told.

Streams through the journal in the order of names, of contents and of ids, so memory does not grow with the tree. Knows
neither files nor pixels.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from scalp_core.data.aihub import picture_name
from scalp_core.data.dataset import LABEL_COLUMNS
from scalp_core.data.zip_files import Fault
from scalp_core.importing.container_reader import stem
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


# Columns of the journal's table of entries: the fields above, each measure by itself.
_ENTRY = (*Entry._fields[:-1], *(f"m_{name}" for name in MEASURES))


class MergeResult(NamedTuple):
    """A copy with what was seen of it."""

    copy: Copy
    error: str | None
    measures: tuple[Any, ...]

    @property
    def readable(self) -> bool:
        return self.measures[0] is not None


def merge(journal: ImportDatabase) -> None:
    """Make the journal's table of entries and the faults that only show when everything is known."""
    database = journal.database
    database.execute("BEGIN")
    database.execute("DELETE FROM fault WHERE container = 0")
    database.execute("DROP TABLE IF EXISTS entry")
    database.execute(f"CREATE TABLE entry ({', '.join(_ENTRY)})")
    entries = _entries(journal)
    while batch := list(islice(entries, _BATCH)):
        marks = ", ".join("?" * len(_ENTRY))
        database.executemany(
            f"INSERT INTO entry VALUES ({marks})",  # noqa: S608  question marks
            [(*one[:-1], *one.measures) for one in batch],
        )
    _settle_ids(journal)
    _merge_contents(journal)
    database.execute("CREATE INDEX entry_joins ON entry (joins)")
    database.execute("CREATE INDEX entry_id ON entry (id)")
    _tell_odd_sizes(journal)
    database.execute(
        "INSERT INTO fault SELECT 0, 'label_without_picture', name, location, '' FROM told "
        "WHERE joins NOT IN (SELECT joins FROM copy) GROUP BY joins"
    )
    database.execute("COMMIT")


def _entries(journal: ImportDatabase) -> Iterator[Entry]:
    width = len(Copy._fields)
    found = (MergeResult(Copy(*row[:width]), row[width], row[width + 1 :]) for row in journal.found_copies())
    for _, copies in groupby(found, key=lambda one: one.copy.identity):
        group = list(copies)
        chosen = next((one for one in group if one.readable), None)
        _tell(journal, _faults_of(group, chosen))
        if chosen:
            yield _entry(chosen, [one.copy for one in group])


def _faults_of(group: Sequence[MergeResult], chosen: MergeResult | None) -> Iterator[Fault]:
    for one in group:
        if one.error:
            yield Fault("bad_picture", one.copy.name, one.copy.location, one.error)
        if chosen and (one.copy.bytes != chosen.copy.bytes or one.measures[0] not in (None, chosen.measures[0])):
            yield Fault("same_name_other_content", one.copy.name, one.copy.location, chosen.copy.location)


def _entry(chosen: MergeResult, copies: Sequence[Copy]) -> Entry:
    copy, own = chosen.copy, stem(chosen.copy.name)
    named = picture_name(own)
    folders = sorted({f"{one.condition}/{one.grade}" for one in copies if one.condition and one.grade is not None})
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
        _united({one.official for one in copies if one.official}),
        *((named.site, named.device, named.capture, named.region) if named else ("", "", "", "")),
        chosen.measures,
    )


def _united(official: set[str]) -> str:
    return "both" if len(official) > 1 else "".join(official)


def _settle_ids(journal: ImportDatabase) -> None:
    """Short ids where they are unique, else longer ones; in the end every id is its own."""
    twice = "(SELECT id FROM entry GROUP BY id HAVING count(*) > 1)"
    journal.database.execute(f"UPDATE entry SET id = longer WHERE id IN {twice}")  # noqa: S608  a constant
    journal.database.execute(f"UPDATE entry SET id = id || '-' || rowid WHERE id IN {twice}")  # noqa: S608
    journal.database.execute("UPDATE entry SET keeper = id, capture = CASE capture WHEN '' THEN id ELSE capture END")


def _merge_contents(journal: ImportDatabase) -> None:
    """Equal content under several names is one picture: the smallest id stands for all."""
    equal = list(
        journal.rows(
            "SELECT m_sha256, rowid, id, name, location, folders, official FROM entry WHERE m_sha256 IN "
            "(SELECT m_sha256 FROM entry GROUP BY m_sha256 HAVING count(*) > 1) ORDER BY m_sha256, id"
        )
    )
    for _, alike in groupby(equal, key=itemgetter(0)):
        (_, kept, keeper, kept_name, *_), *others = group = list(alike)
        folders = sorted({folder for one in group for folder in one[5].split()})
        official = _united({part for one in group for part in _parts(one[6])})
        journal.database.execute(
            "UPDATE entry SET folders = ?, official = ? WHERE rowid = ?", (" ".join(folders), official, kept)
        )
        for _, rowid, _, name, location, *_ in others:
            journal.database.execute("UPDATE entry SET keeper = ? WHERE rowid = ?", (keeper, rowid))
            _tell(journal, [Fault("same_content", name, location, kept_name)])


def _parts(official: str) -> tuple[str, ...]:
    return ("train", "valid") if official == "both" else (official,) if official else ()


def _tell_odd_sizes(journal: ImportDatabase) -> None:
    sizes = journal.rows(
        "SELECT m_width, m_height FROM entry GROUP BY m_width, m_height ORDER BY count(*) DESC LIMIT 1"
    )
    for width, height in list(sizes):
        journal.database.execute(
            "INSERT INTO fault SELECT 0, 'odd_size', name, location, m_width || ' × ' || m_height FROM entry "
            "WHERE keeper = id AND (m_width <> ? OR m_height <> ?)",
            (width, height),
        )


def _tell(journal: ImportDatabase, faults: Iterable[Fault]) -> None:
    if told := [(one.kind, one.name, one.where, one.detail) for one in faults]:
        journal.database.executemany("INSERT INTO fault VALUES (0, ?, ?, ?, ?)", told)


# ---- rows ----


def batches(journal: ImportDatabase) -> Iterator[pd.DataFrame]:
    """The rows of the index in the order of ids, all but `part` and `look_alikes`; tells the faults of labels."""
    metas = _extra_columns(journal)
    rows = _rows(journal)
    journal.database.execute("BEGIN")
    while batch := list(islice(rows, _BATCH)):
        yield _frame(batch, metas)
    journal.database.execute("COMMIT")


class _Row(NamedTuple):
    entry: Entry
    values: tuple[int | None, ...]
    extra: dict[str, str]


def _rows(journal: ImportDatabase) -> Iterator[_Row]:
    entries = journal.rows(f"SELECT {', '.join(_ENTRY)} FROM entry WHERE keeper = id ORDER BY id")  # noqa: S608
    labels = _Following(
        journal.rows(
            "SELECT e.keeper, e.location, l.location, l.grades, l.extra FROM entry e "
            "JOIN told l ON l.joins = e.joins ORDER BY e.keeper"
        )
    )
    metas = _Following(
        journal.rows("SELECT e.keeper, m.extra FROM entry e JOIN meta m ON m.joins = e.joins ORDER BY e.keeper")
    )
    plain = len(_ENTRY) - len(MEASURES)
    for row in entries:
        entry = Entry._make((*row[:plain], row[plain:]))
        joined = [one for one in labels.of(entry.id) if _fits(str(one[1]), one[-1])]
        values, faults = _values(entry, joined)
        _tell(journal, faults)
        texts = [one[-1] for one in joined if one[-1]] + [one[-1] for one in metas.of(entry.id)]
        extra: dict[str, str] = {}
        for text in texts:
            extra |= json.loads(text)
        yield _Row(entry, values, extra)


class _Following:
    """Rows of a second query that is ordered by id like the first, handed out id by id."""

    def __init__(self, rows: Iterator[tuple[Any, ...]]) -> None:
        self._groups = ((key, list(group)) for key, group in groupby(rows, key=itemgetter(0)))
        self._next = next(self._groups, None)

    def of(self, key: str) -> list[tuple[Any, ...]]:
        while self._next and self._next[0] < key:
            self._next = next(self._groups, None)
        return self._next[1] if self._next and self._next[0] == key else []


def _fits(location: str, extra: str | None) -> bool:
    """Whether a row of a table means this picture: one that gives folders means the picture in these folders."""
    image = json.loads(extra).get("image", "") if extra else ""
    told = [part for part in image.split("/") if part not in ("", ".", "..")]
    there = stem(location).split("/")
    # A table may count from further up than the tree does: `images/1`, `../images/1`, `/data/images/1`, `C:/images/1`.
    both = min(len(told), len(there))
    return not both or told[-both:] == there[-both:]


def _values(entry: Entry, joined: Sequence[tuple[Any, ...]]) -> tuple[tuple[int | None, ...], list[Fault]]:
    """The six labels of a row, from label files or else from its folders; what contradicts itself is left open."""
    folders = [folder.split("/") for folder in entry.folders.split()]
    said: dict[str, set[int]] = {column: set() for column in LABEL_COLUMNS}
    for row in joined:
        for column, value in zip(LABEL_COLUMNS, grades_of(row[3]), strict=True):
            if value is not None:
                said[column].add(value)
    faults = []
    for column, grade in folders:
        if not joined:
            said[column].add(int(grade))
        elif said[column] and int(grade) not in said[column]:
            detail = f"{column}: folder {grade}, label {_list(said[column])}"
            faults.append(Fault("folder_disagrees", entry.name, entry.location, detail))
    if not joined and not folders:
        faults.append(Fault("picture_without_label", entry.name, entry.location))
    for column, grades in said.items():
        if len(grades) > 1:
            places = ", ".join(dict.fromkeys(str(row[2]) for row in joined)) or entry.folders
            detail = f"{column}: {_list(grades)} ({places})"
            faults.append(Fault("conflicting_labels", entry.name, entry.location, detail))
    return tuple(next(iter(grades)) if len(grades) == 1 else None for grades in said.values()), faults


def _list(grades: set[int]) -> str:
    return ", ".join(str(grade) for grade in sorted(grades))


def _extra_columns(journal: ImportDatabase) -> list[str]:
    """Names of all further facts anywhere in the tree, so that every batch has the same columns."""
    keys = journal.rows(
        "SELECT DISTINCT key FROM (SELECT extra FROM meta UNION ALL SELECT extra FROM label WHERE extra IS NOT NULL), "
        "json_each(extra) ORDER BY key"
    )
    return [key for (key,) in keys if key.startswith(META)]


_TEXTS = ("id", "path", "site", "device", "capture", "region")


def _frame(rows: Sequence[_Row], metas: Sequence[str]) -> pd.DataFrame:
    # Types are told rather than found: a batch may happen to know nothing where the next one knows something.
    texts: dict[str, list[str | None]] = {
        name: [row.extra.get(name) or getattr(row.entry, name) for row in rows] for name in _TEXTS
    }
    texts["official"] = [row.extra.get("official") or row.entry.official or None for row in rows]
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
        columns[name] = np.array(values, dtype=np.int64).view(np.uint64) if name == "look" else values
    return pd.DataFrame(columns)
