"""Audits the index of a dataset: leaks, gaps, contradictions, bad pictures."""

import math
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from scalp_core import terms
from scalp_core.data.aihub import official_parts
from scalp_core.data.audit_messages import Finding, FindingSeverity, finding, listed, percent, unknown
from scalp_core.data.dataset import PARTS, Dataset
from scalp_core.data.splits import marked_test
from scalp_core.errors import Text
from scalp_core.labels import CONDITIONS, GRADES, Condition, Severity

Flags = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.intp]
Grades = npt.NDArray[np.int8]
Values = npt.NDArray[np.float64]

# Images listed with a finding: more are not looked through.
MAX_IMAGES = 200

# Fewer normal images than this share with another condition present are as good as none.
_TRAP_SHARE = 0.01
# A grade with fewer images in a split says nothing there.
_MIN_IMAGES = 5
# Grades by which images that belong together must differ to be remarkable: neighbours are mixed up by people as well.
_APART = 2
# A picture is remarkable beyond an absolute limit, or this many standard deviations from the median and some way off
# it besides, so that a very even dataset is not full of outliers.
_DEVIATIONS = 4.0
_BLURRED, _BLURRED_OFF = 20.0, 0.5  # variance of the Laplacian, real pictures have 60–190; share of the median
_DARK, _BRIGHT, _LIGHTNESS_OFF = 20.0, 90.0, 10.0  # L*; real pictures have 60–69
_CLIPPED, _CLIPPED_OFF = 0.10, 0.05  # share of the area
_MANY = 0.01  # of the pictures: no longer a note but a warning
_CAST_OFF, _CAST_IMAGES = 5.0, 20  # CIE a*, b*; images of a device
_ASSOCIATED = 0.3  # Cramér's V

_OK, _NOTE, _WARNING, _ERROR = FindingSeverity


def audit(dataset: Dataset) -> list[Finding]:
    """Run all checks worth doing before training on a dataset; the worst findings come first, passed checks last."""
    checks: tuple[Callable[[Dataset], Iterator[Finding]], ...] = (
        check_parts,
        check_official,
        check_normal_images,
        check_gaps,
        check_labels,
        check_captures,
        check_quality,
        check_cast,
        check_association,
    )
    findings = [finding for check in checks for finding in check(dataset)]
    return sorted(findings, key=lambda finding: -finding.severity.rank)


# --- Columns as arrays ------------------------------------------------------------------------------------------------


def _codes(dataset: Dataset, column: str) -> Codes:
    """Return a number from 0 for each different value, -1 where the value is null or empty."""
    values = dataset.column(column)
    if isinstance(values.dtype, pd.CategoricalDtype):
        codes, names = values.cat.codes.to_numpy(dtype=np.intp), values.cat.categories
    else:
        codes, names = pd.factorize(values)
    empty = np.asarray(names == "", dtype=bool)
    return np.where(np.append(empty, False)[codes], -1, codes).astype(np.intp)


def _captures(dataset: Dataset) -> Codes:
    """Return a number for each capture, -1 where it is unknown: an import then takes the picture for one of its own."""
    alone = (dataset.column("capture") == dataset.column("id")).to_numpy(dtype=bool)
    return np.where(alone, -1, _codes(dataset, "capture"))


def _grades(dataset: Dataset, condition: Condition) -> Grades:
    """Return the grades 0–3 of all images, -1 where unlabelled."""
    return np.asarray(dataset.column(condition.value).fillna(-1).to_numpy(dtype=np.int8))


def _values(dataset: Dataset, column: str) -> Values:
    """Return the values of a measured column, NaN where there are none."""
    return np.asarray(dataset.column(column).to_numpy(dtype=np.float64, na_value=math.nan))


def _parts(dataset: Dataset) -> Codes:
    """Return the place of each image's split in PARTS."""
    column = dataset.column("part")
    places = [PARTS.index(name) for name in column.cat.categories]
    return np.array(places, dtype=np.intp)[column.cat.codes]


def _images(dataset: Dataset, flags: Flags, score: npt.NDArray[np.generic] | None = None) -> tuple[str, ...]:
    """Return the ids of flagged rows, those of the highest score first."""
    rows = np.flatnonzero(flags)
    if score is not None:
        rows = rows[np.argsort(-score[rows].astype(np.float64), kind="stable")]
    return tuple(dataset.column("id").iloc[rows[:MAX_IMAGES]])


# --- Leaks ------------------------------------------------------------------------------------------------------------

