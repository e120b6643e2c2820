"""A visitor looks, compares, grades and retrains, in a real browser on a real server."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx2 as httpx
import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import Trained, labels_of, until
from playwright.sync_api import Browser, Locator, expect
from support import browser as chrome
from support.aihub_tree import build_tree
from support.app_driver import LANGUAGES
from support.browser import Server, Visitor, open_visitor
from support.hostile_names import ID, WORDS, damaged_run, hostile_dataset, hostile_run
from support.prediction_tables import images_in_cell
from support.rest_server import free_port
from support.sharpness_gate import write_sharpness_gate

from scalp_core.charts.dataset_charts import grade_name
from scalp_core.data.dataset import Dataset
from scalp_core.files import put_away, write_text
from scalp_core.importing.importer import FAULTS
from scalp_core.inference import predict
from scalp_core.labels import CONDITIONS, Condition, Severity
from scalp_core.metrics import metrics
from scalp_core.runs.run import Progress, Run
from scalp_core.seals import write_sealed_json
from scalp_core.synthetic.label_noise import truth_of
from ui.shell import PAGES
from ui.words import Say

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def server(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("browser")
    shutil.copytree(trained.dataset.folder.parent, folder / "data")
    shutil.copytree(trained.run.folder.parent, folder / "artifacts")
    hostile_dataset(trained.dataset, folder / "data" / "hostile")
    made = Server(folder / "data", folder / "artifacts", folder / "log.txt", free_port())
    made.start()
    until(lambda: made.says("ready"), 120)
    yield made
    made.kill()
    assert "Traceback" not in made.log.read_text()


@pytest.fixture(scope="module")
def tab(chromium: Browser, server: Server) -> Iterator[Visitor]:
    with open_visitor(chromium, server.address) as made:
        yield made


@pytest.fixture
def visitor(tab: Visitor) -> Iterator[Visitor]:
    """The one tab of this module, as good as new."""
    tab.begin_anew()
    yield tab
    tab.assert_nothing_amiss()


def rows_of_table(visitor: Visitor) -> dict[str, list[str]]:
    rows = visitor.tab.get_by_test_id("stTable").locator("tbody tr")
    rows.first.wait_for()
    cells = [row.locator("th, td").all_inner_texts() for row in rows.all()]
    whole = str.maketrans({"\N{NO-BREAK SPACE}": " ", "\N{WORD JOINER}": None})  # which keep a name on one line
    return {name.strip(): [text.strip().translate(whole) for text in rest] for name, *rest in cells}


def test_home_leads_from_a_cell_to_its_pictures(visitor: Visitor, trained: Trained) -> None:
    visitor.go("/?lang=en&data=tiny")
    tiles = visitor.tab.locator(".tiles button")
    expect(tiles).to_have_count(len(CONDITIONS))
    expect(tiles.first).to_have_attribute("aria-pressed", "true")
    assert_above(tiles.first, 100)
    tiles.nth(1).click()
    expect(tiles.nth(1)).to_have_attribute("aria-pressed", "true")
    visitor.settle()
    assert "condition=value_2" in visitor.tab.url
    cell = visitor.tab.locator("td button").first
    assert_above(cell, 600)
    cell.click()
    visitor.tab.get_by_role("heading", name=Say("en")("title_compare"), exact=True).wait_for()
    expect(visitor.tab.get_by_role("dialog")).to_be_visible()
    visitor.settle()
    assert "condition=value_2" in visitor.tab.url
    assert "cell=tiny.0.0" in visitor.tab.url


def assert_above(part: Locator, most: int) -> None:
    """The part comes to begin at most that many pixels below the window's top, once the page is laid out."""
    until(lambda: (box := part.bounding_box()) and box["y"] <= most, 60)


def test_own_picture_is_graded_at_home(visitor: Visitor, trained: Trained) -> None:
    visitor.go("/?lang=en&data=tiny")
    grades = visitor.tab.locator(".st-key-home-grades .cell")
    expect(grades).to_have_count(len(CONDITIONS))
    assert_loaded(visitor)
    data = trained.dataset.read(trained.dataset.index["id"].iloc[5])
    upload = visitor.tab.locator(".st-key-home-upload input[type=file]")
    upload.set_input_files({"name": "mine.jpg", "mimeType": "image/jpeg", "buffer": data})
    expect(visitor.tab.get_by_test_id("stMain").get_by_alt_text("mine.jpg")).to_be_visible()
    expect(grades).to_have_count(len(CONDITIONS))
    assert_loaded(visitor)
    visitor.tab.get_by_role("link", name=Say("en").text("home_more")).click()
    visitor.tab.get_by_role("heading", name=Say("en")("title_diagnose"), exact=True).wait_for()
    expect(visitor.tab.locator(".st-key-graded-picture .card")).to_have_count(len(CONDITIONS))


def test_toolbar_stays_in_sight(visitor: Visitor, trained: Trained) -> None:
    visitor.go("/Compare?lang=en&data=tiny")
    toolbar = visitor.tab.locator(".st-key-toolbar")
    expect(toolbar).to_be_visible()
    visitor.settle()
    visitor.tab.set_viewport_size({"width": 1280, "height": 400})
    visitor.tab.wait_for_function(
        """() => {
            const main = document.querySelector('[data-testid="stMain"]')
            main.scrollTo(0, main.scrollHeight)
            return document.querySelector('.st-key-toolbar').getBoundingClientRect().y < 20
        }"""
    )
    assert_above(toolbar, 20)


def assert_loaded(visitor: Visitor) -> None:
    """Wait for every picture: the server forgets those of a page that is left, and their addresses fail."""
    visitor.settle()
    visitor.tab.wait_for_function("() => [...document.images].every((image) => image.complete && image.naturalWidth)")


def graded_cards(visitor: Visitor) -> dict[str, str]:
    """Return what screen readers hear of each condition of the graded picture, by its name."""
    cards = visitor.tab.locator(".st-key-graded-picture .card")
    cards.first.wait_for()
    labels = [card.get_attribute("aria-label") or "" for card in cards.all()]
    return {text.split(": ")[0].lower(): text for text in labels}


def open_menu(visitor: Visitor, name: str) -> None:
    visitor.tab.get_by_test_id("stPopover").get_by_role("button", name=name).click()


def test_from_home_to_the_labels_of_a_picture(visitor: Visitor, trained: Trained) -> None:
    visitor.go("/?lang=en")
    assert visitor.tab.title() == "Home · Scalp Lab"
    visitor.tab.get_by_test_id("stSidebar").get_by_role("link", name="Dataset").click()
    visitor.tab.get_by_role("heading", name="Dataset").wait_for()
    visitor.tab.locator(".st-key-data-en").get_by_role("combobox").click()
    visitor.tab.get_by_role("option", name="tiny").click()
    row = trained.dataset.index.iloc[3]
    thumbnails = visitor.gallery("wall")
    thumbnails.nth(3).and_(visitor.tab.get_by_title(row["id"], exact=True)).click()
    opened = visitor.tab.get_by_role("dialog")
    expect(opened.get_by_test_id("stCode")).to_contain_text(row["id"])
    assert rows_of_table(visitor) == labels_and_truth(trained.dataset, row["id"], "en")
    visitor.settle()
    assert f"image={row['id']}" in visitor.tab.url
    # The address is the view: opened anew it shows the same, in the other language too.
    visitor.go(visitor.tab.url.removeprefix(visitor.address).replace("lang=en", "lang=ko"))
    assert rows_of_table(visitor) == labels_and_truth(trained.dataset, row["id"], "ko")


