"""The answer options of a row as a tree: what several begin with stands once.

Every token but an option's last one is read by the backbone, so it is a node with a column of its
own; every token, the last one too, is predicted, which is an edge. Nodes stand depth first, so that
what stands under a node is a run of columns behind it (`masks.visibility`).

Shapes: N nodes, E edges, M tokens of all options.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

Options = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class OptionTree:
    """What is read and what is predicted to score a set of options.

    Attributes:
        ids: [N] token of each node.
        depth: [N] tokens of its option before it: its position behind the text.
        until: [N] the node at which what stands under each node ends.
        parent: [E] the node that predicts each edge's token; -1 is the end of the text.
        token: [E] the token predicted.
        edge: [M] for every token of every option, the edge that predicts it.
        option: [M] the option it belongs to.
        count: number of options.
    """

    ids: tuple[int, ...]
    depth: tuple[int, ...]
    until: tuple[int, ...]
    parent: tuple[int, ...]
    token: tuple[int, ...]
    edge: tuple[int, ...]
    option: tuple[int, ...]
    count: int


def tree_of(options: Sequence[Sequence[int]]) -> OptionTree:
    """The tree of some options; rows of the same card share one."""
    return _built(tuple(map(tuple, options)))


@lru_cache(maxsize=1024)
def _built(options: Options) -> OptionTree:
    ids: list[int] = []
    depth: list[int] = []
    until: list[int] = []
    edges: list[tuple[int, int]] = []
    paths: dict[tuple[int, ...], list[int]] = {}
    trail: list[tuple[int, int | None]] = []  # edge and node of each token of the option before
    previous: tuple[int, ...] = ()
    for option in sorted(set(options)):  # in this order, what begins alike lies together
        shared = _alike(previous, option)
        for _, node in trail[shared:]:
            if node is not None:
                until[node] = len(ids)
        del trail[shared:]
        for k in range(shared, len(option)):
            parent = -1
            if k:
                edge, node = trail[-1]
                if node is None:  # read only if something follows
                    node = len(ids)
                    ids.append(option[k - 1])
                    depth.append(k - 1)
                    until.append(0)
                    trail[-1] = edge, node
                parent = node
            trail.append((len(edges), None))
            edges.append((parent, option[k]))
        paths[option] = [edge for edge, _ in trail]
        previous = option
    for _, node in trail:
        if node is not None:
            until[node] = len(ids)
    return OptionTree(
        tuple(ids),
        tuple(depth),
        tuple(until),
        tuple(parent for parent, _ in edges),
        tuple(token for _, token in edges),
        tuple(edge for option in options for edge in paths[option]),
        tuple(number for number, option in enumerate(options) for _ in option),
        len(options),
    )


def _alike(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two options begin with in common."""
    count = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        count += 1
    return count