# Columns by which a model may recognise an image that it has seen something of.
_SHARED = {
    "sha256": ("overlap_content", _ERROR),
    "look_alikes": ("overlap_look_alikes", _ERROR),
    "capture": ("overlap_capture", _ERROR),
    "site": ("overlap_site", _WARNING),
}


def check_parts(dataset: Dataset) -> Iterator[Finding]:
    """Find images that share file, look, capture or site with one of an earlier split.

    Training is earlier than validation, calibration and test; for the test split the other two count as well, since
    the epoch and the operating point are selected on them.
    """
    for column, (key, severity) in _SHARED.items():
        if column not in dataset.columns:
            yield unknown(key)
            continue
        codes = _captures(dataset) if column == "capture" else _codes(dataset, column)
        if column != "look_alikes" and (codes < 0).all():
            yield unknown(key)
            continue
        yield _overlap(dataset, key, severity, codes)


def _overlap(dataset: Dataset, key: str, severity: FindingSeverity, codes: Codes) -> Finding:
    parts = _parts(dataset)
    shared = _seen_earlier(codes, parts)
    count = int(shared.sum())
    figures = _part_shares(parts, shared)
    return finding(
        key,
        severity if count else _OK,
        images=_images(dataset, shared, parts),
        count=count,
        whole=dataset.images,
        figures=figures,
        shares=listed([_part_share(row) for row in figures.to_dict("records")[::-1] if row["shared"]]),
    )


def _seen_earlier(codes: Codes, parts: Codes) -> Flags:
    """Return which images share their code with an image of an earlier split."""
    coded = codes >= 0
    first = np.full(codes.max(initial=-1) + 2, len(PARTS))  # the last one is for the unknown
    np.minimum.at(first, codes[coded], parts[coded])
    return np.asarray(first[codes] < parts)


def _part_shares(parts: Codes, shared: Flags) -> pd.DataFrame:
    images, of_them = (np.bincount(rows, minlength=len(PARTS)) for rows in (parts, parts[shared]))
    table = pd.DataFrame({"part": PARTS, "images": images, "shared": of_them})
    return table.assign(share=of_them / images.clip(1))[1:].reset_index(drop=True)


def _part_share(row: dict[Hashable, Any]) -> Text:
    part, share = terms.SPLITS[row["part"]], percent(row["shared"], row["images"])
    return Text(
        f"{row['shared']:,} of {row['images']:,} {part.en} pictures ({share.en})",
        f"{part.ko} 사진 {row['images']:,}장 중 {row['shared']:,}장({share.ko})",
    )


_SHARED_TEXT = {
    "file": Text("same file", "같은 파일"),
    "sha256": Text("same content", "같은 내용"),
    "look_alikes": Text("near-duplicate", "거의 같은 사진"),
    "capture": Text("same capture", "같은 촬영"),
    "site": Text("same site", "같은 기관"),
}


def check_official(dataset: Dataset) -> Iterator[Finding]:
    """Find test pictures that are learned from, and how far the publisher's test split overlaps its training split.

    Where the publisher has no test split, its validation split counts.
    """
    if "official" not in dataset.columns:
        return
    names = dataset.column("official")
    yield from _learned_test(dataset, marked_test(names))
    train, valid, test = (_marked(names, part) for part in ("train", "valid", "test"))
    part, judged = ("test", test) if test.any() else ("valid", valid)
    if not train.any() or not judged.any():
        return
    both = train & judged
    shared = {"file": both}
    for column in _SHARED:
        if column in dataset.columns:
            shared[column] = judged & (both | _shared_with(_codes(dataset, column), train))
    yield _official_overlap(dataset, part, int(judged.sum()), shared)


def _learned_test(dataset: Dataset, marked: Flags) -> Iterator[Finding]:
    """Find pictures that their publisher marked test outside the test split, where there are any so marked."""
    if marked.any():
        learned = marked & (_parts(dataset) != PARTS.index("test"))
        count, total = int(learned.sum()), int(marked.sum())
        severity = _ERROR if count else _OK
        yield finding("learned_test", severity, images=_images(dataset, learned), count=count, whole=total, total=total)


def _marked(names: pd.Series, part: str) -> Flags:
    return np.asarray(names.isin([text for text in names.dropna().unique() if part in official_parts(str(text))]))


def _shared_with(codes: Codes, among: Flags) -> Flags:
    """Return which images share their code with one of those flagged."""
    flagged = np.zeros(codes.max(initial=-1) + 2, dtype=bool)
    flagged[codes[among]] = True
    flagged[-1] = False  # the unknown
    return np.asarray(flagged[codes])