def labels_and_truth(dataset: Dataset, image_id: str, language: str) -> dict[str, list[str]]:
    """Return the rater's and the rendered grade of every condition."""
    row = dataset.row(image_id)
    rendered = truth_of(dataset, row)
    return {
        getattr(condition.text, language): [
            grade_name(label, language),
            f"{grade_name(rendered[condition][0], language)} ({rendered[condition][1]:.2f})",
        ]
        for condition, label in labels_of(dataset.index.iloc[row]).items()
        if label is not None
    }


def test_picture_is_closed_and_address_forgets_it(visitor: Visitor, trained: Trained) -> None:
    index = trained.dataset.index
    image = index["id"].iloc[0]
    visitor.go(f"/Dataset?lang=en&data=tiny&value_2=0,1,2,3&image={image}")
    opened = visitor.tab.get_by_role("dialog")
    expect(opened.get_by_test_id("stCode")).to_contain_text(image)
    visitor.tab.keyboard.press("Escape")
    expect(opened).to_have_count(0)
    visitor.tab.wait_for_function("() => !location.search.includes('image=')")
    visitor.settle()
    assert "value_2=0%2C1%2C2%2C3" in visitor.tab.url
    visitor.tab.go_back()  # to the address of the picture, which stays closed
    visitor.tab.wait_for_function("() => location.search.includes('image=')")
    visitor.settle()
    expect(opened).to_have_count(0)
    # The same picture opens again, and stays closed after something else on the page.
    thumbnail = visitor.tab.get_by_title(image, exact=True)
    thumbnail.click()
    expect(opened.get_by_test_id("stCode")).to_contain_text(image)
    visitor.settle()
    opened.get_by_label("Close").click()
    expect(opened).to_have_count(0)
    # The dialog goes before the server has answered; a click until then would bring the old address along.
    visitor.tab.wait_for_function("() => !location.search.includes('image=')")
    visitor.settle()
    visitor.tab.locator(".st-key-view-en").get_by_text("Labels").click()
    visitor.tab.get_by_role("heading", name="Rank correlation of labels").wait_for()
    visitor.settle()
    expect(opened).to_have_count(0)
    assert "image=" not in visitor.tab.url


def test_another_region_of_head_is_one_click_away(visitor: Visitor, trained: Trained) -> None:
    index = trained.dataset.index
    here, there, *_ = index[index["capture"].duplicated(keep=False)].sort_values(["capture", "id"])["id"]
    visitor.go(f"/Dataset?lang=en&data=tiny&image={here}")
    opened = visitor.tab.get_by_role("dialog")
    expect(opened.get_by_test_id("stCode")).to_contain_text(here)
    beside = visitor.gallery("same_capture").and_(visitor.tab.get_by_title(there, exact=True))
    assert beside.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    beside.click()
    expect(opened.get_by_test_id("stCode")).to_contain_text(there)
    expect(opened).to_have_count(1)
    visitor.tab.wait_for_function("image => location.search.includes(`image=${image}`)", arg=there)
    assert rows_of_table(visitor) == labels_and_truth(trained.dataset, there, "en")


FOCUSED = """() => {
  let focused = document.activeElement
  while (focused.shadowRoot?.activeElement) focused = focused.shadowRoot.activeElement
  return focused.closest(".wall") ? focused.title : ""
}"""


def test_a_picture_is_opened_and_closed_by_keyboard(visitor: Visitor, trained: Trained) -> None:
    visitor.go("/Dataset?lang=en&data=tiny")
    expect(visitor.gallery("wall").nth(1)).to_be_visible()  # it comes after the rest of the page is drawn
    visitor.settle()
    visitor.tab.locator(".st-key-order-en").get_by_role("combobox").focus()
    for _ in range(30):  # over the facets, one stop each
        visitor.tab.keyboard.press("Tab")
        if visitor.tab.evaluate(FOCUSED):
            break
    visitor.tab.keyboard.press("Tab")
    image = visitor.tab.evaluate(FOCUSED)
    assert image == trained.dataset.index["id"].iloc[1]
    visitor.tab.keyboard.press("Enter")
    opened = visitor.tab.get_by_role("dialog")
    expect(opened.get_by_test_id("stCode")).to_contain_text(image)
    expect(visitor.tab.locator('.wall button[aria-pressed="true"]')).to_have_attribute("title", image)
    visitor.tab.keyboard.press("Escape")
    expect(opened).to_have_count(0)


def test_filters_are_chosen_one_after_another(visitor: Visitor, trained: Trained) -> None:
    index = trained.dataset.index
    visitor.go("/Dataset?lang=en&data=tiny")
    visitor.tab.get_by_role("button", name="All filters").click()
    for label, option, selected in (
        ("Split", "train", index["part"] == "train"),
        ("excess sebum", "2 moderate", index["value_2"] == 2),
    ):
        index = index[selected.loc[index.index]]
        box = visitor.tab.get_by_role("combobox", name=label)
        visitor.choose(box, re.compile(f"^{option}"))
        expect(visitor.gallery("wall")).to_have_count(len(index))  # the panel stays open for the next one
        box.blur()  # Escape would take the choice off again wherever the list is closed already
    visitor.settle()
    assert "part=train" in visitor.tab.url
    assert "value_2=2" in visitor.tab.url
    visitor.tab.get_by_role("button", name="Clear", exact=True).click()
    expect(visitor.gallery("wall")).to_have_count(trained.dataset.images)
    visitor.settle()
    assert "part=" not in visitor.tab.url


def test_a_bar_of_a_facet_filters_and_back_takes_it_off(visitor: Visitor, trained: Trained) -> None:
    index = trained.dataset.index
    visitor.go("/Dataset?lang=en&data=tiny")
    expect(visitor.gallery("wall")).to_have_count(len(index))
    assert_above(visitor.gallery("wall").first, 260)  # the pictures lie in the first window
    visitor.settle()
    severe = visitor.tab.get_by_role("button", name=re.compile("^2 excess sebum: 2 moderate"))
    severe.click()
    of_grade = index[index["value_2"] == 2]
    expect(visitor.gallery("wall")).to_have_count(len(of_grade))
    expect(severe).to_have_attribute("aria-pressed", "true")
    visitor.settle()
    assert "value_2=2" in visitor.tab.url
    visitor.tab.get_by_role("button", name=re.compile("^Split: test")).click()
    expect(visitor.gallery("wall")).to_have_count(int((of_grade["part"] == "test").sum()))
    visitor.settle()
    visitor.tab.go_back()
    expect(visitor.gallery("wall")).to_have_count(len(of_grade))
    severe.click()  # a second click takes it off
    expect(visitor.gallery("wall")).to_have_count(len(index))
    visitor.settle()
    assert "value_2" not in visitor.tab.url


