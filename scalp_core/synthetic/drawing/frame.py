"""One frame: which layers there are and in which order. Every layer has its own random stream, so that changing one
severity leaves all that belongs to the others in its place (but oil makes the hairs of a follicle cling together).
"""

import numpy as np

from scalp_core.synthetic.drawing.camera import photograph
from scalp_core.synthetic.drawing.canvas import Pixels
from scalp_core.synthetic.drawing.confusers import draw_before_lens, draw_stains
from scalp_core.synthetic.drawing.cues import plan_cues, streams_of
from scalp_core.synthetic.drawing.dandruff import draw_flakes
from scalp_core.synthetic.drawing.erythema import redden
from scalp_core.synthetic.drawing.glints import draw_glints
from scalp_core.synthetic.drawing.hair import draw_hair, shade_under_hair
from scalp_core.synthetic.drawing.pustules import add_halos, draw_pustules
from scalp_core.synthetic.drawing.scaling import draw_scales
from scalp_core.synthetic.drawing.scene import Scene
from scalp_core.synthetic.drawing.sebum import draw_gloss, draw_oil
from scalp_core.synthetic.drawing.skin import draw_pores, skin_surface, soft_skin


def render(scene: Scene, generator: np.random.Generator) -> Pixels:
    """Render one frame, (480, 640, 3) RGB. The same scene and generator state give the same pixels."""
    streams = streams_of(generator)
    cues = plan_cues(scene, streams)

    lab = soft_skin(scene, streams.skin)
    redden(lab, cues.redness)
    shade_under_hair(lab, cues.hair)
    add_halos(lab, cues.pustules)  # inflamed skin hides the blue of a root
    frame = skin_surface(lab, cues.redness.vessels, scene.direction, streams.skin)
    frame = draw_stains(frame, scene.confusers, streams.stains)
    if cues.scales:
        frame = draw_scales(frame, cues.scales)
    frame = draw_glints(frame, scene.direction, cues.hair, streams.skin)
    draw_pores(frame, cues.hair, streams.skin)
    if cues.oil:
        draw_oil(frame, cues.oil)
    draw_pustules(frame, cues.pustules, streams.spots)
    above = draw_hair(frame, cues.hair, streams.hairs)
    if cues.oil:
        draw_gloss(frame, cues.oil)
    if cues.flakes:
        frame = draw_flakes(frame, cues.flakes, above)  # dry flakes lie on the oil
    frame = draw_before_lens(frame, scene.confusers, streams.stains)
    return photograph(frame, scene, streams.camera)