def _official_overlap(dataset: Dataset, part: str, total: int, shared: dict[str, Flags]) -> Finding:
    closeness = np.sum(list(shared.values()), axis=0)
    figures = pd.DataFrame(
        {"by": list(shared), "images": total, "shared": [int(flags.sum()) for flags in shared.values()]}
    )
    names = {by: percent(flags.sum(), total) for by, flags in shared.items()}
    return finding(
        "official_overlap",
        _WARNING if closeness.any() else _OK,
        images=_images(dataset, closeness > 0, closeness),
        count=int((closeness > 0).sum()),
        whole=total,
        figures=figures.assign(share=figures["shared"] / total),
        total=total,
        part=terms.SPLITS[part],
        shares=listed([_joined(_SHARED_TEXT[by], share) for by, share in names.items()]),
    )


def _joined(name: Text, value: Text) -> Text:
    return Text(f"{name.en} {value.en}", f"{name.ko} {value.ko}")


# --- Labels -----------------------------------------------------------------------------------------------------------


def check_normal_images(dataset: Dataset) -> Iterator[Finding]:
    """Find conditions whose grade 0 means "healthy in everything", as in trees sorted into folders.

    A model of such a condition never sees it absent while another is present.
    """
    if dataset.made.get("labels") == "folders":
        yield finding("folder_labels", _WARNING)
    grades = np.stack([_grades(dataset, condition) for condition in CONDITIONS])
    present, labelled = (grades > 0).sum(axis=0), (grades >= 0).sum(axis=0)
    figures, trapped, score = [], [], np.zeros(dataset.images, dtype=np.intp)
    for condition, own in zip(CONDITIONS, grades, strict=True):
        normal = (own == 0) & (labelled > 1)
        count, mixed = int(normal.sum()), int((normal & (present > 0)).sum())
        figures.append((condition.value, count, mixed, mixed / count if count else math.nan))
        if count and mixed <= _TRAP_SHARE * count and (present > (own > 0)).any():
            trapped.append(condition.text)
            score += normal & (present == 0)
    yield finding(
        "normal_images",
        _WARNING if trapped else _OK,
        images=_images(dataset, score > 0, score),
        count=int((score > 0).sum()),
        figures=pd.DataFrame(figures, columns=["condition", "normal", "another_present", "share"]),
        conditions=listed(trapped),
    )


def check_gaps(dataset: Dataset) -> Iterator[Finding]:
    """Find empty splits, and grades that a split lacks or has from few images or a single site only."""
    filled = set(dataset.column("part").unique())
    empty = [terms.SPLITS[part] for part in PARTS if part not in filled]
    yield finding("empty_parts", _ERROR if empty else _OK, count=len(empty), parts=listed(empty))
    cells = _cells(dataset)
    somewhere = cells.groupby(["condition", "grade"])["images"].transform("sum") > 0
    absent = cells[(cells["images"] == 0) & somewhere & cells["part"].isin(filled)]
    yield _grades_finding("absent_grades", _ERROR, absent)
    one_site = (cells["sites"] == 1) & (cells["sites"].max() > 1)
    rare = cells[(cells["images"] > 0) & ((cells["images"] < _MIN_IMAGES) | one_site)]
    rare = rare.sort_values("images", kind="stable")
    yield _grades_finding("rare_grades", _WARNING, rare, _images_of(dataset, rare))


def _cells(dataset: Dataset) -> pd.DataFrame:
    """Count images and sites by condition, grade and split, of the conditions that have labels."""
    parts, sites = _parts(dataset), _codes(dataset, "site")
    names = pd.MultiIndex.from_product([PARTS, [int(grade) for grade in GRADES]], names=["part", "grade"])
    tables = []
    for condition in CONDITIONS:
        grades = _grades(dataset, condition)
        cell = np.where(grades < 0, -1, parts * len(GRADES) + grades)
        located = (cell >= 0) & (sites >= 0)
        pairs = pd.unique(sites[located] * len(names) + cell[located])
        images = np.bincount(cell[cell >= 0], minlength=len(names))
        of_sites = np.bincount(pairs % len(names), minlength=len(names))
        tables.append(names.to_frame(False).assign(condition=condition.value, images=images, sites=of_sites))
    cells = pd.concat(tables, ignore_index=True)
    return cells[cells.groupby("condition")["images"].transform("sum") > 0]