def test_a_range_is_dragged_over_a_histogram(visitor: Visitor, trained: Trained) -> None:
    visitor.go("/Dataset?lang=en&data=tiny")
    expect(visitor.gallery("wall")).to_have_count(trained.dataset.images)
    visitor.settle()
    bars = visitor.tab.get_by_role("button", name=re.compile("^Sharpness:"))
    bars.nth(2).scroll_into_view_if_needed()
    for place in (2, 5):
        box = bars.nth(place).bounding_box()
        assert box
        visitor.tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=4)
        if place == 2:
            visitor.tab.mouse.down()
    visitor.tab.mouse.up()
    visitor.tab.wait_for_function("() => location.search.includes('sharpness=')")
    visitor.settle()
    low, high = (float(end) for end in re.search(r"sharpness=([\d.]+?)\.\.([\d.]+)", visitor.tab.url).groups())
    expect(visitor.gallery("wall")).to_have_count(int(trained.dataset.index["sharpness"].between(low, high).sum()))
    expect(bars.and_(visitor.tab.locator('[aria-pressed="true"]'))).to_have_count(4)


def test_findings_of_the_audit_open_their_pictures(visitor: Visitor) -> None:
    visitor.go("/Dataset?lang=en&data=tiny&view=audit")
    table = visitor.tab.get_by_role("table", name="Audit")
    expect(table.get_by_role("columnheader", name="Finding")).to_be_visible()
    button = table.get_by_role("button", name=re.compile("^Show these")).first
    title = str(button.get_attribute("aria-label")).partition(": ")[2]
    visitor.settle()
    button.click()
    visitor.tab.get_by_role("heading", name=title).wait_for()
    visitor.settle()
    assert "finding=" in visitor.tab.url
    expect(visitor.tab.locator(".wall button").first).to_be_visible()
    visitor.tab.go_back()
    expect(table).to_be_visible()
    example = table.locator("[data-image]").first
    image = str(example.get_attribute("title"))
    example.click()
    expect(visitor.tab.get_by_role("dialog").get_by_test_id("stCode")).to_contain_text(image)


def test_box_on_map_shows_pictures_in_it(visitor: Visitor, trained: Trained) -> None:
    visitor.go("/Dataset?lang=en&data=tiny&view=map&value_2=0,1,2,3")
    points = visitor.tab.locator(".vega-embed .mark-symbol.role-mark path")
    expect(points).to_have_count(trained.dataset.images)
    frame = visitor.tab.locator(".vega-embed .mark-group.role-frame path.background").first
    frame.evaluate("frame => frame.scrollIntoView({block: 'center'})")
    plot = frame.bounding_box()
    assert plot
    visitor.tab.mouse.move(plot["x"] + 2, plot["y"] + 2)
    visitor.tab.mouse.down()
    visitor.tab.mouse.move(plot["x"] + plot["width"] / 2, plot["y"] + plot["height"] - 2, steps=8)
    visitor.tab.mouse.up()
    pictures = visitor.gallery("map-wall")
    pictures.first.wait_for()
    visitor.settle()
    assert 0 < pictures.count() < trained.dataset.images
    image = pictures.first.get_attribute("title")
    pictures.first.click()
    expect(visitor.tab.get_by_role("dialog").get_by_test_id("stCode")).to_contain_text(str(image))


def test_a_tree_is_imported_from_the_page(visitor: Visitor, server: Server, tmp_path: Path) -> None:
    tree = tmp_path / "트리"
    tree.mkdir()
    truth = build_tree(tree, sites=12)
    visitor.go("/Dataset?lang=ko&data=tiny&view=import")
    for label, text in (("서버의 폴더", str(tree)), ("데이터셋 이름", "from-page")):
        visitor.tab.get_by_role("textbox", name=label).fill(text)
    visitor.tab.get_by_test_id("stMain").get_by_test_id("stFormSubmitButton").get_by_role("button").click()
    until(lambda: (server.data / "from-page" / "index.parquet").is_file())
    expect(visitor.tab.locator("[class*=st-key-import-stop]")).to_have_count(0)  # told without touching anything
    visitor.choose(visitor.tab.locator(".st-key-data-ko").get_by_role("combobox"), "from-page")
    visitor.tab.get_by_role("heading", name=Say("ko")("import_report")).wait_for()
    expect(visitor.tab.get_by_text(str(tree), exact=True)).to_be_visible()
    for kind in truth.faults:
        expect(visitor.tab.get_by_text(FAULTS[kind].ko).first).to_be_visible()
    visitor.go("/Dataset?lang=ko&data=from-page")
    pictures = visitor.gallery("wall")
    assert pictures.first.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    assert pictures.first.get_attribute("title") == truth.rows["id"].iloc[0]


@pytest.fixture
def rival(server: Server, tmp_path: Path) -> Iterator[Run]:
    """A second model, of another opinion: every grade one higher. The first one was promoted."""
    first, second = server.artifacts / "tiny", tmp_path / "rival"
    shutil.copytree(first, second)
    document = json.loads((second / "recipe.json").read_text())
    document["recipe"]["architecture"] = "test_vit"
    (second / "recipe.json").write_text(json.dumps(document))
    run = Run(second)
    table = pd.read_parquet(run.predictions_path)
    table[metrics.PROBABILITIES] = table[["p3", "p0", "p1", "p2"]].to_numpy()
    table.to_parquet(run.predictions_path)
    run.write_manifest({key: value for key, value in run.manifest.items() if key != "files"})
    kept = (first / "operating_point.json").read_text()
    # The server's pages see a whole run or none: they read folders at any time.
    run = Run(second.rename(server.artifacts / "rival"))
    yield run
    write_text(first / "operating_point.json", kept)
    shutil.rmtree(put_away(run.folder))


def cards(visitor: Visitor) -> Locator:
    return visitor.tab.locator(".st-key-wall-pictures .card button")


def cell(visitor: Visitor, run: Run, truth: int, predicted: int) -> Locator:
    return visitor.tab.locator(f'.matrix[data-matrix="{run.id}"] button[data-place="{truth}.{predicted}"]')


def opened_pictures(visitor: Visitor) -> Locator:
    return visitor.tab.get_by_role("dialog").filter(has=visitor.tab.get_by_test_id("stImage"))


