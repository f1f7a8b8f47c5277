"""Which mentions overlap, and the largest one-to-one pairing among them."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from clinprompt.examples import Span

Fragments = tuple[Span, ...]


def overlaps(left: Sequence[Fragments], right: Sequence[Fragments]) -> list[set[int]]:
    """For each mention of `left`, the indices in `right` that share a character with it.

    One sweep over all fragments by start, so the cost grows with the text and the overlaps, not
    with ``len(left) * len(right)``.
    """
    edges: list[set[int]] = [set() for _ in left]
    fragments = sorted(
        (start, end, side, index)
        for side, mentions in enumerate((left, right))
        for index, spans in enumerate(mentions)
        for start, end in spans
    )
    running: list[list[tuple[int, int]]] = [[], []]  # per side: (end, index) still open
    for start, end, side, index in fragments:
        other = [entry for entry in running[1 - side] if entry[0] > start]
        running[1 - side] = other
        for _, partner in other:
            if side == 0:
                edges[index].add(partner)
            else:
                edges[partner].add(index)
        running[side].append((end, index))
    return edges


def matching_size(edges: Sequence[set[int]]) -> int:
    """Size of a maximum bipartite matching.

    Args:
        edges: for each left node the right nodes it may be paired with.

    Returns:
        The largest number of pairs in which no node stands twice (Kuhn's augmenting paths; the
        search is a queue, so long chains of overlaps cannot exhaust the call stack).
    """
    left_of: dict[int, int] = {}
    right_of: dict[int, int] = {}
    for root in range(len(edges)):
        _augment(root, edges, left_of, right_of)
    return len(left_of)


def _augment(
    root: int, edges: Sequence[set[int]], left_of: dict[int, int], right_of: dict[int, int]
) -> None:
    """Pair `root`, moving earlier pairs where that makes room; no change if there is none."""
    reached_from: dict[int, int] = {}
    queue = deque([root])
    while queue:
        left = queue.popleft()
        for right in edges[left]:
            if right in reached_from:
                continue
            reached_from[right] = left
            if right in left_of:
                queue.append(left_of[right])
                continue
            free: int | None = right
            while free is not None:  # flip the path back to the root
                left = reached_from[free]
                left_of[free] = left
                displaced = right_of.get(left)
                right_of[left] = free
                free = displaced
            return