def _grades_finding(key: str, severity: FindingSeverity, cells: pd.DataFrame, images: tuple[str, ...] = ()) -> Finding:
    return finding(
        key,
        _OK if cells.empty else severity,
        images=images,
        count=len(cells),
        figures=cells[["condition", "grade", "part", "images", "sites"]].reset_index(drop=True),
        grades=listed([_cell_text(cell) for cell in cells.to_dict("records")]),
        fewest=_MIN_IMAGES,
    )


def _cell_text(cell: dict[Hashable, Any]) -> Text:
    grade, part = _grade_text(Condition(cell["condition"]), Severity(cell["grade"])), terms.SPLITS[cell["part"]]
    return Text(f"{grade.en} in {part.en}", f"{part.ko}의 {grade.ko}")


def _grade_text(condition: Condition, grade: Severity) -> Text:
    return Text(f"{condition.text.en} “{grade.text.en}”", f"{condition.text.ko} ‘{grade.text.ko}’")


def _images_of(dataset: Dataset, cells: pd.DataFrame) -> tuple[str, ...]:
    """Return the ids of images in these cells, those of the rarest first."""
    parts, score = _parts(dataset), np.zeros(dataset.images)
    for cell in cells.to_dict("records"):
        flags = (_grades(dataset, Condition(cell["condition"])) == cell["grade"]) & (parts == PARTS.index(cell["part"]))
        score[flags] = np.maximum(score[flags], 1 / cell["images"])
    return _images(dataset, score > 0, score)


def check_labels(dataset: Dataset) -> Iterator[Finding]:
    """Find images without a label, conditions with one grade only, and grades that no image has."""
    grades = {condition: _grades(dataset, condition) for condition in CONDITIONS}
    counts = {condition: np.bincount(own + 1, minlength=1 + len(GRADES)) for condition, own in grades.items()}
    names = ["unlabelled", *(f"grade_{int(grade)}" for grade in GRADES)]
    figures = pd.DataFrame.from_dict(counts, orient="index", columns=names).rename_axis("condition").reset_index()
    missing = np.sum([own < 0 for own in grades.values()], axis=0)
    yield finding(
        "unlabelled",
        _NOTE if missing.any() else _OK,
        images=_images(dataset, missing > 0, missing),
        count=int((missing > 0).sum()),
        whole=dataset.images,
        figures=figures,
        total=dataset.images,
        conditions=listed([_joined(c.text, percent(own[0], own.sum())) for c, own in counts.items() if own[0]]),
    )
    used = {condition: int((own[1:] > 0).sum()) for condition, own in counts.items()}
    constant = [condition.text for condition in CONDITIONS if used[condition] == 1]
    yield finding(
        "constant_conditions", _WARNING if constant else _OK, count=len(constant), conditions=listed(constant)
    )
    unused = [_grade_text(c, grade) for c in CONDITIONS for grade in GRADES if used[c] > 1 and not counts[c][1 + grade]]
    yield finding("unused_grades", _WARNING if unused else _OK, count=len(unused), grades=listed(unused))


# --- Contradictions ---------------------------------------------------------------------------------------------------


def check_captures(dataset: Dataset) -> Iterator[Finding]:
    """Find grades of one condition that differ much within a capture, or even within one region of it."""
    captures, regions = _captures(dataset), _codes(dataset, "region")
    yield _disagreement(dataset, "capture_disagreement", _NOTE, captures)
    same = np.where((captures < 0) | (regions < 0), -1, captures * (regions.max(initial=0) + 1) + regions)
    yield _disagreement(dataset, "region_disagreement", _WARNING, same)


def _disagreement(dataset: Dataset, key: str, severity: FindingSeverity, groups: Codes) -> Finding:
    order = np.argsort(groups, kind="stable")[int((groups < 0).sum()) :]
    if not len(order):
        return unknown(key)
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    figures, compared, score = [], np.zeros(len(starts), dtype=bool), np.zeros(len(starts), dtype=np.intp)
    for condition in CONDITIONS:
        spread, several = _spread(_grades(dataset, condition)[order], starts)
        apart = several & (spread >= _APART)
        compared |= several
        score += np.where(apart, spread, 0)
        figures.append((condition.value, int(several.sum()), int(apart.sum()), apart.sum() / max(several.sum(), 1)))
    table = pd.DataFrame(figures, columns=["condition", "compared", "disagreeing", "share"])
    worst = max(figures, key=lambda row: row[3])
    scores = np.zeros(dataset.images, dtype=np.intp)
    scores[order] = np.repeat(score, np.diff(np.append(starts, len(order))))
    return finding(
        key,
        severity if score.any() else _OK,
        images=_images(dataset, scores > 0, scores),
        count=int((score > 0).sum()),
        whole=int(compared.sum()),
        figures=table,
        compared=int(compared.sum()),
        apart=_APART,
        condition=Condition(worst[0]).text,
        share=percent(worst[2], worst[1]),
    )


