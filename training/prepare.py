"""`python -m training.prepare`: data sets from the command line. Knows how to ask and report, not how they are made."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from scalp_core.dataset import PARTS, Dataset
from scalp_core.errors import ScalpError
from scalp_core.files import write_atomic
from scalp_core.labels import CONDITIONS, GRADES, Condition
from scalp_core.renderer import CASTS, Camera, Scene, render
from scalp_core.synthetic import make_dataset

# What the demonstration and the documentation are made with: about a minute on two cores.
DEMO_NAME, DEMO_IMAGES, DEMO_SEED = "demo", 3000, 20260101
THUMBNAIL_WIDTH, THUMBNAIL_HEIGHT, CAPTION = 240, 180, 20


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0 done, 2 a mistake that was explained, 130 interrupted."""
    options = _parser().parse_args(arguments)
    try:
        options.command(options)
    except ScalpError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nInterrupted. What is rendered stays; start the same command again and it goes on.", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.prepare", description="Prepare a data set.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    synthetic = commands.add_parser("synthetic", help="render a synthetic data set")
    synthetic.add_argument("--images", type=int, default=DEMO_IMAGES, help="how many pictures (default %(default)s)")
    synthetic.add_argument("--seed", type=_seed, default=0, help="the same seed gives the same data (default 0)")
    synthetic.add_argument("--name", default="synthetic", help="name of the data set (default %(default)s)")
    synthetic.add_argument("--processes", type=_processes, help="worker processes (default: one a core)")
    synthetic.set_defaults(command=_make)

    demo = commands.add_parser("demo", help=f"render the demonstration data set ({DEMO_IMAGES} pictures)")
    demo.add_argument("--processes", type=_processes, help="worker processes (default: one a core)")
    demo.set_defaults(command=_make_demo, images=DEMO_IMAGES, seed=DEMO_SEED, name=DEMO_NAME)

    sheet = commands.add_parser("contact-sheet", help="draw every grade of every condition into one picture")
    sheet.add_argument("--out", type=Path, required=True, help="a .jpg or .png file")
    sheet.add_argument("--seed", type=_seed, default=0)
    sheet.set_defaults(command=_write_contact_sheet)
    return parser


def _seed(text: str) -> int:
    return _at_least(text, 0)


def _processes(text: str) -> int:
    return _at_least(text, 1)


def _at_least(text: str, least: int) -> int:
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} up")
    return int(text)


def _make(options: argparse.Namespace) -> None:
    with tqdm(total=options.images, unit=" images", desc=options.name, dynamic_ncols=True) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        dataset = make_dataset(options.name, options.images, options.seed, processes=options.processes, progress=show)
        show(options.images, options.images)
    _report(dataset)


def _make_demo(options: argparse.Namespace) -> None:
    """The demonstration data set; one that an older version made stays, so that an update never stops a start."""
    try:
        _make(options)
    except ScalpError as error:
        if error.code != "name_taken":
            raise
        print(f"Data set “{DEMO_NAME}” was made by another version and is kept. To renew it, remove its folder first.")


def _report(dataset: Dataset) -> None:
    index = dataset.index
    print(f"Data set “{dataset.name}”: {len(index)} images of {index['site'].nunique()} sites in {dataset.folder}")
    for part in PARTS:
        of_part = index[index["part"] == part]
        print(f"  {part:<5} {len(of_part):>6} images, {of_part['site'].nunique():>3} sites")
    if dataset.synthetic:
        print("These pictures are synthetic: drawn by a program, not taken of people. What is measured on them says")
        print("nothing about real scalps.")


def _write_contact_sheet(options: argparse.Namespace) -> None:
    sheet = cv2.cvtColor(contact_sheet(options.seed), cv2.COLOR_RGB2BGR)
    suffix = options.out.suffix.lower()
    if suffix not in (".jpg", ".png"):
        raise ScalpError(
            "bad_suffix",
            f"“{options.out}” must end in .jpg or .png.",
            f"“{options.out}” 파일 이름은 .jpg 또는 .png로 끝나야 합니다.",
        )
    encoded = cv2.imencode(suffix, sheet, [cv2.IMWRITE_JPEG_QUALITY, 86] if suffix == ".jpg" else [])[1]
    write_atomic(options.out, lambda temporary: temporary.write_bytes(encoded.tobytes()))
    print(f"Written: {options.out}")


def contact_sheet(seed: int) -> npt.NDArray[np.uint8]:
    """One row a condition, one column a grade, everything else normal; RGB."""
    rows = [np.hstack([_thumbnail(row, grade, seed) for grade in GRADES]) for row in range(len(CONDITIONS))]
    return np.asarray(np.vstack(rows), dtype=np.uint8)


def _thumbnail(row: int, grade: int, seed: int) -> npt.NDArray[np.uint8]:
    condition = CONDITIONS[row]
    severities: dict[Condition, float] = dict.fromkeys(CONDITIONS, 0.0) | {condition: float(grade)}
    cast = CASTS[(row + seed) % len(CASTS)]
    frame = render(Scene(severities, cast, Camera(), direction=2.2), np.random.default_rng([seed, row]))
    small = cv2.resize(frame, (THUMBNAIL_WIDTH, THUMBNAIL_HEIGHT), interpolation=cv2.INTER_AREA)
    tile = np.full((THUMBNAIL_HEIGHT + CAPTION, THUMBNAIL_WIDTH, 3), 255, dtype=np.uint8)
    tile[CAPTION:] = small
    caption = f"{condition.value} {condition.code} {grade}"
    cv2.putText(tile, caption, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (20, 20, 20), 1, cv2.LINE_AA)
    return tile


if __name__ == "__main__":
    sys.exit(main())
