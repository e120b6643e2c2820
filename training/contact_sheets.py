"""Rendered frames side by side: `python -m training.contact_sheets [--seed N] [--folder docs/contact_sheets]`.

One sheet a condition (a row a cast, a column a grade, all else normal), one of what else may be in a picture, and one
of pictures as in a dataset.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from scalp_core.files import write_atomic
from scalp_core.labels import CONDITIONS, GRADES, Condition
from scalp_core.synthetic.drawing.canvas import Pixels
from scalp_core.synthetic.drawing.frame import render
from scalp_core.synthetic.drawing.scene import CASTS, CONFUSERS
from scalp_core.synthetic.fidelity import frame_of, pictures_of, scene_of
from scalp_core.synthetic.generate import render_picture
from training.command_line import explained

FOLDER = Path("docs") / "contact_sheets"
TILE_WIDTH, TILE_HEIGHT = 292, 219
GUTTER, TITLE, CAPTION = 90, 34, 20  # px for the names of rows, of the sheet and of tiles
COLUMNS = 4
MIXED_FRAMES = 12
JPEG_QUALITY = 84
STAMP = "SYNTHETIC: drawn by a program, not taken of people"
INK, PAPER, STAMP_INK = (30, 30, 30), 255, (190, 20, 20)


@explained
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m training.contact_sheets", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="the same seed renders the same sheets (default 0)")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where to write them (default %(default)s)")
    options = parser.parse_args(arguments)
    if options.seed < 0:
        parser.error("--seed must not be negative")
    for name, sheet in sheets(options.seed).items():
        write_sheet(options.folder / f"{name}.jpg", sheet)
    return 0


def write_sheet(path: Path, sheet: Pixels) -> None:
    """Write a sheet as JPEG and print its size."""
    encoded = cv2.imencode(".jpg", sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()
    write_atomic(path, lambda temporary: temporary.write_bytes(encoded))
    print(f"{path}  {sheet.shape[1]}×{sheet.shape[0]} px  {len(encoded) / 1000:.0f} kB")


def sheets(seed: int) -> dict[str, Pixels]:
    """Render every sheet by the name of its file, RGB."""
    by_condition = {condition.code: condition_sheet(condition, seed) for condition in CONDITIONS}
    return by_condition | {"confusers": confuser_sheet(seed), "mixed": mixed_sheet(seed)}


def condition_sheet(condition: Condition, seed: int) -> Pixels:
    """Render a row a cast, a column a grade; within a row chance is the same, so that only the cue changes."""
    captions = [f"{grade.value} {grade.text.en}" for grade in GRADES]
    header = np.hstack([_paper(GUTTER, CAPTION), *(_written(caption, TILE_WIDTH, CAPTION) for caption in captions)])
    rows = [header]
    for number, cast in enumerate(CASTS):
        chance = [seed, number]
        scenes = [scene_of({condition: float(grade)}, seed + number, cast) for grade in GRADES]
        tiles = [_tile(render(scene, np.random.default_rng(chance))) for scene in scenes]
        rows.append(np.hstack([_written(cast.name, GUTTER, TILE_HEIGHT), *tiles]))
    return titled(condition.text.en, np.vstack(rows))


def confuser_sheet(seed: int) -> Pixels:
    """Render each thing that may be in a picture whatever its labels, on an otherwise normal scalp."""
    tiles = []
    for number, name in enumerate(CONFUSERS):
        scene = replace(scene_of({}, seed + number), confusers=frozenset({name}))
        tiles.append(captioned(name.replace("_", " "), frame_of(scene, seed + number)))
    return titled("what may be in any picture", grid(tiles))


def mixed_sheet(seed: int) -> Pixels:
    """Render pictures of a dataset, with the six grades that they show."""
    tiles = []
    for picture in pictures_of(MIXED_FRAMES, seed, prior="tempered"):
        grades = " ".join(str(grade) for grade in picture.clean)
        tiles.append(captioned(f"{grades}  {picture.cast.name}", render_picture(picture, seed)))
    names = ", ".join(condition.code.replace("_", " ") for condition in CONDITIONS)
    return titled(f"mixed: {names}", grid(tiles))


def grid(tiles: Sequence[Pixels]) -> Pixels:
    missing = -len(tiles) % COLUMNS
    filled = [*tiles, *[np.full_like(tiles[0], PAPER)] * missing]
    return np.vstack([np.hstack(filled[first : first + COLUMNS]) for first in range(0, len(filled), COLUMNS)])


def titled(title: str, sheet: Pixels) -> Pixels:
    """Put the sheet under its title and the stamp SYNTHETIC."""
    header = _paper(sheet.shape[1], TITLE)
    cv2.putText(header, title, (8, 23), cv2.FONT_HERSHEY_SIMPLEX, 0.6, INK, 1, cv2.LINE_AA)
    width = cv2.getTextSize(STAMP, cv2.FONT_HERSHEY_SIMPLEX, 0.6, 2)[0][0]
    cv2.putText(header, STAMP, (sheet.shape[1] - width - 8, 23), cv2.FONT_HERSHEY_SIMPLEX, 0.6, STAMP_INK, 2)
    return np.vstack([header, sheet])


def captioned(caption: str, frame: Pixels) -> Pixels:
    return np.vstack([_written(caption, TILE_WIDTH, CAPTION), _tile(frame)])


def _tile(frame: Pixels) -> Pixels:
    return np.asarray(cv2.resize(frame, (TILE_WIDTH, TILE_HEIGHT), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _written(text: str, width: int, height: int) -> Pixels:
    """Write text on white paper."""
    paper = _paper(width, height)
    cv2.putText(paper, text, (6, min(height - 5, 18)), cv2.FONT_HERSHEY_SIMPLEX, 0.45, INK, 1, cv2.LINE_AA)
    return paper


def _paper(width: int, height: int) -> Pixels:
    return np.full((height, width, 3), PAPER, dtype=np.uint8)


if __name__ == "__main__":
    sys.exit(main())