def _spread(grades: Grades, starts: Codes) -> tuple[npt.NDArray[np.int8], Flags]:
    """Return the highest less the lowest grade of each group of rows, and whether two images or more are labelled."""
    highest = np.maximum.reduceat(grades, starts)
    lowest = np.minimum.reduceat(np.where(grades < 0, np.int8(len(GRADES)), grades), starts)
    return highest - lowest, np.add.reduceat(grades >= 0, starts, dtype=np.intp) > 1


# --- Pictures ---------------------------------------------------------------------------------------------------------


def _deviation(values: Values) -> float:
    """Return a standard deviation that outliers do not move: 1.4826 times the median absolute deviation."""
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))


def _least_sharpness(values: Values) -> float:
    logarithms = np.log(np.maximum(values, 1e-3))  # it varies by factors
    far = math.exp(float(np.median(logarithms)) - _DEVIATIONS * _deviation(logarithms))
    return max(_BLURRED, min(far, _BLURRED_OFF * float(np.median(values))))


def _least_lightness(values: Values) -> float:
    return max(_DARK, float(np.median(values)) - max(_DEVIATIONS * _deviation(values), _LIGHTNESS_OFF))


def _most_lightness(values: Values) -> float:
    return min(_BRIGHT, float(np.median(values)) + max(_DEVIATIONS * _deviation(values), _LIGHTNESS_OFF))


def _most_clipped(values: Values) -> float:
    return min(_CLIPPED, float(np.median(values)) + max(_DEVIATIONS * _deviation(values), _CLIPPED_OFF))


@dataclass(frozen=True)
class _Quality:
    """A measure, its limit among the values of a dataset, and the side of it on which pictures are bad."""

    key: str
    column: str
    limit: Callable[[Values], float]
    above: bool


_QUALITIES = (
    _Quality("blurred", "sharpness", _least_sharpness, above=False),
    _Quality("dark", "lightness", _least_lightness, above=False),
    _Quality("bright", "lightness", _most_lightness, above=True),
    _Quality("clipped", "clipped", _most_clipped, above=True),
)


def check_quality(dataset: Dataset) -> Iterator[Finding]:
    """Find pictures that cannot be read, are blurred, dark, bright or clipped, or have another size than most."""
    if not {"width", "height", *(quality.column for quality in _QUALITIES)} <= set(dataset.columns):
        yield unknown("quality")
        return
    unread = np.isnan(_values(dataset, "width"))
    count = int(unread.sum())
    severity = _ERROR if count else _OK
    yield finding(
        "unreadable", severity, images=_images(dataset, unread), count=count, whole=len(unread), total=len(unread)
    )
    if count < len(unread):
        yield from (_outliers(dataset, quality) for quality in _QUALITIES)
        yield _odd_sizes(dataset)


def _outliers(dataset: Dataset, quality: _Quality) -> Finding:
    values = _values(dataset, quality.column)
    measured = values[~np.isnan(values)]
    limit, median = quality.limit(measured), float(np.median(measured))
    bad = values > limit if quality.above else values < limit  # never true of what is not a number
    count = int(bad.sum())
    return finding(
        quality.key,
        _more_than_a_note(count, len(measured)),
        images=_images(dataset, bad, values if quality.above else -values),
        count=count,
        whole=len(measured),
        figures=pd.DataFrame({"measure": [quality.column], "limit": [limit], "median": [median], "images": [count]}),
        total=len(measured),
        share=percent(count, len(measured)),
        limit=limit,
        median=median,
    )


def _more_than_a_note(count: int, total: int) -> FindingSeverity:
    if not count:
        return _OK
    return _WARNING if count > _MANY * total else _NOTE