def test_a_cell_opens_its_pictures_from_model_to_model(visitor: Visitor, server: Server, rival: Run) -> None:
    first, condition = Run(server.artifacts / "tiny"), Condition("value_2")
    visitor.go(f"/Compare?lang=en&data=tiny&condition={condition}")
    for run in (first, rival):  # by mouse, then by keyboard
        counts = metrics.confusion(run.predictions, condition, "test")
        truth, predicted = divmod(int(counts.argmax()), 4)
        button = cell(visitor, run, truth, predicted)
        expect(button.locator(".count")).to_have_text(str(counts[truth, predicted]))
        if run is first:
            button.click()
        else:
            button.focus()
            visitor.tab.keyboard.press("Enter")
        expect(opened_pictures(visitor)).to_be_visible()
        expect(cards(visitor)).to_have_count(int(counts[truth, predicted]))
        ids = [card.get_attribute("title") for card in cards(visitor).all()]
        assert ids == sorted(images_in_cell(run.predictions, condition, "test", truth, predicted))
        expect(visitor.tab.locator(".answer")).to_have_count(2 * len(ids))  # what either model says
        visitor.settle()
        assert f"cell={run.id}.{truth}.{predicted}" in visitor.tab.url
        picture = cards(visitor).first.locator("img")
        assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
        visitor.tab.keyboard.press("Escape")
        expect(opened_pictures(visitor)).to_have_count(0)
        visitor.tab.wait_for_function("() => !location.search.includes('cell=')")
        visitor.settle()
    visitor.tab.get_by_role("button", name="Difference").click()
    visitor.tab.get_by_text("better or worse than").click()
    counts = [metrics.confusion(run.predictions, condition, "test") for run in (first, rival)]
    points = [100 * counts[n] / counts[n].sum(axis=1, keepdims=True).clip(1) for n in (0, 1)]
    differences = {round(sign * float((points[1] - points[0])[truth, predicted])) for sign in (1, -1)}
    of_both = [cell(visitor, run, truth, predicted).locator(".value") for run in (first, rival)]
    expect(of_both[0].or_(of_both[1]).filter(has_text=re.compile("^[+−]|^0$")).first).to_be_visible()
    seen = {int(item.inner_text().replace("−", "-").replace("<1", "0")) for item in of_both}
    assert seen & differences


def test_pictures_are_leafed_by_arrows_and_stay_closed(visitor: Visitor, server: Server) -> None:
    run, condition = Run(server.artifacts / "tiny"), Condition("value_2")
    counts = metrics.confusion(run.predictions, condition, "test")
    truth, predicted = divmod(int(counts.argmax()), 4)
    visitor.go(f"/Compare?lang=en&data=tiny&condition={condition}")
    cell(visitor, run, truth, predicted).click()
    expect(cards(visitor).nth(1)).to_be_visible()
    ids = [card.get_attribute("title") for card in cards(visitor).all()]
    visitor.settle()
    entries = visitor.tab.evaluate("history.length")
    for key, image in (("ArrowRight", ids[1]), ("ArrowLeft", ids[0]), ("ArrowRight", ids[1])):
        visitor.tab.keyboard.press(key)
        expect(opened_pictures(visitor).get_by_alt_text(str(image))).to_be_visible()
        visitor.settle()
    assert f"image={ids[1]}" in visitor.tab.url
    assert visitor.tab.evaluate("history.length") == entries
    visitor.tab.keyboard.press("Escape")
    expect(opened_pictures(visitor)).to_have_count(0)
    visitor.settle()
    visitor.tab.go_back()
    visitor.settle()
    expect(opened_pictures(visitor)).to_have_count(0)
    cell(visitor, run, truth, predicted).click()  # a click opens what was closed
    expect(opened_pictures(visitor)).to_be_visible()
    visitor.settle()
    visitor.tab.go_back()
    expect(opened_pictures(visitor)).to_have_count(0)


def test_the_same_cell_is_lit_everywhere_and_numbers_change_the_condition(
    visitor: Visitor, server: Server, rival: Run
) -> None:
    first = Run(server.artifacts / "tiny")
    visitor.go("/Compare?lang=en&data=tiny")
    cell(visitor, first, 1, 2).hover()
    for run in (first, rival):
        expect(cell(visitor, run, 1, 2)).to_have_class(re.compile("lit"))
    expect(visitor.tab.locator(".lit")).to_have_count(2)
    visitor.tab.keyboard.press("4")
    visitor.tab.wait_for_function("() => location.search.includes('condition=value_4')")
    visitor.tab.locator('[aria-checked="true"]:has-text("pustules")').wait_for()
    visitor.settle()
    visitor.tab.go_back()
    visitor.tab.locator('[aria-checked="true"]:has-text("fine scaling")').wait_for()


def test_the_first_window_shows_the_matrices(visitor: Visitor, server: Server, rival: Run) -> None:
    first = Run(server.artifacts / "tiny")

    def tops() -> set[float]:
        return {cell(visitor, run, 0, 0).evaluate("cell => cell.getBoundingClientRect().y") for run in (rival, first)}

    for language in LANGUAGES:
        visitor.go(f"/Compare?lang={language}&data=tiny")
        until(lambda: len(tops()) == 1 and max(tops()) < 330, 60)  # in one row


def test_picture_of_cell_opens_with_every_answer(visitor: Visitor, server: Server) -> None:
    condition = Condition("value_2")
    counts = metrics.confusion(Run(server.artifacts / "tiny").predictions, condition, "test")
    truth, predicted = divmod(int(counts.argmax()), 4)
    visitor.go(f"/Compare?lang=en&data=tiny&condition={condition}&cell=tiny.{truth}.{predicted}")
    image = cards(visitor).nth(1).get_attribute("title")
    cards(visitor).nth(1).click()
    opened = opened_pictures(visitor)
    expect(opened.get_by_alt_text(str(image))).to_be_visible()
    opened.get_by_text("for the label", exact=True).click()
    expect(opened.get_by_test_id("stImage").locator("img")).to_have_count(2)  # the picture, and why
    assert_loaded(visitor)
    opened.get_by_role("link", name="Grade this picture").click()
    visitor.tab.get_by_role("heading", name="Grade a picture").wait_for()
    assert f"image={image}" in visitor.tab.url
    visitor.settle()
    visitor.tab.go_back()
    expect(opened.get_by_alt_text(str(image))).to_be_visible()
    assert_loaded(visitor)


def test_going_back_undoes_choices_one_by_one(visitor: Visitor, server: Server) -> None:
    visitor.go("/Compare?lang=en&data=tiny&view=wall")
    view = visitor.tab.locator(".st-key-view-en")
    for choice in ("excess sebum", "Operating point", "minimum expected cost"):
        if choice == "Operating point":
            view.get_by_role("combobox").click()
            visitor.tab.get_by_role("option", name=choice).click()
            expect(view.get_by_role("combobox")).to_have_value(choice)
        else:
            visitor.tab.get_by_text(choice, exact=True).click()
            visitor.tab.locator(f'[aria-checked="true"]:has-text("{choice}")').wait_for()
        visitor.settle()
    assert "rule=expected_cost" in visitor.tab.url
    visitor.tab.go_back()
    visitor.tab.locator('[aria-checked="true"]:has-text("minimum expected cost")').wait_for(state="detached")
    visitor.settle()
    assert "rule=" not in visitor.tab.url
    visitor.tab.go_back()
    expect(view.get_by_role("combobox")).to_have_value("Confusion matrices")
    visitor.settle()
    visitor.tab.go_back()
    visitor.tab.locator('[aria-checked="true"]:has-text("fine scaling")').wait_for()
    assert "condition=" not in visitor.tab.url


