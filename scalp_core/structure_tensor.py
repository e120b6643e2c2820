"""The structure tensor of a picture, from which one tells in how few directions its edges lie.

Its users weigh and smooth it differently, so that each has a coherence of its own.
"""

import cv2
import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.float32]


def gradient_products(light: npt.NDArray[np.uint8] | Field) -> tuple[Field, Field, Field]:
    """Return the structure tensor of every pixel of a picture (h, w): xx, yy and xy of its gradient, (h, w) each.

    The gradient is Sobel's, eight times that of a plane. Source: Bigün & Granlund 1987.
    """
    across, down = (cv2.Sobel(light, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    xx, yy, xy = (
        np.asarray(cv2.multiply(first, second), dtype=np.float32)
        for first, second in ((across, across), (down, down), (across, down))
    )
    return xx, yy, xy
