"""The page that grades pictures, as a visitor drives it without a browser, on tiny real runs."""

import io
import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import Folders, Trained, labels_of, promote_everywhere
from PIL import Image, ImageFilter
from streamlit.testing.v1 import AppTest
from support.app_driver import (
    LANGUAGES,
    Downloads,
    assert_healthy,
    capture_downloads,
    galleries,
    open_page,
    page_text,
    texts,
    unescape,
)
from support.sharpness_gate import measured_sharpness, write_sharpness_gate

from scalp_core.inference import predict, uploads
from scalp_core.inference.evidence import evidence_for, local_grade
from scalp_core.inference.gate_limits import FARTHEST
from scalp_core.inference.predict import Answer
from scalp_core.labels import CONDITIONS, DEFAULT_THRESHOLD, Condition, Severity
from scalp_core.rest.schemas import predict_all_response
from scalp_core.runs.run import Run
from scalp_core.terms import REGIONS
from ui.diagnose.provenance import api_address, in_powers_of_ten
from ui.words import Say

DAMAGED = b"\xff\xd8\xff\xe0 not much of a JPEG"


def pictures(at: AppTest) -> list[dict]:
    """The content of each picture with its six cards; one or none."""
    protos = [node.proto for node in at if node.type == "bidi_component"]
    return [json.loads(proto.json) for proto in protos if proto.component_name.endswith("scalp_graded_picture")]


def cards(at: AppTest) -> dict[str, dict]:
    """The cards by condition, in the order of the page."""
    (picture,) = pictures(at)
    return {card["key"]: card for card in picture["cards"]}


def graded(at: AppTest) -> list[str]:
    return [cards(at)[condition.value]["gradeName"] for condition in CONDITIONS]


def names(answer: Answer, language: str = "en") -> list[str]:
    return [grading.grade.text(language) for grading in answer.gradings.values()]


def grid(at: AppTest, key: str) -> list[dict]:
    """The rows of a table of coloured grades, the titles of its blocks beside them as `title`."""
    protos = [
        node.proto for node in at if node.type == "bidi_component" and "scalp_grade_table" in node.proto.component_name
    ]
    (result,) = (json.loads(proto.json) for proto in protos if proto.id.endswith(f"-{key}"))
    return [row | {"title": block["title"]} for block in result["blocks"] for row in block["rows"]]


def grades_in(row: dict) -> list[str]:
    return [cell["text"] for cell in row["cells"]]


def numbers(answer: Answer) -> list[str]:
    return [str(int(grading.grade)) for grading in answer.gradings.values()]


def upload(at: AppTest, *files: tuple[str, bytes], key: str = "upload") -> AppTest:
    uploader = at.file_uploader(key=key)
    for name, content in files:
        uploader.upload(name, content)
    return at.run()


def others(trained: Trained, count: int) -> list[bytes]:
    """Different pictures of the dataset."""
    return [trained.dataset.read(image) for image in trained.dataset.column("id")[:count]]


def zipped(files: dict[str, bytes]) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return written.getvalue()


@pytest.fixture
def downloads(monkeypatch: pytest.MonkeyPatch) -> Downloads:
    return capture_downloads(monkeypatch)


# One picture.


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_upload_is_graded(trained: Trained, downloads: Downloads, language: str) -> None:
    say = Say(language)
    at = assert_healthy(open_page("diagnose", language))
    assert pictures(at) == []
    assert len(galleries(at)["examples"]) > 1
    assert say("upload_privacy", most=100, size=200).replace("`", "") in page_text(at).replace("`", "")
    at = assert_healthy(upload(at, ("두피.jpg", trained.picture)))
    answer = predict.grade(trained.picture)
    assert graded(at) == names(answer, language)
    grades = [card["grade"] for card in cards(at).values()]
    assert grades == sorted(grades, reverse=True)
    document = json.loads(downloads.offered["scalp-grades.json"]())
    assert document == predict_all_response(answer).model_dump(mode="json", exclude_none=True)
    assert document["intended_use"] == "research_only"
    assert say("diagnose_synthetic") in texts(at.markdown)
    assert say("diagnose_type", name=answer.scalp_type.text(language)) in texts(at.markdown)
    at.session_state["provenance"] = True
    assert say.text("diagnose_answered", runs="`tiny` (test_efficientnet)") in texts(at.run().markdown)