def test_the_first_window_shows_what_a_decision_brings(visitor: Visitor, rival: Run) -> None:
    visitor.go(f"/Compare?lang=en&data=tiny&view=decision&lab_side={rival.id}")
    toolbar = visitor.tab.locator(".st-key-toolbar")
    expect(toolbar.get_by_role("combobox", name=Say("en").text("lab_side"))).to_have_value("test_vit")
    expect(toolbar.get_by_role("radio", name=Say("en").part("valid"))).to_be_visible()
    assert_above(visitor.tab.locator(".matrix").first, 350)


def test_a_decision_is_tried_saved_and_followed(visitor: Visitor, server: Server, trained: Trained, rival: Run) -> None:
    condition = Condition("value_2")
    files = {"image": ("scalp.jpg", trained.picture)}

    def graded() -> int:
        answered = httpx.post(f"{server.address}/predict_all", files=files, timeout=60).json()
        return int(answered[condition.value][0]["pr_num"])

    before = graded()
    wanted = 3 if before != 3 else 0
    # Whatever else is answered wrongly costs so much that hardly anything else is answered.
    costs = ",".join(
        "0" if truth == predicted else "1" if predicted == wanted else "1000"
        for truth in range(4)
        for predicted in range(4)
    )
    visitor.go(
        f"/Compare?lang=en&data=tiny&view=decision&condition={condition}&run=tiny&rule=expected_cost&cost={costs}"
    )
    assert graded() == before  # trying changes nothing
    visitor.tab.get_by_role("textbox", name="Author").fill("홍길동")
    visitor.tab.get_by_role("button", name=Say("en")("lab_save_button")).click()
    expect(visitor.tab.get_by_text(Say("en")("lab_same"))).to_be_visible()
    assert Run(server.artifacts / "tiny").operating_point.who == "홍길동"
    assert graded() == wanted


def test_page_routes_and_download_agree(visitor: Visitor, trained: Trained, server: Server) -> None:
    visitor.go("/Diagnose?lang=en")
    picture = {"name": "두피.jpg", "mimeType": "image/jpeg", "buffer": trained.picture}
    visitor.tab.locator('input[type="file"]').set_input_files(picture)  # type: ignore[arg-type]
    displayed = graded_cards(visitor)
    visitor.settle()
    open_menu(visitor, "Download")
    with visitor.tab.expect_download() as waiting:
        visitor.tab.get_by_role("button", name="JSON").click()
    offered = json.loads(Path(waiting.value.path()).read_text(encoding="utf-8"))
    for door in ("", "/api"):
        files = {"image": ("scalp.jpg", trained.picture)}
        answered = httpx.post(f"{server.address}{door}/predict_all", files=files, timeout=60).json()
        body = httpx.post(f"{server.address}{door}/predict", files=files, data={"value_num": "4"}, timeout=60).json()
        assert body["value_4"][0]["probabilities"] == pytest.approx(answered["value_4"][0]["probabilities"], abs=1e-6)
        for condition in CONDITIONS:
            (mine,), (theirs,) = offered[condition.value], answered[condition.value]
            assert mine["probabilities"] == pytest.approx(theirs["probabilities"], abs=1e-6)
            assert mine["pr_num"] == theirs["pr_num"]
            grade = Severity(theirs["pr_num"])
            labels = displayed[condition.text.en]
            assert labels.split(": ", 1)[1].startswith(f"{grade.text.en}. ")
            assert f"{grade.text.en} {theirs['probabilities'][grade]:.0%}" in labels
        assert offered["scalp_type"] == answered["scalp_type"]


def test_a_retraining_outlives_a_reload_and_is_found(visitor: Visitor, server: Server) -> None:
    before = set(server.artifacts.glob("*/recipe.json"))
    visitor.go("/?lang=en&data=tiny")
    side = visitor.tab.get_by_test_id("stSidebar")
    side.locator(".st-key-retrain_data").get_by_role("combobox").click()
    visitor.tab.get_by_role("option", name="tiny").click()
    side.get_by_text("From scratch").click()
    visitor.settle()
    side.get_by_text("Advanced").click()
    for key, value in (("epochs", "1"), ("other", "test_efficientnet"), ("image_size", "64"), ("batch_size", "8")):
        field = side.locator(f".st-key-retrain_{key} input")
        field.fill(value)
        field.press("Tab")
        visitor.settle()
    side.get_by_role("button", name="Start training").click()
    until(lambda: len(set(server.artifacts.glob("*/recipe.json")) - before) == 1)
    (run,) = (Run(path.parent) for path in set(server.artifacts.glob("*/recipe.json")) - before)
    assert (run.recipe.epochs, run.recipe.image_size, run.recipe.data) == (1, 64, "tiny")
    status = side.locator("[class*=st-key-retrain_cancel]")
    status.wait_for()
    visitor.tab.reload()
    visitor.settle()
    status.wait_for()
    assert run.state.active
    result = side.locator(".st-key-retrain-result")
    expect(result).to_contain_text(run.id)  # without touching anything
    assert run.finished
    expect(result.get_by_role("link", name="Open the run")).to_have_attribute("href", re.compile(f"run={run.id}"))
    visitor.go("/Compare?lang=en&data=tiny")
    visitor.tab.get_by_role("button", name=re.compile("models?$")).click()
    visitor.tab.get_by_role("combobox", name=Say("en").text("compare_runs"), exact=True).click()
    visitor.tab.get_by_role("option", name=run.id).or_(
        visitor.tab.locator(f'[aria-label*="{run.id}"]')
    ).first.wait_for()


@pytest.fixture
def held_run(server: Server, tmp_path: Path) -> Iterator[Run]:
    """A run whose training process this test plays."""
    made = Path(shutil.copytree(server.artifacts / "tiny", tmp_path / "held"))
    (made / "manifest.json").unlink()
    run = Run(made.rename(server.artifacts / "held"))  # pages see it whole
    with run.lock():
        run.write_progress(Progress("training", 3, 50, 0.05, 130.0))
        yield run
        shutil.rmtree(put_away(run.folder))


def test_start_is_in_the_first_window_below_a_training(
    visitor: Visitor, chromium: Browser, server: Server, held_run: Run
) -> None:
    def look(reader: Visitor) -> None:
        reader.tab.goto(f"{server.address}/Runs?data=tiny")  # which is never at rest for long, as it polls
        side = reader.tab.get_by_test_id("stSidebar")
        expect(side.locator(".st-key-retrain-progress")).to_contain_text(held_run.id)
        for kind in ("retrain_conditions", "retrain_start"):
            side.locator(f".st-key-{kind}").wait_for()
        assert_above(side.locator(".st-key-retrain_start button"), 900 - 40)

    look(visitor)
    visitor.begin_anew()  # a page that polls takes time from the other
    with open_visitor(chromium, server.address, locale="ko-KR") as korean:
        look(korean)
        title = korean.tab.get_by_role("heading", level=1)
        expect(title).to_have_text(Say("ko")("title_runs"))  # the browser's language is the page's


