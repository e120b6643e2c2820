"""Sheets of where the cues of rendered pictures lie: `python -m training.masks DATASET [--images N] [--folder F]`.

One sheet a picture: the picture, then the mask of each condition in red over it, with its severity.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from scalp_core.data.dataset import open_dataset
from scalp_core.labels import CONDITIONS
from scalp_core.synthetic.drawing.canvas import Pixels
from scalp_core.synthetic.generate import PlannedPicture, render_picture
from scalp_core.synthetic.masks import masks_of, planned_pictures, seed_of
from training.command_line import explained
from training.contact_sheets import captioned, grid, titled, write_sheet

FOLDER = Path("masks")
DEFAULT_IMAGES = 12
MARK = np.array([255.0, 0.0, 60.0])  # of a pixel that a cue covers wholly
MOST = 0.75  # share of the mark there, so that the picture is seen below


@explained
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m training.masks", description=__doc__)
    parser.add_argument("dataset", help="name of a synthetic dataset")
    parser.add_argument(
        "--images", type=int, default=DEFAULT_IMAGES, help="how many pictures, evenly over the dataset (%(default)s)"
    )
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where to write the sheets (default %(default)s)")
    options = parser.parse_args(arguments)
    if options.images < 1:
        parser.error("--images must be at least 1")
    dataset = open_dataset(options.dataset)
    pictures, seed = planned_pictures(dataset), seed_of(dataset)
    for image_id, masks in masks_of(dataset, evenly(sorted(pictures), options.images)):
        sheet = mask_sheet(pictures[image_id], seed, masks)
        write_sheet(options.folder / f"{image_id}.jpg", sheet)
    return 0


def evenly(names: Sequence[str], count: int) -> list[str]:
    """Return at most `count` of the names, from the first to the last at equal distances."""
    places = np.unique(np.linspace(0, len(names) - 1, min(count, len(names))).round().astype(int))
    return [names[int(place)] for place in places]


def mask_sheet(picture: PlannedPicture, seed: int, masks: Pixels) -> Pixels:
    """Return the picture and its masks side by side, RGB.

    Args:
        masks: (6, 480, 640), in order of CONDITIONS.
    """
    frame = render_picture(picture, seed)
    tiles = [captioned("picture", frame)]
    for condition, severity, mask in zip(CONDITIONS, picture.severities, masks, strict=True):
        tiles.append(captioned(f"{condition.text.en} {severity:.2f}", marked(frame, mask)))
    return titled(picture.image_id, grid(tiles))


def marked(frame: Pixels, mask: Pixels) -> Pixels:
    """Return the frame in grey with MARK over what the mask covers."""
    grey = np.repeat(frame.mean(axis=2, keepdims=True), 3, axis=2)
    share = MOST * mask[..., None] / 255.0
    return np.asarray(np.round(grey * (1.0 - share) + MARK * share), dtype=np.uint8)


if __name__ == "__main__":
    sys.exit(main())
