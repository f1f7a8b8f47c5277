"""What options begin with in common stands once, and every token of every option is predicted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinprompt.backbone.option_tree import OptionTree, tree_of

OPTIONS = st.lists(st.lists(st.integers(0, 3), max_size=6), max_size=12)


def spelled(tree: OptionTree, node: int) -> tuple[int, ...]:
    """The tokens from the text to a node, by who sees whom."""
    above = [k for k in range(node + 1) if node < tree.until[k]]
    return tuple(tree.ids[k] for k in above)


@given(OPTIONS)
def test_nodes_are_the_distinct_beginnings(options: list[list[int]]) -> None:
    tree = tree_of(options)
    found = [spelled(tree, node) for node in range(len(tree.ids))]
    expected = {tuple(option[:k]) for option in options for k in range(1, len(option))}
    assert len(found) == len(expected)
    assert set(found) == expected
    assert tree.depth == tuple(len(tokens) - 1 for tokens in found)


@given(OPTIONS)
def test_every_token_of_an_option_is_predicted_where_it_follows(options: list[list[int]]) -> None:
    tree = tree_of(options)
    assert tree.count == len(options)
    for number, option in enumerate(options):
        edges = [e for e, of in zip(tree.edge, tree.option, strict=True) if of == number]
        assert [tree.token[e] for e in edges] == option
        for k, e in enumerate(edges):
            before = () if tree.parent[e] < 0 else spelled(tree, tree.parent[e])
            assert before == tuple(option[:k])
    # No edge is there twice, none is unused, and every node was worth reading.
    assert len({*zip(tree.parent, tree.token, strict=True)}) == len(tree.token)
    assert set(tree.edge) == set(range(len(tree.token)))
    assert set(range(len(tree.ids))) <= set(tree.parent)


@pytest.mark.parametrize(
    ("options", "columns"),
    [
        ([[1, 9], [2, 9], [3, 9]], 3),
        ([[1, 2, 3, 9], [1, 2, 4, 9], [1, 9]], 4),
        ([[9]], 0),
        ([[1, 2, 3, 9]] * 5, 3),
        ([], 0),
    ],
)
def test_columns_of_some_options(options: list[list[int]], columns: int) -> None:
    assert len(tree_of(options).ids) == columns


def test_the_same_options_are_one_tree() -> None:
    assert tree_of([[1, 2], [1, 3]]) is tree_of(((1, 2), (1, 3)))
