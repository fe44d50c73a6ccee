"""Graphs to order, as scenarios are written."""

from __future__ import annotations

import math
from itertools import pairwise
from random import Random

from node.simulator.scenario import Change, LinkEntry, NodeEntry, Part, Scenario

Point = tuple[float, float]


def links(pairs: list[tuple[int, int]], latency_ms: float = 1.0) -> list[LinkEntry]:
    return [LinkEntry(str(one), str(other), latency_ms) for one, other in pairs]


def line(count: int) -> list[LinkEntry]:
    return links(list(pairwise(range(count))))


def ring(count: int) -> list[LinkEntry]:
    return links([(number, (number + 1) % count) for number in range(count)])


def grid(width: int, height: int) -> list[LinkEntry]:
    right = [(row * width + column, row * width + column + 1) for row in range(height) for column in range(width - 1)]
    down = [(row * width + column, (row + 1) * width + column) for row in range(height - 1) for column in range(width)]
    return links(right + down)


def tree(count: int, children: int = 2) -> list[LinkEntry]:
    return links([((number - 1) // children, number) for number in range(1, count)])


def star(count: int) -> list[LinkEntry]:
    """Node 0 is the hub of all others."""
    return links([(0, number) for number in range(1, count)])


def within(points: list[Point], radius: float) -> list[LinkEntry]:
    """Links of all points that are at most `radius` apart."""
    return links(
        [
            (one, other)
            for one in range(len(points))
            for other in range(one + 1, len(points))
            if math.dist(points[one], points[other]) <= radius
        ]
    )


def geometric(count: int, side: float, radius: float, random: Random) -> list[LinkEntry]:
    """Points at random on a square."""
    return within([(random.uniform(0, side), random.uniform(0, side)) for _ in range(count)], radius)


def biconnected(count: int, extra: int, random: Random) -> list[LinkEntry]:
    """A ring in a random order, and chords: no one link or node takes it apart."""
    order = random.sample(range(count), count)
    pairs = {tuple(sorted((order[index], order[(index + 1) % count]))) for index in range(count)}
    while len(pairs) < count + extra:
        pairs.add(tuple(sorted(random.sample(range(count), 2))))
    return links([(one, other) for one, other in sorted(pairs)])


def mobility(
    count: int, links_wanted: int, step: float, every: float, duration: float, random: Random, side: float = 1000.0
) -> Scenario:
    """Nodes on a square, each of which moves `step` in a direction of its own `every` seconds. They are linked within
    the radius that gives about `links_wanted` links at the start, and links vanish silently."""
    points = [(random.uniform(0, side), random.uniform(0, side)) for _ in range(count)]
    distances = sorted(math.dist(one, other) for place, one in enumerate(points) for other in points[:place])
    radius = distances[min(links_wanted, len(distances)) - 1]
    first, changes = within(points, radius), []
    for number in range(1, math.ceil(duration / every)):
        points = [_moved(point, step, side, random) for point in points]
        changes.append(Change(number * every, graph=Part(links=within(points, radius))))
    return Scenario(first, _nodes(count), duration, silent=True, changes=changes)


def churn(count: int, share: float, duration: float, random: Random) -> Scenario:
    """Each second a share of the nodes dies silently and as many new ones join, each linked to four that live."""
    living = [str(number) for number in range(count)]
    first = [LinkEntry(link.source, link.target) for link in biconnected(count, 2 * count, random)]
    fresh, changes = count, []
    for second in range(1, math.ceil(duration)):
        dying = random.sample(living, max(1, round(share * count)))
        living = [name for name in living if name not in dying]
        joining = [str(fresh + number) for number in range(len(dying))]
        fresh += len(dying)
        joined = [LinkEntry(name, other) for name in joining for other in random.sample(living, 4)]
        living += joining
        changes.append(Change(float(second), remove=Part(nodes=_named(dying)), add=Part(links=joined)))
    return Scenario(first, _nodes(count), duration, silent=True, changes=changes)


def _moved(point: Point, step: float, side: float, random: Random) -> Point:
    angle = random.uniform(0, 2 * math.pi)
    x, y = point[0] + step * math.cos(angle), point[1] + step * math.sin(angle)
    return min(max(x, 0.0), side), min(max(y, 0.0), side)


def _nodes(count: int) -> list[NodeEntry]:
    return _named([str(number) for number in range(count)])


def _named(names: list[str]) -> list[NodeEntry]:
    return [NodeEntry(name) for name in names]
