"""The pictures of the shipped runs stay what they were, whatever the generator has become."""

from hashlib import sha256
from pathlib import Path

import pytest

from scalp_core.data.dataset import open_dataset
from scalp_core.synthetic import demonstration
from scalp_core.synthetic.generate import make_dataset
from scalp_core.synthetic.version_2.generate import plan_pictures, render_picture

IDS = [
    "3030_A2LEBJJDE17569C_1605794222537_3",
    "3428_A2LEBJJDE10066A_1596494637755_3",
    "1417_A2LEBJJDE05710H_1600840810762_4",
]
DIGESTS = ["d6f06ab6eab776a6", "3807b11fd24bcce0", "140bcffbd57fb725"]


def test_demonstration_keeps_its_pixels() -> None:
    pictures = plan_pictures(demonstration.IMAGES, demonstration.SEED, evaluation=demonstration.EVALUATION)[::800]
    digests = [sha256(render_picture(picture, demonstration.SEED).tobytes()).hexdigest()[:16] for picture in pictures]
    assert [picture.image_id for picture in pictures] == IDS
    assert digests == DIGESTS


def test_both_versions_are_rendered_side_by_side(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SCALP_DATA", str(tmp_path))
    for version in (2, 3):
        make_dataset(f"of-{version}", 16, 0, version=version, processes=1)
        assert open_dataset(f"of-{version}").made["version"] == version
