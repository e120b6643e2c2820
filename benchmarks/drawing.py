"""`python -m benchmarks drawing`: processor time of a synthetic picture, by stage."""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import cv2

from benchmarks.measuring import Commands, machine, write_json
from scalp_core import images
from scalp_core.data import quality
from scalp_core.synthetic import generate

_FRAMES, _SEED = 120, 0
_STAGES = ("drawing", "encoding", "measuring", "decoding")

Result = TypeVar("Result")


def add_commands(commands: Commands) -> None:
    """Add the command."""
    drawing = commands.add_parser("drawing", help="frames a second a core of the synthetic pictures")
    drawing.add_argument("--frames", type=int, default=_FRAMES, help="how many (default %(default)s)")
    drawing.add_argument("--json", type=Path, help="write the figures to this file as well")
    drawing.set_defaults(command=_drawing)


def _drawing(options: argparse.Namespace) -> None:
    figures = measure(options.frames)
    for stage in _STAGES:
        print(f"{stage:<10} {figures[stage]:6.1f} ms a picture")
    print(f"{figures['frames_per_second']:.1f} pictures a second a core, rendered, encoded and measured;")
    print(f"one costs {figures['against_decoding']:.1f} times what decoding it does")
    if options.json:
        write_json(options.json, figures | {"machine": machine()})


def measure(frames: int) -> dict[str, Any]:
    """Measure the milliseconds of every stage a picture: processor time of one thread, pictures as in a dataset."""
    cv2.setNumThreads(1)
    pictures = generate.plan_pictures(max(frames, generate.MIN_IMAGES), _SEED)[:frames]
    generate.render_picture(pictures[0], _SEED)  # the first one draws the relief that all others share
    spent = dict.fromkeys(_STAGES, 0.0)

    def timed(stage: str, work: Callable[[], Result]) -> Result:
        started = time.process_time()
        result = work()
        spent[stage] += 1000 * (time.process_time() - started) / len(pictures)
        return result

    for picture in pictures:
        pixels = timed("drawing", lambda picture=picture: generate.render_picture(picture, _SEED))
        content = timed(
            "encoding", lambda pixels=pixels, quality=picture.camera.quality: generate.encode(pixels, quality)
        )
        timed("measuring", lambda content=content: quality.measure(content))
        timed("decoding", lambda content=content: images.decode(content))
    whole = spent["drawing"] + spent["encoding"] + spent["measuring"]
    return spent | {"frames_per_second": 1000 / whole, "against_decoding": whole / spent["decoding"]}
