"""Pustules on follicles: halos, domes, crusts."""

import math
from collections.abc import Sequence

import cv2
import numpy as np

from scalp_core.synthetic.version_2.canvas import (
    HEIGHT,
    SOFT,
    SOFT_HEIGHT,
    SOFT_WIDTH,
    WIDTH,
    Field,
    Pixels,
    at_severity,
    blend,
    blend_spot,
    direction_of,
    fill,
    inside,
    ragged,
    scattered,
    smoothstep,
    window,
)
from scalp_core.synthetic.version_2.scene import Follicle, Hair, Pustule

# Severities from which the pustules of a frame show: one, then two or three, then several.
ONSETS = (0.4, 1.5, 1.75, 2.35, 2.55, 2.75)
LONE_SHARE = 0.35  # of the frames, in which one pustule ripens before there is a second
LONE_ONSETS = (0.4, 2.3, 2.4, 2.5, 2.6, 2.8)
RIPENING = (1.9, 3.2)  # severities between which a halo gets its dome
WELL_INSIDE = 45.0  # px from a halo's centre to the frame's edge
HALO_RADIUS = (26.5, 28.5)  # px, before it grows
HALO_GROWTH = 3.0
HALO_REDNESS = 42.0  # in a*, next to the follicle
# Skin that is red all over has less room to redden (above REDDEST - REDNESS_ROOM in a*): there a halo is darker.
REDDEST = 54.0
REDNESS_ROOM = 42.0
BEHIND_PORE = 4.5  # px from where the hairs leave to the middle of the halo
DOME_RADIUS = (10.0, 12.5)  # px, ripe
CRUST_SHARE = (0.0, 0.0, 0.08, 0.4)
LAMP = np.array([-0.6, -0.8])  # unit vector: where in the picture the light comes from

DOME_COLOUR = (224, 204, 150)
DOME_RIM_COLOUR = (196, 138, 108)
DOME_TOP_COLOUR = (245, 238, 210)
CRUST_EDGE_COLOUR = (112, 74, 52)
CRUST_COLOURS = ((154, 114, 72), (182, 146, 98), (134, 92, 62), (168, 124, 80))
CRUST_OPACITY = 0.85
CRUST_REACH = 26.0  # px


def plan_pustules(severity: float, hair: Hair, generator: np.random.Generator) -> tuple[Pustule, ...]:
    """Plan one halo at grade 1, two or three or a pustule at 2, more with heads and crusts at 3, each on a follicle."""
    lone = bool(generator.random() < LONE_SHARE)
    onsets = LONE_ONSETS if lone else ONSETS
    sites = _sites(hair, generator)[: len(onsets)]
    crusted = at_severity(severity, CRUST_SHARE)
    pustules = []
    for number, (onset, site, own) in enumerate(zip(onsets, sites, generator.spawn(len(onsets)), strict=False)):
        ripe = onset + 1.0 if lone and number == 0 else float(own.uniform(*RIPENING))
        grown = min(1.0, (severity - onset - own.uniform(-0.08, 0.08)) / 0.8)
        if grown > 0.0:
            pustules.append(_pustule(site, grown, (severity - ripe) / 0.8, crusted, own))
    return tuple(pustules)


def _sites(hair: Hair, generator: np.random.Generator) -> list[Follicle]:
    """Return follicles well inside the frame in random order; where hair has gone, pores of invisible ones."""
    shuffled = [hair.follicles[int(number)] for number in generator.permutation(len(hair.follicles))]
    bare = [Follicle(place, float(generator.uniform(0, 6)), True) for place in scattered(6, WELL_INSIDE, generator)]
    return [follicle for follicle in shuffled if bool(inside(follicle.centre, WELL_INSIDE))] + bare


def _pustule(site: Follicle, grown: float, ripe: float, crusted: float, own: np.random.Generator) -> Pustule:
    halo = float(own.uniform(*HALO_RADIUS)) + HALO_GROWTH * (grown - 0.5)
    dome = float(own.uniform(*DOME_RADIUS)) * min(1.0, 0.7 + 0.3 * ripe)
    crust = bool(own.random() < crusted)
    # The hairs leave on one side and would hide a dome right on the pore.
    behind = -direction_of(site.angle)
    head = site.centre + behind * dome * 0.95
    centre = site.centre + behind * BEHIND_PORE
    return Pustule(centre, halo, 0.5 + 0.5 * grown, head, dome if ripe > 0 else 0.0, crust, own.uniform(0, 6, 2))


