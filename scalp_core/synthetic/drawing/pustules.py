"""Pustules on follicles: a magenta field over several roots, halos, clear droplets at the pores, few domes, crusts."""

import math
from collections.abc import Sequence

import cv2
import numpy as np

from scalp_core.synthetic.drawing.canvas import (
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
from scalp_core.synthetic.drawing.scene import Follicle, Hair, Pustule

# Severities from which the lesions of a frame show: one, then three, then a cluster of many.
ONSETS = (0.4, 1.45, 1.7, 2.1, 2.3, 2.5, 2.65, 2.8)
RIPENING = (0.5, 1.3)  # severities between the onset of a halo and its droplet
WELL_INSIDE = 40.0  # px from a halo's centre to the frame's edge
GATHERING = 150.0  # px; beyond it a follicle is rarely one of the cluster
HALO_RADIUS = (30.0, 42.0)  # px, before it grows
HALO_GROWTH = 8.0
HALO_REDNESS = 24.0  # in a*, next to the follicle
FIELD_RADII = 2.6  # of a halo, that its faint magenta surroundings reach
FIELD_REDNESS = 12.0  # in a*
BLUENESS, FIELD_BLUENESS = -2.0, -2.6  # Δb* of halo and field: magenta, not orange
# Skin that is red all over has less room to redden (above REDDEST - REDNESS_ROOM in a*): there a halo is darker.
REDDEST = 54.0
REDNESS_ROOM = 42.0
BEHIND_PORE = 4.5  # px from where the hairs leave to the middle of the halo
DROPLET_RADIUS = (7.5, 15.0)  # px, ripe
DOME_SHARE = 0.25  # of the droplets, which have become yellow-white and opaque
CRUST_SHARE = (0.0, 0.0, 0.08, 0.35)
LAMP = np.array([-0.6, -0.8])  # unit vector: where in the picture the light comes from

DROPLET_COLOUR = (226, 206, 204)  # of what little a clear droplet scatters
DROPLET_RIM_COLOUR = (238, 236, 238)
DROPLET_SHADOW_COLOUR = (118, 62, 70)
GLINT_COLOUR = (240, 248, 252)
DOME_COLOUR = (224, 204, 150)
DOME_RIM_COLOUR = (196, 138, 108)
DOME_TOP_COLOUR = (245, 238, 210)
CRUST_EDGE_COLOUR = (112, 74, 52)
CRUST_COLOURS = ((154, 114, 72), (182, 146, 98), (134, 92, 62), (168, 124, 80))
CRUST_OPACITY = 0.85
CRUST_REACH = 26.0  # px


def plan_pustules(severity: float, hair: Hair, generator: np.random.Generator) -> tuple[Pustule, ...]:
    """Plan one lesion at grade 1, three at 2, a cluster with domes and crusts at 3, each on a follicle."""
    sites = _sites(hair, generator)[: len(ONSETS)]
    crusted = at_severity(severity, CRUST_SHARE)
    pustules = []
    for onset, site, own in zip(ONSETS, sites, generator.spawn(len(ONSETS)), strict=False):
        ripe = onset + float(own.uniform(*RIPENING))
        grown = min(1.0, (severity - onset - own.uniform(-0.08, 0.08)) / 0.8)
        if grown > 0.0:
            pustules.append(_pustule(site, grown, (severity - ripe) / 0.6, crusted, own))
    return tuple(pustules)


def _sites(hair: Hair, generator: np.random.Generator) -> list[Follicle]:
    """Return follicles well inside the frame, those about a first one before the others.

    Where hair has gone, pores of invisible ones follow.
    """
    shuffled = [hair.follicles[int(number)] for number in generator.permutation(len(hair.follicles))]
    bare = [Follicle(place, float(generator.uniform(0, 6)), True) for place in scattered(8, WELL_INSIDE, generator)]
    sites = [follicle for follicle in shuffled if bool(inside(follicle.centre, WELL_INSIDE))] + bare
    patience = GATHERING * generator.exponential(1.0, len(sites))
    away = np.array([np.linalg.norm(site.centre - sites[0].centre) for site in sites])
    return [sites[int(place)] for place in np.argsort(away + np.where(away > 0, patience, 0.0), kind="stable")]


def _pustule(site: Follicle, grown: float, ripe: float, crusted: float, own: np.random.Generator) -> Pustule:
    halo = float(own.uniform(*HALO_RADIUS)) + HALO_GROWTH * (grown - 0.5)
    radius = float(own.uniform(*DROPLET_RADIUS)) * min(1.0, 0.7 + 0.3 * ripe)
    crust, clear = bool(own.random() < crusted), bool(own.random() >= DOME_SHARE)
    # The hairs leave on one side and would hide a droplet right on the pore.
    behind = -direction_of(site.angle)
    head = site.centre + behind * radius * 0.8
    centre = site.centre + behind * BEHIND_PORE
    return Pustule(
        centre, halo, 0.5 + 0.5 * grown, head, radius if ripe > 0 else 0.0, crust, own.uniform(0, 6, 2), clear
    )


def add_halos(lab: Field, pustules: Sequence[Pustule]) -> None:
    """Add halos, reddest next to the follicle, in a magenta field; a little swollen, so one side is lit."""
    for pustule in pustules:
        reach = pustule.halo * FIELD_RADII
        rows, columns, x, y = window(pustule.centre / SOFT, reach / SOFT, SOFT_WIDTH, SOFT_HEIGHT)
        distance = _lobed(x, y, pustule, 0.14) / np.float32(pustule.halo / SOFT)
        glow = (0.5 * (1.0 - smoothstep(distance, 0.5, 1.25)) + 0.5 * np.exp(-3.0 * distance**2)) * pustule.redness
        field = (1.0 - smoothstep(distance, 0.6, 0.9 * FIELD_RADII)) * pustule.redness
        lit = (x * LAMP[0] + y * LAMP[1]) / (pustule.halo / SOFT) * (1.0 - smoothstep(distance, 0.5, 1.4))
        part = lab[rows, columns]
        room = np.clip((REDDEST - part[..., 1]) / REDNESS_ROOM, 0.2, 1.0)
        part[..., 0] += 4.0 * lit - (14.0 - 7.0 * room) * glow - 1.5 * field
        part[..., 1] += (HALO_REDNESS * glow + FIELD_REDNESS * field) * room
        part[..., 2] += BLUENESS * glow + FIELD_BLUENESS * field


def _lobed(x: Field, y: Field, pustule: Pustule, depth: float) -> Field:
    """Return the distance from the middle of a shape that is not quite round."""
    angle = np.arctan2(y, x)
    twofold, threefold = pustule.phases
    lobes = 1.0 + depth * np.cos(2 * angle + twofold) + 0.6 * depth * np.cos(3 * angle + threefold)
    return np.asarray(np.sqrt(x**2 + y**2) * lobes, dtype=np.float32)


def draw_pustules(frame: Pixels, pustules: Sequence[Pustule], generator: np.random.Generator) -> None:
    for pustule, own in zip(pustules, generator.spawn(len(pustules)), strict=True):
        if pustule.dome and pustule.clear:
            _draw_droplet(frame, pustule)
        elif pustule.dome:
            _draw_dome(frame, pustule)
        if pustule.crust:
            _draw_crust(frame, pustule, own)


def _draw_droplet(frame: Pixels, pustule: Pustule) -> None:
    """Draw a clear lens: a dark side and a bright rim across, a little haze, a highlight towards the lamp."""
    rows, columns, x, y = window(pustule.head, pustule.dome * 1.5, WIDTH, HEIGHT)
    distance = _lobed(x, y, pustule, 0.09) / np.float32(pustule.dome)
    towards = (x * LAMP[0] + y * LAMP[1]) / np.float32(pustule.dome)
    body = 1.0 - smoothstep(distance, 0.8, 1.1)
    rim = smoothstep(distance, 0.62, 0.92) * (1.0 - smoothstep(distance, 0.98, 1.2))
    patch = frame[rows, columns]
    blend(patch, DROPLET_SHADOW_COLOUR, 0.45 * body * smoothstep(towards, -0.1, 0.9))
    blend(patch, DROPLET_COLOUR, 0.34 * body * (1.0 - 0.6 * smoothstep(towards, -0.5, 0.6)))
    blend(patch, DROPLET_RIM_COLOUR, 0.62 * rim * (0.35 + 0.65 * smoothstep(-towards, -0.1, 0.9)))
    place = pustule.head + LAMP * pustule.dome * 0.45
    blend_spot(frame, place, 1.8 + 0.14 * pustule.dome, GLINT_COLOUR, 0.92, 0.5, 0.8)


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
