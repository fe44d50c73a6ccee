"""Circles and depths in what refers to what."""

from __future__ import annotations

from collections.abc import Callable, Iterable

Edges = Callable[[str], Iterable[str]]


def explore(roots: Iterable[str], edges: Edges) -> tuple[list[list[str]], dict[str, int]]:
    """Circles, each once and beginning where it was entered, and of every node the length of its longest way on.

    Without recursion: how deep a file goes is its writer's choice.
    """
    circles: list[list[str]] = []
    depths: dict[str, int] = {}
    for root in roots:
        if root in depths:
            continue
        path, on_path = [root], {root}
        branches = [iter(list(edges(root)))]
        longest = [0]
        while path:
            following = next(branches[-1], None)
            if following is None:
                depths[path[-1]] = depth = longest.pop()
                on_path.remove(path.pop())
                branches.pop()
                if longest:
                    longest[-1] = max(longest[-1], depth + 1)
            elif following in on_path:
                circles.append(path[path.index(following) :])
            elif following in depths:
                longest[-1] = max(longest[-1], depths[following] + 1)
            else:
                path.append(following)
                on_path.add(following)
                branches.append(iter(list(edges(following))))
                longest.append(0)
    return circles, depths