def test_run_is_opened_from_list_renamed_and_deleted(visitor: Visitor, server: Server, tmp_path: Path) -> None:
    spare = Path(shutil.copytree(server.artifacts / "tiny", tmp_path / "spare"))
    spare.rename(server.artifacts / "spare")  # pages see it whole
    visitor.go("/Runs?lang=en&data=tiny&run=spare")
    main = visitor.tab.get_by_test_id("stMain")
    first = main.get_by_test_id("stDataFrame").first
    assert_above(first, 200)  # seen at once
    opened = main.locator(".stSelectbox").first.get_by_role("combobox")
    expect(opened).to_have_value("spare")
    names = [run.id for run in list_of_runs(server)]
    first.click(position={"x": 16, "y": 38 + 35 * names.index("tiny") + 17})
    expect(opened).to_have_value("tiny")
    assert "run=tiny" in visitor.tab.url
    main.get_by_role("tab", name="Log").click()  # only the tab that is open is drawn
    expect(main.get_by_role("tabpanel").get_by_test_id("stCode")).to_be_visible()
    visitor.settle()
    visitor.go("/Runs?lang=en&data=tiny&run=spare")
    main.get_by_role("button", name="Rename, delete").click()
    field = visitor.tab.locator(".st-key-name-spare input")
    field.fill("renamed")
    field.press("Tab")
    visitor.settle()
    visitor.tab.get_by_role("button", name="Rename", exact=True).click()
    expect(opened).to_have_value("renamed")
    assert (server.artifacts / "renamed" / "manifest.json").exists()
    main.get_by_role("button", name="Rename, delete").click()
    visitor.tab.get_by_role("button", name="Delete …").click()
    expect(visitor.tab.get_by_text("Delete renamed? This frees")).to_be_visible()
    visitor.settle()  # a button that is drawn anew between press and release hears no click
    visitor.tab.get_by_role("button", name="Delete for good").click()
    expect(opened).not_to_have_value("renamed")  # if it has, the failure shows what the page says
    assert not (server.artifacts / "renamed").exists()


def list_of_runs(server: Server) -> list[Run]:
    """Return all runs as the page lists them, the newest first."""
    runs = [Run(path.parent) for path in server.artifacts.glob("*/recipe.json")]
    return sorted(runs, key=lambda run: (run.created, run.id), reverse=True)


def test_example_is_graded_by_a_click_and_read_by_keyboard(visitor: Visitor) -> None:
    visitor.go("/Diagnose?lang=en&data=tiny")
    visitor.gallery("examples").first.click()
    labels = graded_cards(visitor)
    assert len(labels) == len(CONDITIONS)
    visitor.settle()
    cards = visitor.tab.locator(".st-key-graded-picture .card")
    assert_above(cards.first, 400)
    expect(cards.first).to_have_attribute("aria-pressed", "true")
    # Each card shows the map of its condition at once, and the address keeps it.
    second = cards.nth(1)
    second.focus()
    visitor.tab.keyboard.press("Enter")
    expect(second).to_have_attribute("aria-pressed", "true")
    name = second.locator(".name").inner_text()
    expect(visitor.tab.locator(".st-key-graded-picture .subject")).to_have_text(f"{name} by place")
    visitor.settle()
    assert f"condition={second.get_attribute('data-key')}" in visitor.tab.url
    expect(second).to_be_focused()
    # The places of the map are one stop of Tab; arrow keys move among them.
    places = visitor.tab.locator(".st-key-graded-picture [role=gridcell]")
    places.first.focus()
    visitor.tab.keyboard.press("ArrowRight")
    expect(visitor.tab.locator(".st-key-graded-picture .readout")).to_contain_text("Row 1, column 2")
    assert visitor.tab.locator(".st-key-graded-picture [role=gridcell][tabindex='0']").count() == 1
    visitor.tab.go_back()
    expect(cards.first).to_have_attribute("aria-pressed", "true")
    visitor.settle()
    # Going back before the page has answered leaves no card marked that the address does not name.
    visitor.tab.evaluate(
        """() => {
            const push = history.pushState.bind(history)
            history.pushState = (...entry) => { push(...entry); history.pushState = push; history.back() }
        }"""
    )
    second.press("Enter")
    visitor.settle()
    assert "condition=" not in visitor.tab.url
    expect(cards.first).to_have_attribute("aria-pressed", "true")
    visitor.settle()
    expect(cards.first).to_have_attribute("aria-pressed", "true")
    visitor.tab.go_back()
    expect(visitor.tab.locator(".st-key-take-in")).to_be_visible()
    expect(cards).to_have_count(0)


def test_client_view_leaves_out_the_tools(visitor: Visitor, trained: Trained) -> None:
    image = trained.dataset.column("id").iloc[0]
    visitor.go(f"/Diagnose?lang=en&source=example&data=tiny&image={image}")
    graded_cards(visitor)
    visitor.settle()
    visitor.tab.get_by_role("radio", name=Say("en")("grades_client")).click()
    expect(visitor.tab.get_by_test_id("stSidebar")).to_be_hidden()
    expect(visitor.tab.locator(".st-key-graded-picture .probabilities")).to_have_count(0)
    assert all("%" not in text for text in graded_cards(visitor).values())
    visitor.settle()
    visitor.tab.get_by_role("radio", name=Say("en")("grades_details")).click()
    expect(visitor.tab.get_by_test_id("stSidebar")).to_be_visible()


def test_uploads_survive_looking_elsewhere(visitor: Visitor, trained: Trained) -> None:
    say = Say("ko")
    visitor.go("/Diagnose?lang=ko")
    files = [{"name": f"{n}.jpg", "mimeType": "image/jpeg", "buffer": trained.picture + bytes(n)} for n in (1, 2)]
    visitor.tab.locator('input[type="file"]').set_input_files(files)  # type: ignore[arg-type]
    rows = visitor.tab.locator(".st-key-overview").get_by_role("button", name=".jpg")
    expect(rows).to_have_count(2)
    visitor.tab.get_by_role("radio", name=say("source_camera")).click()
    expect(rows).to_have_count(0)
    visitor.tab.get_by_role("radio", name=say("source_upload")).click()
    expect(rows).to_have_count(2)
    visitor.tab.get_by_test_id("stSidebar").get_by_role("link", name=say("page_runs")).click()
    expect(visitor.tab.get_by_role("heading", name=say("title_runs"))).to_be_visible()
    visitor.tab.get_by_test_id("stSidebar").get_by_role("link", name=say("page_diagnose")).click()
    expect(rows).to_have_count(2)
    open_menu(visitor, say("other_picture"))
    expect(visitor.tab.get_by_text(say("upload_kept", count=2))).to_be_visible()
    visitor.tab.locator('input[type="file"]').set_input_files(files[0])  # type: ignore[arg-type]
    graded_cards(visitor)
    expect(visitor.tab.get_by_text(say("upload_kept", count=2))).to_have_count(0)
    visitor.tab.get_by_test_id("stFileChipDeleteBtn").get_by_role("button").click()
    expect(visitor.tab.locator(".st-key-take-in")).to_be_visible()
    expect(visitor.tab.locator(".st-key-graded-picture")).to_have_count(0)