def test_what_is_taken_along_says_the_same(trained: Trained, downloads: Downloads) -> None:
    assert_healthy(upload(open_page("diagnose", "ko"), ("두피.jpg", trained.picture)))
    answer = predict.grade(trained.picture)
    table = downloads.table("scalp-grades.csv")
    assert list(table["path"]) == ["두피.jpg"]
    assert [table[f"{condition}_grade"][0] for condition in CONDITIONS] == numbers(answer)
    report = downloads.offered["scalp-report.html"]().decode()
    assert "두피.jpg" in report
    assert answer.scalp_type.text("ko") in report


def test_a_client_is_told_how_to_ask(trained: Trained) -> None:
    at = upload(open_page("diagnose"), ("a.jpg", trained.picture))
    at.session_state["provenance"] = True
    assert_healthy(at.run())
    command, entries = [code.value for code in at.main.code]
    assert command.startswith('curl -F "image=@scalp.jpg" "http')
    assert json.loads(entries)["value_1"][0]["run"] == "tiny"
    assert api_address("https://lab.example:8443/Diagnose?lang=ko") == "https://lab.example:8443/api/predict_all"


def test_page_and_rest_are_seen_to_agree(trained: Trained) -> None:
    at = upload(open_page("diagnose"), ("a.jpg", trained.picture))
    at.session_state["provenance"] = True
    assert_healthy(at.run())
    (message,) = (text for text in texts(at.caption) if text.startswith("✓ REST agrees"))
    assert Say("en")("parity_rest", difference="0") in message
    assert [in_powers_of_ten(value) for value in (0.0, 3.4e-7, 1.0)] == ["0", "3 × 10⁻⁷", "1 × 10⁰"]


def test_formats_that_are_promised(trained: Trained) -> None:
    at = open_page("diagnose")
    picture = Image.open(io.BytesIO(trained.picture))
    for kind in ("png", "webp"):
        written = io.BytesIO()
        picture.save(written, kind, lossless=True)
        at.file_uploader(key="upload").clear()
        at = assert_healthy(upload(at, (f"a.{kind}", written.getvalue())))
        assert graded(at) == names(predict.grade(written.getvalue()))


def test_a_broken_file_is_told(trained: Trained) -> None:
    at = open_page("diagnose", "ko")
    for content in (b"", DAMAGED, b"<svg onload=alert(1)>"):
        at = upload(at, ("broken.jpg", content))
        assert not at.exception
        (message,) = texts(at.error)
        assert any("가" <= letter <= "힣" for letter in message)
        assert pictures(at) == []
        at.file_uploader(key="upload").clear()
    assert len(graded(assert_healthy(upload(at, ("whole.jpg", trained.picture))))) == 6


def test_the_threshold_changes_the_type(trained: Trained) -> None:
    image = next(
        image
        for image in trained.dataset.index["id"]
        if len({predict.grade(trained.dataset.read(image), threshold=n).scalp_type.key for n in (1, 2, 3)}) > 1
    )
    data = trained.dataset.read(image)
    at = open_page("diagnose", source="example", data="tiny", image=image)
    seen = set()
    for threshold in (DEFAULT_THRESHOLD, 1, 3):
        if threshold != DEFAULT_THRESHOLD:
            at = at.button_group(key="threshold-en").set_value(str(threshold)).run()
        wanted = predict.grade(data, threshold=threshold).scalp_type
        assert Say("en")("diagnose_type", name=wanted.text.en) in texts(assert_healthy(at).markdown)
        assert at.query_params.get("threshold", str(DEFAULT_THRESHOLD)) == str(threshold)
        seen.add(wanted.key)
    assert len(seen) > 1


def test_an_example_is_shown_with_its_labels(trained: Trained) -> None:
    row = trained.dataset.index.iloc[0]
    at = assert_healthy(open_page("diagnose", "ko", source="example", data="tiny", image=row["id"]))
    for condition, label in labels_of(row).items():
        note = cards(at)[condition]["notes"][-1]
        assert note.removesuffix(" ✓") == f"라벨: {Severity(label).text.ko}"
        assert note.endswith("✓") == (cards(at)[condition]["grade"] == label)
    offered = galleries(at)["examples"]
    assert {trained.dataset.index.at[picture["id"], "part"] for picture in offered} == {"test"}


