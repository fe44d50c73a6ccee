"""Draws a picture of the mesh as an SVG file that needs nothing else."""

from __future__ import annotations

import math
from html import escape
from itertools import combinations

from node.cli.mapping.picture import Dot, Pair, Picture

LENGTH, MARGIN = 150, 90
"""Of the shorter lines, and around the picture, in pixels."""
GRAVITY = 0.3
"""What keeps parts together that no line joins."""
ROUNDS = 150
"""Steps in which the layout settles."""

Point = tuple[float, float]


def layout(nodes: list[bytes], lines: list[Pair]) -> dict[bytes, Point]:
    """Where each node is drawn, from 0 on: linked ones near each other, those without links in a row below.

    The same graph, the same places. Source: Fruchterman and Reingold, "Graph Drawing by Force-directed
    Placement" (1991).
    """
    linked = [node for node in nodes if any(node in pair for pair in lines)]
    count = len(linked)
    places = [(math.cos(2 * math.pi * n / count), math.sin(2 * math.pi * n / count)) for n in range(count)]
    index = {node: number for number, node in enumerate(linked)}
    edges = [(index[one], index[other]) for one, other in lines]
    ideal = 1.5 / math.sqrt(max(count, 1))
    for step in range(ROUNDS):
        places = _moved(places, edges, ideal, 0.2 * (1 - step / ROUNDS))
    found = dict(zip(linked, _scaled(places, edges), strict=True))
    below = max((y for _, y in found.values()), default=-LENGTH) + LENGTH
    alone = [node for node in nodes if node not in found]
    return found | {node: (number * LENGTH, below) for number, node in enumerate(alone)}


def _moved(places: list[Point], edges: list[tuple[int, int]], ideal: float, most: float) -> list[Point]:
    forces = [[0.0, 0.0] for _ in places]

    def push(one: int, other: int, strength: float, x: float, y: float) -> None:
        for number, sign in ((one, 1), (other, -1)):
            forces[number][0] += sign * strength * x
            forces[number][1] += sign * strength * y

    for one, other in combinations(range(len(places)), 2):
        x, y = places[one][0] - places[other][0], places[one][1] - places[other][1]
        push(one, other, ideal**2 / max(x * x + y * y, 1e-6), x, y)
    for one, other in edges:
        x, y = places[one][0] - places[other][0], places[one][1] - places[other][1]
        push(one, other, -math.hypot(x, y) / ideal, x, y)
    moved = []
    for (x, y), (right, down) in zip(places, forces, strict=True):
        right, down = right - GRAVITY * x, down - GRAVITY * y
        far = math.hypot(right, down) or 1.0
        moved.append((x + right / far * min(far, most), y + down / far * min(far, most)))
    return moved


def _scaled(places: list[Point], edges: list[tuple[int, int]]) -> list[Point]:
    """Moved to begin at 0, and so large that most lines have room for their text."""
    if not edges:
        return places
    lengths = sorted(math.dist(places[one], places[other]) for one, other in edges)
    scale = LENGTH / max(lengths[len(lengths) // 4], 1e-6)
    left, top = min(x for x, _ in places), min(y for _, y in places)
    return [((x - left) * scale, (y - top) * scale) for x, y in places]


STYLE = """
text { font: 13px system-ui, sans-serif; text-anchor: middle; fill: #1f2933 }
text { paint-order: stroke; stroke: #fff; stroke-width: 4px; stroke-linejoin: round }
.note, .way { font-size: 11px; fill: #66788a }
line { stroke: #9fb3c8; stroke-width: 1.5 }
circle { fill: #e4ecf4; stroke: #486581; stroke-width: 1.5 }
.here circle { fill: #ffe9b8; stroke: #b7791f }
.lost circle { fill: #fff; stroke: #cbd2d9; stroke-dasharray: 4 3 }
.lost text { fill: #9aa5b1 }
"""


def draw(picture: Picture) -> str:
    """A whole SVG file. Whatever is in a name is text."""
    nodes = sorted(picture.dots)
    lines = {ends: line for ends, line in picture.lines.items() if set(ends) <= picture.dots.keys()}
    places = {node: (MARGIN + x, MARGIN + y) for node, (x, y) in layout(nodes, sorted(lines)).items()}
    wide = round(max((x for x, _ in places.values()), default=0) + MARGIN)
    high = round(max((y for _, y in places.values()), default=0) + MARGIN)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}" height="{high}">',
        f"<style>{STYLE}</style>",
        f'<rect width="{wide}" height="{high}" fill="#fff"/>',
        *(_line(places[one], places[other]) for one, other in sorted(lines)),
        *(_way(places[one], places[other], lines[one, other].text) for one, other in sorted(lines)),
        *(_dot(places[node], picture.dots[node]) for node in nodes),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _line(one: Point, other: Point) -> str:
    return f'<line x1="{one[0]:.1f}" y1="{one[1]:.1f}" x2="{other[0]:.1f}" y2="{other[1]:.1f}"/>'


def _way(one: Point, other: Point, text: str) -> str:
    x, y = (one[0] + other[0]) / 2, (one[1] + other[1]) / 2
    return f'<text class="way" x="{x:.1f}" y="{y + 4:.1f}">{escape(text)}</text>'


def _dot(place: Point, dot: Dot) -> str:
    x, y = place
    look = "here" if dot.here else "" if dot.reachable else "lost"
    note = f'<text class="note" x="{x:.1f}" y="{y + 41:.1f}">{escape(dot.note)}</text>' if dot.note else ""
    return (
        f'<g class="{look}"><circle cx="{x:.1f}" cy="{y:.1f}" r="11"/>'
        f'<text x="{x:.1f}" y="{y + 27:.1f}">{escape(dot.name)}</text>{note}</g>'
    )