def test_a_damaged_file_takes_no_other_along(visitor: Visitor, trained: Trained) -> None:
    visitor.go("/Diagnose?lang=en")
    files = [
        {"name": "whole.jpg", "mimeType": "image/jpeg", "buffer": trained.picture},
        {"name": "<b>damaged.jpg", "mimeType": "image/jpeg", "buffer": trained.picture[:900]},
    ]
    visitor.tab.locator('input[type="file"]').set_input_files(files)  # type: ignore[arg-type]
    overview = visitor.tab.locator(".st-key-overview")
    expect(overview.get_by_text("the file is damaged or cut short")).to_be_visible()
    expect(overview.get_by_text("<b>damaged.jpg")).to_be_visible()
    visitor.settle()
    # By keyboard: Tab reaches a row, Enter opens it.
    row = overview.get_by_role("button", name="Open whole.jpg")
    row.focus()
    visitor.tab.keyboard.press("Enter")
    displayed = graded_cards(visitor)
    visitor.settle()
    expect(row).to_have_attribute("aria-pressed", "true")
    expect(row).to_be_focused()
    answer = predict.grade(trained.picture)
    entries = [cell.get_attribute("aria-label") for cell in overview.locator("tr.selected .cell").all()]
    for (condition, grading), text in zip(answer.gradings.items(), entries, strict=True):
        grade = grade_name(grading.grade, "en")
        assert displayed[condition.text.en].split(": ", 1)[1].startswith(f"{grading.grade.text.en}. ")
        assert text is not None
        assert text.startswith(f"{condition.text.en}: {grade}")
    assert visitor.tab.locator(".st-key-graded-picture img").get_attribute("alt") == "whole.jpg"


@pytest.fixture
def strict(server: Server, trained: Trained) -> Iterator[None]:
    """While it lasts no picture is sharp enough."""
    run = Run(server.artifacts / "tiny")
    write_sharpness_gate(run, sharpness=1e6)
    yield
    run.gate_path.unlink()


@pytest.mark.usefixtures("strict")
def test_grades_advised_against_can_be_shown(visitor: Visitor, trained: Trained) -> None:
    visitor.go("/Diagnose?lang=en")
    picture = {"name": "whole.jpg", "mimeType": "image/jpeg", "buffer": trained.picture}
    visitor.tab.locator('input[type="file"]').set_input_files(picture)  # type: ignore[arg-type]
    expect(visitor.tab.get_by_text(Say("en")("gate_advises"))).to_be_visible()
    visitor.settle()
    assert visitor.tab.locator(".st-key-graded-picture").count() == 0
    visitor.tab.get_by_role("button", name=Say("en")("gate_insist")).click()
    assert len(graded_cards(visitor)) == len(CONDITIONS)
    expect(visitor.tab.get_by_text(Say("en")("gate_insisted"))).to_be_visible()
    visitor.settle()
    open_menu(visitor, "Download")
    with visitor.tab.expect_download() as waiting:
        visitor.tab.get_by_role("button", name="JSON").click()
    document = json.loads(Path(waiting.value.path()).read_text(encoding="utf-8"))
    assert document["gradable"] is False
    assert [reason["code"] for reason in document["reasons"]] == ["blurred"]


def test_a_picture_is_taken_with_the_camera(chromium: Browser, server: Server) -> None:
    with open_visitor(chromium, server.address, reduced_motion="no-preference") as visitor:
        visitor.go("/Diagnose?lang=en&source=camera")
        take = visitor.tab.get_by_role("button", name="Take Photo")
        for _ in range(60):  # until the camera runs a click does nothing
            take.click()
            visitor.tab.wait_for_timeout(500)
            if not take.count():  # the picture takes its place, and the camera waits in a menu
                break
        # A test pattern is no scalp: it is graded, or there is a word on why not.
        text = visitor.tab.get_by_text(Say("en")("gate_advises"))
        expect(visitor.tab.locator(".st-key-graded-picture").or_(text)).to_be_visible()
        visitor.settle()


def test_language_is_one_click_and_stays(visitor: Visitor) -> None:
    visitor.go("/Compare?lang=en&data=tiny&condition=value_3")
    assert visitor.tab.evaluate("document.documentElement.lang") == "en"
    visitor.tab.get_by_role("radio", name="한국어").or_(visitor.tab.get_by_role("button", name="한국어")).first.click()
    visitor.tab.get_by_role("heading", name=Say("ko")("title_compare")).wait_for()
    visitor.tab.wait_for_function("document.documentElement.lang === 'ko'")
    visitor.tab.get_by_role("button", name=Say("ko").text("chip_research")).click()
    expect(visitor.tab.get_by_text(Say("ko")("research_only"))).to_be_visible()
    visitor.tab.keyboard.press("Escape")
    visitor.settle()
    links = visitor.tab.get_by_test_id("stSidebar").get_by_role("link")
    names = [link.inner_text().split("\n")[-1] for link in links.all()]
    assert names[: len(PAGES)] == [Say("ko")(f"page_{name}") for name in PAGES]  # a finished retraining has one too
    assert all("lang=ko" in (link.get_attribute("href") or "") for link in links.all())
    links.nth(1).click()
    visitor.tab.get_by_role("heading", name=Say("ko")("title_dataset")).wait_for()
    visitor.settle()
    assert "condition=value_3" in visitor.tab.url
    assert visitor.tab.evaluate("document.documentElement.lang") == "ko"


@pytest.fixture
def hostile(server: Server) -> Iterator[Run]:
    """While it lasts there are two more runs, a damaged one and one that answers, of names that try to be markup."""
    made = hostile_run(Run(server.artifacts / "tiny"), server.artifacts)
    damaged = damaged_run(server.artifacts)
    pins = server.artifacts / "champions.json"
    before = pins.read_text()
    write_sealed_json(pins, {condition.value: made.id for condition in CONDITIONS})
    yield made
    write_text(pins, before)
    for folder in (made.folder, damaged):
        shutil.rmtree(put_away(folder))


def assert_only_text(visitor: Visitor) -> None:
    """Nothing on the page leads or looks elsewhere, no name became an icon, and no escape is seen."""
    visitor.settle()
    own = (visitor.address, "data:", "blob:")
    for kind, attribute in (("a", "href"), ("img", "src")):
        addresses = visitor.tab.locator(f"{kind}[{attribute}]").evaluate_all(
            f"all => all.map(node => node.{attribute})"
        )
        assert [address for address in addresses if not address.startswith(own)] == []
    assert visitor.tab.locator("b[onclick], .katex, [aria-label='delete icon']").count() == 0
    words = visitor.tab.locator("body").inner_text()
    seen = (":color[", r"\[", r"\!", r"\*", r"\$", "\N{SMILING FACE WITH OPEN MOUTH AND SMILING EYES}")
    assert [sign for sign in seen if sign in words] == []