def test_evidence_with_mean_taken_off_says_mean(trained: Trained) -> None:
    say = Say("ko")
    at = upload(open_page("diagnose", "ko"), ("a.jpg", trained.picture))
    assert below_pictures(assert_healthy(at)) == []
    at.session_state["evidence"] = True
    captions = below_pictures(assert_healthy(at.run()))
    assert say("evidence_local_note") in texts(at.caption)
    at = assert_healthy(at.segmented_control(key="evidence-shows").set_value("whole").run())
    assert say("evidence_whole_note") in texts(at.caption)
    assert below_pictures(at) == captions
    at = assert_healthy(at.segmented_control(key="evidence-shows").set_value("within").run())
    assert say("evidence_within_note") in texts(at.caption)
    gradings = predict.grade(trained.picture).gradings.values()
    means = [evidence_for(grading.evidence, int(grading.grade)).mean() for grading in gradings]
    assert below_pictures(at) == [f"{name} ({mean:+.1f})" for name, mean in zip(captions, means, strict=True)]


def below_pictures(at: AppTest) -> list[str]:
    return [unescape(img.caption) for node in at.main if node.type == "image" for img in node.proto.imgs if img.caption]


@pytest.mark.parametrize("source", ["example", "capture"])
def test_pictures_are_offered_until_one_is_chosen(trained: Trained, source: str) -> None:
    for image, offered in (("", True), ("gone", True), (trained.dataset.column("id").iloc[0], False)):
        address = {"source": source, "data": "tiny"} | ({"image": image} if image else {})
        at = open_page("diagnose", **address)
        assert len(at.error) == (image == "gone")
        # In a menu once a picture is chosen, so that its grades are in sight.
        assert ("Other picture" in [menu.proto.popover.label for menu in at.get("popover")]) != offered


