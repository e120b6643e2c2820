"""An audit finds each planted fault, with the right images and figures, and nothing in a dataset without faults."""

import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from conftest import Folders

from scalp_core.data.audit import MAX_IMAGES, audit, cramers_v
from scalp_core.data.audit_messages import Finding, FindingSeverity, as_json
from scalp_core.data.dataset import LABEL_COLUMNS, PARTS, Dataset
from scalp_core.data.index_writer import write_dataset

Change = Callable[[pd.DataFrame], object]
MEASURES = ("bytes", "width", "height", "sharpness", "lightness", "clipped", "cast_red", "cast_yellow", "look")


def faultless() -> pd.DataFrame:
    """640 images: four parts of two sites, 40 captures a site, two regions a capture with the same grades."""
    images = np.arange(640)
    capture, site = images // 2, images // 80
    generator = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "id": [f"p{number:04d}" for number in images],
            "path": [f"p{number:04d}.jpg" for number in images],
            "sha256": [f"{number:064x}" for number in images],
            "site": [f"s{number}" for number in site],
            "device": [f"d{number % 3}" for number in capture],
            "capture": [f"c{number:03d}" for number in capture],
            "region": np.where(images % 2, "TH", "BH"),
            "part": np.array(PARTS)[site // 2],
        }
    )
    for column in LABEL_COLUMNS:
        table[column] = pd.array(generator.integers(0, 4, 320)[capture], dtype="Int8")
    noise = {name: generator.normal(0, 1, 640) for name in ("sharpness", "lightness", "cast_red", "cast_yellow")}
    return table.assign(
        bytes=200_000,
        width=640,
        height=480,
        sharpness=100 + 5 * noise["sharpness"],
        lightness=62 + noise["lightness"],
        clipped=0.001,
        cast_red=3 + noise["cast_red"],
        cast_yellow=8 + noise["cast_yellow"],
        look=generator.integers(1, 2**64, 640, dtype=np.uint64),
        look_alikes=pd.array([pd.NA] * 640, dtype="Int32"),
    )


@pytest.fixture
def build(folders: Folders) -> Callable[..., Dataset]:
    def make(change: Change | None = None, described: dict[str, object] | None = None) -> Dataset:
        table = faultless()
        if change:
            changed = change(table)
            table = changed if isinstance(changed, pd.DataFrame) else table
        return write_dataset(folders.data / "mine", "csv", described or {}, table)

    return make


def findings_of(dataset: Dataset) -> dict[str, Finding]:
    return {finding.key: finding for finding in audit(dataset)}


def amiss(dataset: Dataset) -> dict[str, FindingSeverity]:
    return {key: finding.severity for key, finding in findings_of(dataset).items() if finding.severity != "ok"}


def put(column: str, rows: object, value: object) -> Change:
    def change(table: pd.DataFrame) -> None:
        table.loc[rows, column] = value

    return change


def test_nothing_is_found_in_a_faultless_data_set(build: Callable[..., Dataset]) -> None:
    dataset = build()
    assert amiss(dataset) == {}
    for finding in audit(dataset):
        assert (finding.count, finding.images) == (0, ()), finding.key


def test_the_worst_comes_first(build: Callable[..., Dataset]) -> None:
    def change(table: pd.DataFrame) -> None:
        table.loc[0, "sharpness"] = 1
        table.loc[600, "sha256"] = table.loc[0, "sha256"]
        table.loc[table["site"] == "s7", "site"] = "s0"

    severities = [finding.severity.value for finding in audit(build(change))]
    assert severities[:3] == ["error", "warning", "note"]
    assert set(severities[3:]) == {"ok"}


# --- Leaks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "key", "severity"),
    [
        ("sha256", "overlap_content", "error"),
        ("look_alikes", "overlap_look_alikes", "error"),
        ("capture", "overlap_capture", "error"),
        ("site", "overlap_site", "warning"),
    ],
)
def test_what_test_part_shares_with_training_is_found(
    build: Callable[..., Dataset], column: str, key: str, severity: str
) -> None:
    def change(table: pd.DataFrame) -> None:
        table.loc[[0, 500, 639], column] = 7 if column == "look_alikes" else table.loc[0, column]

    finding = findings_of(build(change))[key]
    assert (finding.severity.value, finding.images, finding.count) == (severity, ("p0500", "p0639"), 2)
    assert "2 of 160 test pictures (1.2%)" in finding.text.en
    assert "테스트 사진 160장 중 2장(1.2%)" in finding.text.ko
    assert list(finding.figures["shared"]) == [0, 0, 2]


