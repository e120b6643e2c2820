"""Ranges by which cameras and lamps differ, from real frames of 640 × 480 (docs/design/: gate.md, training.md).

The variation that the gate is fitted on and the randomisation of a training share these ranges; the others differ on
purpose. The gate grades nothing, so its casts move redness freely, which a training bounds as a label. Blur is what the
gate is to notice, so it varies it less than a training.
"""

CHANNEL_GAIN = (0.88, 1.12)  # factor of each channel
CHANNEL_GAMMA = (0.85, 1.2)
CLIPPING_LEVEL = (225.0, 255.0)  # grey level at which each channel clips
MOST_TILT = 8.0  # L* of the light, from the middle to an edge
MOST_SHARPENING = 0.8  # share of the fine detail that a camera adds once more
SHARPENING_RADIUS = (1.0, 3.0)  # px
GLINTS = 400  # of a usual frame
