"""One closed answer from the answers of several windows.

Each window gives every option a probability. For the whole note an option has

- that of its best window: what decides a question usually stands in one place, and a mean would let
  the windows that say nothing outvote it, the more of them the longer the note;
- but the lowest of all windows if it says that there is nothing (one of the card's
  ``negative_labels``, no answer in the context): that must hold everywhere.

These values are divided by their sum. One window gives its own probabilities.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence


def pooled(
    windows: Sequence[Mapping[str, float]], negative: Collection[str] = ()
) -> dict[str, float]:
    """The probabilities of the options given all windows; they sum to 1.

    Args:
        windows: for each window, label -> probability; the same labels everywhere, at least one.
        negative: labels that say that there is nothing.
    """
    if len(windows) == 1:
        return dict(windows[0])
    every = set(negative) >= set(windows[0])  # then there is nothing to tell them from
    found = {
        label: (min if label in negative and not every else max)(
            shares[label] for shares in windows
        )
        for label in windows[0]
    }
    total = sum(found.values())
    return {label: share / total for label, share in found.items()}


def best(shares: Mapping[str, float]) -> str:
    """The most probable label, of equally probable ones the first."""
    return max(shares, key=lambda label: shares[label])