def test_test_pictures_leak_into_no_other_split(build: Callable[..., Dataset]) -> None:
    finding = findings_of(build(put("look_alikes", [200, 201, 400, 500], [3, 3, 4, 4])))["overlap_look_alikes"]
    assert finding.images == ("p0500",), "near-duplicates within a part are no leak"


def test_nothing_is_said_of_unknown_fields(build: Callable[..., Dataset]) -> None:
    unknown = findings_of(build(lambda table: table.assign(capture=table["id"], site="", device="")))
    keys = ("overlap_capture", "capture_disagreement", "region_disagreement", "site_association", "device_association")
    for key in keys:
        assert unknown[key].severity == "note", key
        assert "Not checked" in unknown[key].text.en


def test_what_is_unknown_is_not_taken_for_shared(build: Callable[..., Dataset]) -> None:
    assert "overlap_capture" not in amiss(build(put("capture", slice(0, 600, 50), "")))
    unknown = findings_of(build(lambda table: table.assign(capture="", site=None)))
    for key in ("overlap_capture", "overlap_site", "capture_disagreement", "region_disagreement"):
        assert unknown[key].severity == "note"
        assert "Not checked" in unknown[key].text.en


def test_overlap_of_publisher_s_split_is_measured(build: Callable[..., Dataset]) -> None:
    def change(table: pd.DataFrame) -> None:
        table["official"] = "train"
        table.loc[0:9, "official"] = "both"  # captures 0 to 4
        table.loc[10:49, "official"] = "valid"
        table.loc[50:50, "official"] = "valid"  # half of a capture
        table.loc[49, "sha256"] = table.loc[60, "sha256"]
        table.loc[[48, 61], "look_alikes"] = 0

    finding = findings_of(build(change))["official_overlap"]
    assert dict(zip(finding.figures["by"], finding.figures["shared"], strict=True)) == {
        "file": 10,
        "sha256": 11,
        "look_alikes": 11,
        "capture": 11,
        "site": 51,
    }
    assert finding.severity == "warning"
    assert "51 published validation pictures" in finding.text.en
    assert "19.6%" in finding.text.ko
    assert set(finding.images[:10]) == {f"p{number:04d}" for number in range(10)}


def test_test_pictures_that_are_learned_from_are_found(build: Callable[..., Dataset]) -> None:
    findings = findings_of(build(lambda table: table.assign(official=["test"] * 2 + ["train"] * (len(table) - 2))))
    finding = findings["learned_test"]
    assert (finding.severity.value, finding.images) == ("error", ("p0000", "p0001"))
    assert "published test pictures" in findings["official_overlap"].text.en


def test_a_publisher_without_a_split_is_no_finding(build: Callable[..., Dataset]) -> None:
    assert "official_overlap" not in findings_of(build())
    assert "official_overlap" not in findings_of(build(lambda table: table.assign(official="train")))


# --- Labels -----------------------------------------------------------------------------------------------------------


def healthy_in_everything(table: pd.DataFrame) -> None:
    """Label as a tree sorted into folders does: grade 0 of hair loss only where everything is 0."""
    labels = table[list(LABEL_COLUMNS)]
    table["value_6"] = labels["value_6"].mask((labels["value_6"] == 0) & (labels.max(axis=1) > 0), 1)
    table.loc[[0, 1, 100, 101, 200, 201, 400, 401], list(LABEL_COLUMNS)] = 0


def test_folder_label_trap_is_found_for_its_condition(build: Callable[..., Dataset]) -> None:
    finding = findings_of(build(healthy_in_everything))["normal_images"]
    assert finding.severity == "warning"
    assert finding.text.en.endswith(
        "hair loss. A model never sees another condition without this one and will confuse them."
    )
    assert "탈모" in finding.text.ko
    assert "비듬" not in finding.text.ko
    assert set(finding.images) >= {"p0000", "p0400"}
    assert finding.count == len(finding.images) == finding.figures.set_index("condition").loc["value_6", "normal"]


def test_few_images_with_another_condition_are_no_trap(build: Callable[..., Dataset]) -> None:
    def change(table: pd.DataFrame) -> None:
        healthy_in_everything(table)
        table.loc[[0, 1], "value_3"] = 2

    assert "normal_images" not in amiss(build(change))


def test_a_single_labelled_condition_is_no_trap(build: Callable[..., Dataset]) -> None:
    assert "normal_images" not in amiss(build(lambda table: table.assign(**dict.fromkeys(LABEL_COLUMNS[1:], pd.NA))))


