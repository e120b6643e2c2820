"""One frame: which layers there are and in which order. Every layer has its own random stream, so that changing one
severity leaves all that belongs to the others in its place (but oil makes the hairs of a follicle cling together).
"""

import numpy as np

from scalp_core.labels import CONDITIONS, Condition
from scalp_core.synthetic.version_2.camera import photograph
from scalp_core.synthetic.version_2.canvas import Pixels
from scalp_core.synthetic.version_2.confusers import draw_before_lens, draw_stains
from scalp_core.synthetic.version_2.dandruff import add_plates
from scalp_core.synthetic.version_2.erythema import redden, vessel_mask
from scalp_core.synthetic.version_2.hair import draw_hair, plan_hair, shade_under_hair
from scalp_core.synthetic.version_2.pustules import add_halos, draw_pustules, plan_pustules
from scalp_core.synthetic.version_2.scaling import add_lace
from scalp_core.synthetic.version_2.scene import Scene
from scalp_core.synthetic.version_2.sebum import add_gloss, draw_plugs, gloss_mask, wet_skin
from scalp_core.synthetic.version_2.skin import draw_pores, draw_ticks, skin_surface, soft_skin


def render(scene: Scene, generator: np.random.Generator) -> Pixels:
    """Render one frame, (480, 640, 3) RGB. The same scene and generator state give the same pixels."""
    skin, hairs, gloss, flakes, lace, redness, spots, stains, camera = generator.spawn(9)
    level = {condition: float(scene.severities[condition]) for condition in CONDITIONS}
    hair = plan_hair(level[Condition.HAIR_LOSS], scene, hairs)
    pustules = plan_pustules(level[Condition.PUSTULES], hair, spots)
    wet = gloss_mask(level[Condition.EXCESS_SEBUM], hair, gloss)

    lab = soft_skin(scene, skin)
    redden(lab, level[Condition.ERYTHEMA], redness)
    shade_under_hair(lab, hair)
    add_halos(lab, pustules)  # inflamed skin hides the blue of a root
    wet_skin(lab, level[Condition.EXCESS_SEBUM], wet, gloss)
    frame = skin_surface(lab, vessel_mask(level[Condition.ERYTHEMA], redness), scene.direction, skin)
    frame = draw_stains(frame, scene.confusers, stains)
    frame = add_lace(frame, level[Condition.FINE_SCALING], hair, lace)
    draw_ticks(frame, scene.direction, skin)
    draw_pores(frame, hair, skin)
    draw_pustules(frame, pustules, spots)
    draw_plugs(frame, level[Condition.EXCESS_SEBUM], hair, gloss)
    above = draw_hair(frame, hair, hairs)
    frame = add_gloss(frame, wet)
    frame = add_plates(frame, level[Condition.DANDRUFF], hair, above, flakes)  # dry flakes lie on the oil
    frame = draw_before_lens(frame, scene.confusers, stains)
    return photograph(frame, scene, camera)