def test_a_damaged_model_is_told(trained: Trained, folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    copied = folders.artifacts / "tiny"
    shutil.copytree(trained.run.folder, copied)
    promote_everywhere(Run(copied))
    (copied / "preprocessing.json").write_text("{}")
    monkeypatch.setenv("SCALP_DATA", str(trained.dataset.folder.parent))
    image = trained.dataset.column("id").iloc[0]
    at = open_page("diagnose", "ko", source="example", data="tiny", image=image)
    assert not at.exception
    (message,) = texts(at.error)
    assert "preprocessing.json" in message


def test_findings_are_said_in_a_line(trained: Trained) -> None:
    condition_names = {condition: Say("en")(f"finding_{condition}") for condition in CONDITIONS}
    for image in trained.dataset.column("id")[:6]:
        at = assert_healthy(open_page("diagnose", source="example", data="tiny", image=image))
        (headline,) = texts(at.header)
        present = {
            condition
            for condition, grading in predict.grade(trained.dataset.read(image)).gradings.items()
            if grading.grade > 0
        }
        assert {condition for condition, name in condition_names.items() if name in headline} == present
        assert present or headline == Say("en")("findings_none")


def test_example_is_one_click_from_the_empty_page(trained: Trained) -> None:
    at = assert_healthy(open_page("diagnose", data="tiny"))
    first = galleries(at)["examples"][0]["id"]
    at.session_state["diagnose-example"] = {"source": "example", "data": "tiny", "image": first}
    at = assert_healthy(at.run())
    assert graded(at) == names(predict.grade(trained.dataset.read(first)))
    assert (at.query_params["source"], at.query_params["image"]) == ("example", first)


def test_condition_of_the_address_is_shown_first_else_the_worst(trained: Trained) -> None:
    image = trained.dataset.column("id").iloc[0]
    at = assert_healthy(open_page("diagnose", source="example", data="tiny", image=image))
    assert pictures(at)[0]["selected"] == next(iter(cards(at)))
    at = assert_healthy(open_page("diagnose", source="example", data="tiny", image=image, condition="value_4"))
    assert pictures(at)[0]["selected"] == "value_4"
    grading = predict.grade(trained.dataset.read(image)).gradings[Condition("value_4")]
    grades = local_grade(grading.evidence, grading.probabilities)
    assert cards(at)["value_4"]["map"]["values"] == pytest.approx(grades.ravel(), abs=1e-3)


def test_client_sees_findings_and_places_alone(trained: Trained, downloads: Downloads) -> None:
    image, say = trained.dataset.column("id").iloc[0], Say("en")
    at = assert_healthy(open_page("diagnose", source="example", data="tiny", image=image, view="client"))
    assert graded(at) == names(predict.grade(trained.dataset.read(image)))
    for card in cards(at).values():
        assert (card["probabilities"], card["notes"], card["agreement"], card["answers"]) == ([], [], "", [])
    assert len(at.main.expander) == 0
    assert list(downloads.offered) == ["scalp-report.html"]
    assert say("research_only") in texts(at.caption)


# Several pictures.


def test_one_damaged_file_takes_no_other_along(trained: Trained, downloads: Downloads) -> None:
    first, second = others(trained, 2)
    files = (("a.jpg", first), ("broken.jpg", DAMAGED), ("b.jpg", second))
    at = assert_healthy(upload(open_page("diagnose", "ko"), *files))
    single, broken, other = grid(at, "overview")
    assert [row["name"] for row in (single, broken, other)] == ["a.jpg", "broken.jpg", "b.jpg"]
    assert grades_in(single) == numbers(predict.grade(first))
    assert grades_in(other) == numbers(predict.grade(second))
    assert any("가" <= letter <= "힣" for letter in broken["sentence"])
    assert single["picture"].startswith("data:image/webp;base64,")
    table = downloads.table("scalp-grades-all.csv")
    assert list(table["status"]) == ["ok", "not_a_picture", "ok"]
    assert "broken.jpg" in downloads.offered["scalp-report-all.html"]().decode()


def test_one_of_several_is_opened(trained: Trained) -> None:
    first, second = others(trained, 2)
    at = assert_healthy(upload(open_page("diagnose"), ("a.jpg", first), ("b.jpg", second)))
    assert pictures(at) == []
    assert Say("en")("overview_choose") in texts(at.info)
    at = opened(at, 1)
    assert graded(assert_healthy(at)) == names(predict.grade(second))
    assert "b.jpg" in texts(at.header)
    assert graded(assert_healthy(opened(at, 0))) == names(predict.grade(first))


def opened(at: AppTest, number: int) -> AppTest:
    """After a click on that row of the overview."""
    at.session_state["diagnose-opened"] = grid(at, "overview")[number]["key"]
    return at.run()


def test_each_picture_is_graded_once(trained: Trained) -> None:
    first, second = others(trained, 2)
    at = assert_healthy(upload(open_page("diagnose"), ("a.jpg", first), ("again.jpg", first), ("b.jpg", second)))
    expected = dict(at.session_state["diagnose-outcomes"])
    assert len(expected) == 2
    after = at.session_state["diagnose-outcomes"] if assert_healthy(opened(at, 2)) else {}
    assert {key: id(answer) for key, (answer, _) in after.items()} == {
        key: id(answer) for key, (answer, _) in expected.items()
    }


def test_another_decision_is_another_answer(
    trained: Trained, folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = folders.artifacts / "tiny"
    shutil.copytree(trained.run.folder, copied)
    promote_everywhere(Run(copied))
    monkeypatch.setenv("SCALP_DATA", str(trained.dataset.folder.parent))
    at = assert_healthy(upload(open_page("diagnose"), ("a.jpg", trained.picture)))
    point = Run(copied).operating_point
    flat = {condition: replace(decision, temperature=50.0) for condition, decision in point.decisions.items()}
    Run(copied).write_operating_point(replace(point, decisions=flat))
    at = assert_healthy(at.run())
    for condition, grading in predict.grade(trained.picture).gradings.items():
        shares = [share["share"] for share in cards(at)[condition]["probabilities"]]
        assert shares == pytest.approx(list(grading.probabilities))


def test_zip_upload_is_opened_up_to_the_limit(trained: Trained) -> None:
    written = io.BytesIO()
    Image.fromarray(np.full((64, 64, 3), 150, dtype=np.uint8)).save(written, "png")
    content = zipped({f"folder/{number}.png": written.getvalue() for number in range(uploads.MAX_PICTURES + 3)})
    at = assert_healthy(upload(open_page("diagnose"), ("all.zip", content)))
    assert len(grid(at, "overview")) == uploads.MAX_PICTURES
    assert any(text.startswith("3 more were left out") for text in texts(at.warning))


def test_a_folder_is_handed_in(trained: Trained) -> None:
    at = open_page("diagnose", source="folder")
    first, second = others(trained, 2)
    at = assert_healthy(upload(at, ("of a/1.jpg", first), ("of a/2.jpg", second), key="folder"))
    assert [grades_in(row) for row in grid(at, "overview")] == [
        numbers(predict.grade(item)) for item in (first, second)
    ]


def test_uploads_are_kept_for_their_source(trained: Trained) -> None:
    at = assert_healthy(
        upload(open_page("diagnose"), *((f"{n}.jpg", entry) for n, entry in enumerate(others(trained, 2))))
    )
    at = assert_healthy(at.segmented_control(key="source-en").set_value("folder").run())
    assert [node for node in at if node.type == "bidi_component" and "grade_table" in node.proto.component_name] == []
    at = assert_healthy(at.segmented_control(key="source-en").set_value("upload").run())
    assert len(grid(at, "overview")) == 2
    assert Say("en")("upload_kept", count=2) in texts(at.markdown)
    at = assert_healthy(at.button(key="upload_let_go").click().run())
    assert len(galleries(at)["examples"]) > 1


def test_the_camera_is_asked_for(trained: Trained) -> None:
    at = assert_healthy(open_page("diagnose", "ko", source="camera"))
    assert "camera_input" in [node.type for node in at.main]


def test_the_regions_of_a_capture(trained: Trained) -> None:
    index = trained.dataset.index
    capture = index["capture"].value_counts().index[0]
    rows = index[index["capture"] == capture]
    at = assert_healthy(open_page("diagnose", "ko", source="capture", data="tiny", image=rows.index[-1]))
    message = grid(at, "overview")
    regions, highest = message[:-1], message[-1]
    assert len(regions) == len(rows) > 1
    for region, (image, row) in zip(regions, rows.iterrows(), strict=True):
        assert region["name"].startswith(REGIONS[row["region"]]("ko"))
        answer = predict.grade(trained.dataset.read(image))
        assert grades_in(region) == numbers(answer)
        labels = list(labels_of(row).values())
        ringed = [cell["ringed"] for cell in region["cells"]]
        assert ringed == [
            grading.grade == label for grading, label in zip(answer.gradings.values(), labels, strict=True)
        ]
    assert grades_in(highest) == [max(column) for column in zip(*(grades_in(item) for item in regions), strict=True)]
    # The one of the address is open.
    answer = predict.grade(trained.dataset.read(rows.index[-1]))
    assert graded(at) == names(answer, "ko")


def test_uploads_of_one_capture_are_put_together(trained: Trained) -> None:
    index = trained.dataset.index
    capture = index["capture"].value_counts().index[0]
    rows = index[index["capture"] == capture]
    files = [(Path(path).name, trained.dataset.read(image)) for image, path in rows["path"].items()]
    at = assert_healthy(upload(open_page("diagnose"), ("else.jpg", trained.picture), *files))
    message = grid(at, "overview")
    together = [row for row in message if row["title"] == Say("en")("overview_capture", capture=capture)]
    assert len(together) == len(files) + 1
    assert [row["name"] for row in message if row["title"] == Say("en")("overview_rest")] == ["else.jpg"]


# The gate.


@pytest.fixture
def gated(trained: Trained, folders: Folders, monkeypatch: pytest.MonkeyPatch) -> tuple[bytes, bytes]:
    """A sharp picture that the run grades, and a blurred one that its gate advises against."""
    run = promote_everywhere(Run(Path(shutil.copytree(trained.run.folder, folders.artifacts / "tiny"))))
    monkeypatch.setenv("SCALP_DATA", str(trained.dataset.folder.parent))
    written = io.BytesIO()
    Image.open(io.BytesIO(trained.picture)).filter(ImageFilter.GaussianBlur(8)).save(written, "png")
    sharp, blurred = trained.picture, written.getvalue()
    write_sharpness_gate(run, (measured_sharpness(run, sharp) + measured_sharpness(run, blurred)) / 2)
    return sharp, blurred


def test_gated_picture_is_graded_on_request(gated: tuple[bytes, bytes], downloads: Downloads) -> None:
    say = Say("ko")
    answer = predict.grade(gated[1])
    (why,) = (reason.text("ko") for reason in answer.reasons or ())
    at = assert_healthy(upload(open_page("diagnose", "ko"), ("a.png", gated[1])))
    assert pictures(at) == []
    assert len(at.image) == 1  # it is shown, so that its sender sees what is meant
    assert downloads.offered == {}
    (message,) = (text for text in texts(at.warning) if why in text)
    assert say("gate_advises") in message
    at = assert_healthy(at.button(key="insist").click().run())
    assert graded(at) == names(answer, "ko")
    (message,) = (text for text in texts(at.warning) if why in text)
    assert say("gate_insisted") in message
    assert json.loads(downloads.offered["scalp-grades.json"]())["gradable"] is False
    assert downloads.table("scalp-grades.csv")["reasons"][0] == "blurred"
    at.session_state["provenance"] = True
    assert any(text.startswith("✓") for text in texts(at.run().caption))  # REST says so too


def test_gated_picture_among_several_is_marked(gated: tuple[bytes, bytes], downloads: Downloads) -> None:
    say = Say("en")
    sharp, blurred = gated
    at = assert_healthy(upload(open_page("diagnose"), ("a.png", sharp), ("b.png", blurred)))
    fine, kept_back = grid(at, "overview")
    assert grades_in(fine) == numbers(predict.grade(sharp))
    assert fine["note"].startswith("✓")
    assert (kept_back["note"], kept_back["sentence"]) == ("⚠ blurred", say("overview_not_graded"))
    assert list(downloads.table("scalp-grades-all.csv")["value_1_grade"])[1] == ""
    at = assert_healthy(opened(at, 1).button(key="insist").click().run())
    marked = grid(at, "overview")[1]
    assert grades_in(marked) == numbers(predict.grade(blurred))
    assert marked["flagged"]
    assert marked["note"].startswith("⚠ blurred")


def test_unusual_picture_is_graded_and_marked(gated: tuple[bytes, bytes], downloads: Downloads) -> None:
    say, (sharp, blurred) = Say("en"), gated
    run = predict.graders().main
    write_sharpness_gate(run, 0.0, usual_distance=-FARTHEST)
    at = assert_healthy(upload(open_page("diagnose"), ("a.png", sharp)))
    assert graded(at) == names(predict.grade(sharp))
    (message,) = (text for text in texts(at.info) if say("gate_marked") in text)
    assert "Another camera" in message
    assert not at.warning or say("gate_advises") not in texts(at.warning)
    document = json.loads(downloads.offered["scalp-grades.json"]())
    assert (document["gradable"], document["unusual"]) == (True, True)
    at = assert_healthy(upload(open_page("diagnose"), ("a.png", sharp), ("b.png", blurred)))
    assert [row["note"].split(" ·")[0] for row in grid(at, "overview")] == [f"⚠ {say('gate_unusual')}"] * 2
    assert say("overview_unusual", count=2) in page_text(at)


def test_run_without_gate_says_unchecked(trained: Trained) -> None:
    at = assert_healthy(upload(open_page("diagnose"), ("a.jpg", trained.picture)))
    (badge,) = (node for node in at.markdown if Say("en")("gate_not_checked") in unescape(node.value))
    assert "training.gate" in badge.proto.help


# Beside the answer.


def test_all_architectures_are_heard(trained: Trained) -> None:
    image = trained.dataset.column("id").iloc[0]
    at = assert_healthy(open_page("diagnose", source="example", data="tiny", image=image))
    rows = grid(at, "agreement-grid")
    assert {card["agreement"] for card in cards(at).values()} == {Say("en")("agreement_of", agreeing=1, all=1)}
    answer = predict.grade(trained.dataset.read(image))
    assert [grades_in(row) for row in rows] == [[number] for number in numbers(answer)]
    assert all(row["cells"][0]["ringed"] for row in rows)


def test_the_nearest_pictures_bring_their_labels(trained: Trained) -> None:
    index = trained.dataset.index
    image = index.index[0]
    at = open_page("diagnose", source="example", data="tiny", image=image)
    at.session_state["nearest"] = True
    this, *near = grid(assert_healthy(at.run()), "nearest-grid")
    assert grades_in(this) == numbers(predict.grade(trained.dataset.read(image)))
    assert len(near) == 8
    assert image not in [row["name"] for row in near]
    for row in near:
        labels = labels_of(index.loc[row["name"]])
        assert grades_in(row) == ["–" if label is None else str(label) for label in labels.values()]