def test_labels_from_folders_are_warned_about(build: Callable[..., Dataset]) -> None:
    assert amiss(build(described={"labels": "folders"})) == {"folder_labels": "warning"}
    assert amiss(build(described={"labels": "files"})) == {}


def test_absent_grade_is_error_rare_one_warning(build: Callable[..., Dataset]) -> None:
    def change(table: pd.DataFrame) -> None:
        test, valid = table["part"] == "test", table["part"] == "valid"
        table.loc[test & (table["value_4"] == 3), "value_4"] = 2
        pair = table.index[valid & (table["value_1"] == 2)]
        table.loc[pair[4:], "value_1"] = 1
        table.loc[(table["site"] == "s0") & (table["value_6"] == 3), "value_6"] = 2

    dataset = build(change)
    absent, rare = findings_of(dataset)["absent_grades"], findings_of(dataset)["rare_grades"]
    assert (absent.severity.value, rare.severity.value) == ("error", "warning")
    assert "“severe” in test" in absent.text.en
    assert "테스트의 모낭홍반/농포 ‘중증’" in absent.text.ko
    cells = rare.figures[["condition", "grade", "part", "images", "sites"]].to_numpy().tolist()
    assert cells[0][:4] == ["value_1", 2, "valid", 4]
    assert ["value_6", 3, "train"] in [cell[:3] for cell in cells]
    assert len(rare.images) >= 4


def test_single_site_is_reported_once(build: Callable[..., Dataset]) -> None:
    assert "rare_grades" not in amiss(build(lambda table: table.assign(site="one")))


def test_a_part_without_images_is_an_error_once(build: Callable[..., Dataset]) -> None:
    dataset = build(lambda table: table.assign(part=table["part"].replace("calib", "test")))
    assert amiss(dataset) == {"empty_parts": "error"}
    assert "calibration" in findings_of(dataset)["empty_parts"].text.en


def test_missing_constant_and_unused_labels_are_told_apart(build: Callable[..., Dataset]) -> None:
    def change(table: pd.DataFrame) -> None:
        table["value_1"] = pd.array([pd.NA] * len(table), dtype="Int8")
        table.loc[639, "value_2"] = pd.NA
        table["value_3"] = 1
        table["value_5"] = table["value_5"].replace(3, 2)

    findings = findings_of(build(change))
    missing = findings["unlabelled"]
    assert (missing.severity.value, missing.count, missing.images[0]) == ("note", 640, "p0639")
    assert "fine scaling 100.0%, excess sebum 0.2%" in missing.text.en
    assert findings["constant_conditions"].count == 1
    assert "모낭사이홍반" in findings["constant_conditions"].text.ko
    assert findings["unused_grades"].text.en.startswith("Without pictures: dandruff “severe”.")
    assert findings["absent_grades"].severity == "ok", "absent everywhere is said once"


# --- Contradictions ---------------------------------------------------------------------------------------------------


def test_regions_may_differ_but_one_region_hardly(build: Callable[..., Dataset]) -> None:
    def change(table: pd.DataFrame) -> None:
        table["value_2"] = 1
        table.loc[10:11, "value_2"] = [0, 2]
        table.loc[20:21, "value_2"] = [3, 0]
        table.loc[21, "region"] = table.loc[20, "region"]
        table.loc[30, "value_2"] = pd.NA
        table.loc[40, "value_2"] = 2

    findings = findings_of(build(change))
    capture, region = findings["capture_disagreement"], findings["region_disagreement"]
    assert (capture.severity.value, capture.count) == ("note", 2)
    assert capture.images == ("p0020", "p0021", "p0010", "p0011"), "the widest apart first, captures together"
    assert (region.severity.value, region.count, region.images) == ("warning", 1, ("p0020", "p0021"))
    assert "in 2 of 320 captures" in capture.text.en
    assert "excess sebum (0.6%)" in capture.text.en
    assert capture.figures.set_index("condition").loc["value_2", "compared"] == 319


# --- Pictures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "values", "key"),
    [
        ("sharpness", (15.0, 3.0), "blurred"),
        ("sharpness", (40.0, 30.0), "blurred"),  # no trouble elsewhere, but far below all others here
        ("lightness", (45.0, 10.0), "dark"),
        ("lightness", (80.0, 95.0), "bright"),
        ("clipped", (0.2, 0.9), "clipped"),
        ("width", (641, 1280), "odd_size"),
    ],
)
def test_bad_pictures_are_found_the_worst_first(
    build: Callable[..., Dataset], column: str, values: tuple[float, float], key: str
) -> None:
    dataset = build(put(column, [7, 300], list(values)))
    assert amiss(dataset) == {key: "note"}
    assert findings_of(dataset)[key].images == ("p0300", "p0007")
    assert "2 of 640" in findings_of(dataset)[key].text.en
    assert "640장 중 2장(0.3%)" in findings_of(dataset)[key].text.ko