def _odd_sizes(dataset: Dataset) -> Finding:
    sizes = pd.DataFrame({"width": _values(dataset, "width"), "height": _values(dataset, "height")})
    figures = sizes.value_counts().rename("images").reset_index().astype(int)
    width, height = int(figures["width"][0]), int(figures["height"][0])
    odd = (sizes.notna().all(axis=1) & ((sizes["width"] != width) | (sizes["height"] != height))).to_numpy()
    count, total = int(odd.sum()), int(figures["images"].sum())
    return finding(
        "odd_size",
        _more_than_a_note(count, total),
        images=_images(dataset, odd, (sizes["width"] * sizes["height"] - width * height).abs().to_numpy()),
        count=count,
        whole=total,
        figures=figures.head(MAX_IMAGES),
        total=total,
        share=percent(count, total),
        width=width,
        height=height,
    )


# --- Devices and sites ------------------------------------------------------------------------------------------------


def check_cast(dataset: Dataset) -> Iterator[Finding]:
    """Find devices whose pictures have another colour cast than those of all together."""
    if not {"cast_red", "cast_yellow"} <= set(dataset.columns):
        yield unknown("device_cast")
        return
    codes = _codes(dataset, "device")
    if (codes < 0).all():
        yield unknown("device_cast")
        return
    figures = _device_casts(dataset, codes)
    differing = figures[(figures["images"] >= _CAST_IMAGES) & (figures["difference"] > _CAST_OFF)]
    difference = np.zeros(codes.max() + 2)  # the last one is for the unknown
    difference[differing.index] = differing["difference"]
    yield finding(
        "device_cast",
        _OK if differing.empty else _WARNING,
        images=_images(dataset, difference[codes] > 0, difference[codes]),
        count=int((difference[codes] > 0).sum()),
        whole=dataset.images,
        figures=figures.reset_index(drop=True),
        differing=len(differing),
        total=len(figures),
        off=_CAST_OFF,
        fewest=_CAST_IMAGES,
        devices=listed([Text(name, name) for name in differing["device"]], limit=3),
    )


def _device_casts(dataset: Dataset, codes: Codes) -> pd.DataFrame:
    """Return the images, the median cast and its distance from that of all images by device, the farthest first."""
    casts = pd.DataFrame({name: _values(dataset, name) for name in ("cast_red", "cast_yellow")})
    figures = casts[codes >= 0].groupby(codes[codes >= 0]).median()
    names = dataset.column("device").cat.categories[figures.index]
    off = figures - casts.median()
    figures["images"] = np.bincount(codes[codes >= 0])[figures.index]
    figures["difference"] = np.hypot(off["cast_red"], off["cast_yellow"])
    figures.insert(0, "device", names.astype(str))
    return figures.sort_values("difference", ascending=False, kind="stable")


def check_association(dataset: Dataset) -> Iterator[Finding]:
    """Find grades that device or site predicts, so that a model may learn them instead of the scalp."""
    for column in ("device", "site"):
        codes = _codes(dataset, column)
        if (codes < 0).all():
            yield unknown(f"{column}_association")
            continue
        values = {condition: cramers_v(codes, _grades(dataset, condition)) for condition in CONDITIONS}
        strong = sorted((c for c in CONDITIONS if values[c] > _ASSOCIATED), key=lambda condition: -values[condition])
        yield finding(
            f"{column}_association",
            _NOTE if strong else _OK,
            count=len(strong),
            figures=pd.DataFrame({"condition": list(values), "cramers_v": list(values.values())}),
            limit=_ASSOCIATED,
            conditions=listed([Text(f"{c.text.en} {values[c]:.2f}", f"{c.text.ko} {values[c]:.2f}") for c in strong]),
        )


def cramers_v(codes: Codes, grades: Grades) -> float:
    """Return Cramér's V of two nominal columns, corrected for bias (Bergsma 2013), 0–1; negative codes are left out.

    Without the correction a hundred devices of thirty images each would seem to predict anything. NaN where either
    column has one value only.
    """
    valid = (codes >= 0) & (grades >= 0)
    cells = codes[valid] * len(GRADES) + grades[valid]
    size = (int(codes.max(initial=-1)) + 1) * len(GRADES)
    table = np.bincount(cells, minlength=size).reshape(-1, len(GRADES)).astype(np.float64)
    table = table[table.any(axis=1)][:, table.any(axis=0)]
    rows, columns = table.shape
    if min(rows, columns) < 2:
        return math.nan
    total = table.sum()
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / total
    squared = float((np.square(table - expected) / expected).sum() / total) - (rows - 1) * (columns - 1) / (total - 1)
    fewest = min(size - (size - 1) ** 2 / (total - 1) for size in (rows, columns)) - 1
    return math.sqrt(max(0.0, squared) / fewest) if fewest > 0 else math.nan