HOSTILE_VIEWS = (
    *("Dataset?data=hostile&view=labels&by=device", "Dataset?data=hostile&view=audit"),
    *("?", "Compare?view=wall", "Compare?view=best", "Compare?view=groups&by=device"),
    "Compare?view=referral",
)


def test_names_from_outside_are_only_text(visitor: Visitor, hostile: Run) -> None:
    for address in HOSTILE_VIEWS:
        visitor.go(f"/{address}&lang=en&site={quote(WORDS[0])}")
        assert_only_text(visitor)
    visitor.go(f"/Runs?lang=en&run={quote(hostile.id)}")
    expect(visitor.tab.get_by_text(f"damaged {hostile.id}").first).to_be_visible()
    assert_only_text(visitor)
    visitor.go("/Dataset?lang=en&data=hostile")
    open_menu(visitor, Say("en").text("filters_all"))
    for word in WORDS:
        expect(visitor.tab.get_by_test_id("stWidgetLabel").get_by_text(word, exact=True)).to_be_visible()
    assert_only_text(visitor)
    visitor.tab.keyboard.press("Escape")  # a click beside an open panel may do nothing but close it
    expect(visitor.tab.get_by_test_id("stPopoverBody")).to_have_count(0)
    visitor.settle()
    first = visitor.gallery("wall").first
    assert first.get_attribute("title") == f"0{ID}"
    first.click()
    opened = visitor.tab.get_by_role("dialog")
    expect(opened.get_by_test_id("stCode")).to_contain_text(f"0{ID}")
    expect(opened.get_by_text(f"Device: {WORDS[0]}")).to_be_visible()
    assert_only_text(visitor)
    opened.get_by_role("link", name="Grade this picture").click()
    graded_cards(visitor)
    visitor.tab.get_by_text(Say("en")("client"), exact=True).click()
    expect(visitor.tab.get_by_test_id("stMain").locator("code").get_by_text(hostile.id, exact=True)).to_be_visible()
    assert_only_text(visitor)
    assert visitor.tab.title() == "Grade a picture · Scalp Lab"


def test_names_of_uploads_are_only_text(visitor: Visitor, trained: Trained) -> None:
    visitor.go("/Diagnose?lang=en")
    names = ["![evil](\\\\evil.example\\x.png) :smile: $x^2$.jpg", "[evil](www.evil.example) **evil**.jpg"]
    pictures = [{"name": name, "mimeType": "image/jpeg", "buffer": trained.picture} for name in names]
    visitor.tab.locator('input[type="file"]').set_input_files(pictures)  # type: ignore[arg-type]
    visitor.tab.locator(".st-key-overview").get_by_role("button", name=f"Open {names[1]}").click()
    expect(visitor.tab.get_by_role("heading", name=names[1])).to_be_visible()
    assert_only_text(visitor)


CHARTS = ("view=labels", "leaderboard", "differences", "recall", "reliability", "pareto", "curves", "decision")
VIEWS = (
    *("/?", "/Dataset?", "/Dataset?image={image}&", "/Dataset?view=map&", "/Dataset?view=audit&"),
    *("/Dataset?view=import&", "/Dataset?view=labels&", "/Compare?", "/Compare?view=leaderboard&"),
    *("/Compare?view=differences&", "/Compare?view=recall&", "/Compare?view=reliability&", "/Compare?view=pareto&"),
    *("/Compare?view=curves&", "/Compare?view=decision&", "/Diagnose?", "/Diagnose?source=example&"),
    *("/Diagnose?source=example&image={image}&", "/Runs?run=tiny&", "/Compare?view=groups&"),
    *("/Compare?view=referral&", "/Dataset?view=review&"),
)
PHONE = {"width": 400, "height": 900}  # pixels
# Vega's marks of a selection box are empty until one is drawn, and have no words of their own.
_NO_BOX = {"exclude": [[".box_brush_bg"], [".box_brush"]]}
SERIOUS = ("serious", "critical")


def serious_findings(visitor: Visitor) -> dict[str, list[str]]:
    """Return what axe-core finds serious on the page, the parts of each rule that is broken."""
    violations = Axe().run(visitor.tab, _NO_BOX).response["violations"]
    return {
        rule["id"]: [node["html"][:200] for node in rule["nodes"]] for rule in violations if rule["impact"] in SERIOUS
    }


def overflow(visitor: Visitor) -> float:
    """Return how many pixels the page, or a part that scrolls, is wider than there is room for."""
    parts = [visitor.tab.get_by_test_id("stMain"), *visitor.tab.get_by_role("dialog").all()]
    widths = [part.evaluate("part => part.scrollWidth - part.clientWidth") for part in parts]
    return float(max(visitor.tab.evaluate("document.documentElement.scrollWidth - innerWidth"), *widths))


def is_dark(visitor: Visitor) -> bool:
    background = visitor.tab.get_by_test_id("stApp").evaluate("app => getComputedStyle(app).backgroundColor")
    return sum(map(int, re.findall(r"\d+", background)[:3])) / 3 < 100


@pytest.mark.parametrize("address", VIEWS)
def test_every_view_is_drawn_fits_and_can_be_read(visitor: Visitor, trained: Trained, rival: Run, address: str) -> None:
    number = VIEWS.index(address)
    language = LANGUAGES[number % 2]
    screens = [(chrome.DESKTOP, "light"), (PHONE, "dark")]
    if number % 4 > 1:  # every other time in each language it is opened on the phone
        screens.reverse()
    if number % 3 == 0:
        screens.append((chrome.DESKTOP, "dark"))
    visitor.look(*screens[0])
    visitor.go(
        f"{address.format(image=trained.dataset.column('id').iloc[0])}lang={language}&data=tiny&condition=value_3"
    )
    page = address[1:].partition("?")[0].lower() or "home"
    title = visitor.tab.get_by_role("heading", level=1, name=Say(language)(f"title_{page}"), include_hidden=True)
    title.wait_for()
    if any(view in address for view in CHARTS):
        charts = visitor.tab.locator('[data-testid="stVegaLiteChart"], [data-testid="stPlotlyChart"]')
        charts.first.wait_for()
        for chart in charts.all():
            chart.locator("canvas, svg").first.wait_for()
    for size, scheme in screens:
        visitor.look(size, scheme)
        until(lambda: is_dark(visitor) == (scheme == "dark") and overflow(visitor) <= 0, 60)  # noqa: B023
        visitor.settle()
        if size is chrome.DESKTOP:
            assert serious_findings(visitor) == {}, scheme
    assert visitor.tab.get_by_test_id("stException").count() == 0
