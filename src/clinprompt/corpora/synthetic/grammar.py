"""Sentence patterns: alternatives, optional parts and slots in one line of text.

``(a|b|c)`` is one of several wordings, ``[x]`` is there half of the time, ``{name}`` is filled by
the caller (``{Name}``: with a capital at its start).  They nest.  Filling gives a `Fragment`, so
that marks of the fillers stay exact.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from clinprompt.corpora.synthetic.draw import Draw
from clinprompt.corpora.synthetic.fragment import Fragment, Text, concat

Filler = Text | Callable[[], Text]


@dataclass(frozen=True, slots=True)
class _Slot:
    name: str


@dataclass(frozen=True, slots=True)
class _Choice:
    options: tuple[tuple[_Node, ...], ...]


_Node = str | _Slot | _Choice


@cache
def parse(pattern: str) -> tuple[_Node, ...]:
    """The parts of a pattern."""
    nodes, end = _sequence(pattern, 0, "")
    assert end == len(pattern), pattern
    return nodes


def _sequence(pattern: str, at: int, stops: str) -> tuple[tuple[_Node, ...], int]:
    """Parts from `at` up to one of `stops`, and where that stands."""
    nodes: list[_Node] = []
    while at < len(pattern) and pattern[at] not in stops:
        sign = pattern[at]
        assert sign not in "|)]}", pattern
        if sign == "{":
            end = pattern.index("}", at)
            nodes.append(_Slot(pattern[at + 1 : end]))
            at = end + 1
        elif sign in "([":
            close = ")" if sign == "(" else "]"
            options: list[tuple[_Node, ...]] = [()] if sign == "[" else []
            while pattern[at] != close:
                option, at = _sequence(pattern, at + 1, "|" + close)
                options.append(option)
            if sign == "[":  # left out half of the time, however many wordings there are
                options = [()] * (len(options) - 1) + options[1:]
            nodes.append(_Choice(tuple(options)))
            at += 1
        else:
            end = at
            while end < len(pattern) and pattern[end] not in "{([|)]}":
                end += 1
            nodes.append(pattern[at:end])
            at = end
    return tuple(nodes), at


def fill(pattern: str, draw: Draw, slots: Mapping[str, Filler] | None = None) -> Fragment:
    """A text of the pattern: alternatives drawn, slots filled, plain words now and then misspelt.

    A filler that is called is called once for each place its slot stands at.
    """
    parts: list[Text] = []
    _expand(parse(pattern), draw, slots or {}, parts)
    return concat(parts)


def _expand(
    nodes: Sequence[_Node], draw: Draw, slots: Mapping[str, Filler], parts: list[Text]
) -> None:
    for node in nodes:
        if isinstance(node, str):
            parts.append(draw.misspelt(node))
        elif isinstance(node, _Slot):
            filler = slots[node.name[0].lower() + node.name[1:]]
            text = filler() if callable(filler) else filler
            if node.name[0].isupper():
                text = concat((text,)).capitalised()
            parts.append(text)
        else:
            _expand(draw.pick(node.options), draw, slots, parts)


def sentence(pattern: str, draw: Draw, slots: Mapping[str, Filler] | None = None) -> Fragment:
    """A text of the pattern with a capital at its start."""
    return fill(pattern, draw, slots).capitalised()