def add_halos(lab: Field, pustules: Sequence[Pustule]) -> None:
    """Add halos, reddest next to the follicle, fading into an irregular rim; a little swollen, so one side is lit."""
    for pustule in pustules:
        rows, columns, x, y = window(pustule.centre / SOFT, pustule.halo * 1.5 / SOFT, SOFT_WIDTH, SOFT_HEIGHT)
        distance = _lobed(x, y, pustule, 0.14) / np.float32(pustule.halo / SOFT)
        glow = (0.5 * (1.0 - smoothstep(distance, 0.5, 1.25)) + 0.5 * np.exp(-3.0 * distance**2)) * pustule.redness
        lit = (x * LAMP[0] + y * LAMP[1]) / (pustule.halo / SOFT) * (1.0 - smoothstep(distance, 0.5, 1.4))
        part = lab[rows, columns]
        room = np.clip((REDDEST - part[..., 1]) / REDNESS_ROOM, 0.3, 1.0)
        part[..., 0] += 5.0 * lit - (17.0 - 8.0 * room) * glow
        part[..., 1] += HALO_REDNESS * glow * room
        part[..., 2] += 6.5 * glow


def _lobed(x: Field, y: Field, pustule: Pustule, depth: float) -> Field:
    """Return the distance from the middle of a shape that is not quite round."""
    angle = np.arctan2(y, x)
    twofold, threefold = pustule.phases
    lobes = 1.0 + depth * np.cos(2 * angle + twofold) + 0.6 * depth * np.cos(3 * angle + threefold)
    return np.asarray(np.sqrt(x**2 + y**2) * lobes, dtype=np.float32)


def draw_pustules(frame: Pixels, pustules: Sequence[Pustule], generator: np.random.Generator) -> None:
    for pustule, own in zip(pustules, generator.spawn(len(pustules)), strict=True):
        if pustule.dome:
            _draw_dome(frame, pustule)
        if pustule.crust:
            _draw_crust(frame, pustule, own)


def _draw_dome(frame: Pixels, pustule: Pustule) -> None:
    """Draw a blister: translucent rim, yellow-white body lighter towards the lamp, one specular point."""
    rows, columns, x, y = window(pustule.head, pustule.dome * 1.4, WIDTH, HEIGHT)
    distance = _lobed(x, y, pustule, 0.1) / np.float32(pustule.dome)
    patch = frame[rows, columns]
    blend(patch, DOME_RIM_COLOUR, 0.7 * (1.0 - smoothstep(distance, 0.85, 1.3)))
    blend(patch, DOME_COLOUR, 0.88 * (1.0 - smoothstep(distance, 0.65, 1.05)))
    off_top = np.hypot(x / pustule.dome - 0.22 * LAMP[0], y / pustule.dome - 0.22 * LAMP[1])
    blend(patch, DOME_TOP_COLOUR, 0.85 * (1.0 - smoothstep(off_top, 0.1, 0.72)))
    blend_spot(frame, pustule.head + LAMP * pustule.dome * 0.42, 1.2 + 0.09 * pustule.dome, (255, 255, 252), 0.95, 0.5)


def _draw_crust(frame: Pixels, pustule: Pustule, generator: np.random.Generator) -> None:
    """Draw dried secretion: a few ragged brownish-yellow crumbs beside the head."""
    place = pustule.head + direction_of(generator.uniform(0, 2 * math.pi)) * max(pustule.dome * 0.8, 5.0)
    rows, columns, _, _ = window(place, CRUST_REACH, WIDTH, HEIGHT)
    patch = frame[rows, columns]
    crumbs, alpha = patch.copy(), np.zeros(patch.shape[:2], dtype=np.uint8)
    origin = place - (columns.start, rows.start)
    for colour in CRUST_COLOURS:
        crumb = ragged(origin + generator.normal(0, 4.0, 2), generator.uniform(4, 7.5), generator)
        fill(alpha, crumb, (255 * CRUST_OPACITY,))
        fill(crumbs, crumb - LAMP * 1.2, CRUST_EDGE_COLOUR)
        fill(crumbs, crumb, colour)
    softened = cv2.GaussianBlur(crumbs, (3, 3), 0.8).astype(np.float32)
    blend(patch, softened, cv2.GaussianBlur(alpha, (3, 3), 0.8).astype(np.float32) / np.float32(255.0))