def test_many_bad_pictures_are_partly_listed(build: Callable[..., Dataset]) -> None:
    finding = findings_of(build(put("sharpness", slice(0, 299), 5.0)))["blurred"]
    assert (finding.severity.value, finding.count, len(finding.images)) == ("warning", 300, MAX_IMAGES)


def test_an_even_data_set_has_no_outliers(build: Callable[..., Dataset]) -> None:
    def change(table: pd.DataFrame) -> pd.DataFrame:
        even = table.assign(sharpness=100.0, lightness=62.0, clipped=0.0)
        even.loc[0, ["sharpness", "lightness", "clipped"]] = (90.0, 64.0, 0.01)
        return even

    assert amiss(build(change)) == {}


def test_unreadable_pictures_are_an_error_and_break_nothing(build: Callable[..., Dataset]) -> None:
    def change(table: pd.DataFrame) -> pd.DataFrame:
        table = table.astype({"width": "Int32", "height": "Int32", "bytes": "Int64", "look": "UInt64"})
        table.loc[[3, 5], list(MEASURES)] = pd.NA
        return table

    dataset = build(change)
    assert amiss(dataset) == {"unreadable": "error"}
    assert findings_of(dataset)["unreadable"].images == ("p0003", "p0005")


def test_data_set_without_readable_picture_is_audited(build: Callable[..., Dataset]) -> None:
    def change(table: pd.DataFrame) -> pd.DataFrame:
        return table.assign(**dict.fromkeys(MEASURES, np.nan))

    dataset = build(change)
    assert findings_of(dataset)["unreadable"].count == 640
    json.dumps([as_json(finding) for finding in audit(dataset)], allow_nan=False)


# --- Devices and sites ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("images", "severity"), [(20, "warning"), (19, "ok")])
def test_device_with_another_colour_is_found(build: Callable[..., Dataset], images: int, severity: str) -> None:
    def change(table: pd.DataFrame) -> None:
        table.loc[: images - 1, "device"] = "green"
        table.loc[: images - 1, "cast_red"] -= 8

    finding = findings_of(build(change))["device_cast"]
    assert finding.severity.value == severity
    assert finding.figures["device"][0] == "green"
    assert finding.figures["difference"][0] == pytest.approx(8, abs=1)
    if severity == "warning":
        assert finding.images == tuple(f"p{number:04d}" for number in range(images))
        assert "1 of 4 devices" in finding.text.en


def test_a_device_that_tells_the_grade_is_noted(build: Callable[..., Dataset]) -> None:
    dataset = build(lambda table: table.assign(device="d" + table["value_6"].astype(str)))
    assert amiss(dataset) == {"device_association": "note"}
    assert "hair loss 1.00" in findings_of(dataset)["device_association"].text.en


def test_cramers_v_is_one_or_zero() -> None:
    generator = np.random.default_rng(0)
    grades = generator.integers(0, 4, 3000).astype(np.int8)
    assert cramers_v(grades.astype(np.intp), grades) == pytest.approx(1, abs=0.01)
    assert cramers_v(generator.integers(0, 300, 3000), grades) < 0.1
    # Half of the images decided by the code: V is 0.5 by definition.
    half = np.where(generator.random(100_000) < 0.5, 1, 0)
    codes = generator.integers(0, 4, 100_000)
    mixed = np.where(half, codes, generator.integers(0, 4, 100_000)).astype(np.int8)
    assert cramers_v(codes, mixed) == pytest.approx(0.5, abs=0.01)
    assert np.isnan(cramers_v(np.zeros(10, dtype=np.intp), grades[:10]))
    assert np.isnan(cramers_v(np.full(10, -1, dtype=np.intp), grades[:10]))


def test_every_finding_becomes_json(build: Callable[..., Dataset]) -> None:
    for finding in audit(build(put("sharpness", 0, 1.0))):
        as_read = json.loads(json.dumps(as_json(finding), allow_nan=False))
        assert as_read["text"] == {"en": finding.text.en, "ko": finding.text.ko}
        assert as_read["title"]["ko"]
        assert as_read["images"] == list(finding.images)
