from __future__ import annotations

import pytest

from clinprompt.experiments.report.marks import mark


def entity(start: int, end: int, label: str = "Drug") -> dict[str, object]:
    return {"label": label, "spans": [[start, end]], "text": "x"}


def relation(head: int, tail: int) -> dict[str, object]:
    return {"label": "treats", "head": entity(head, head + 1), "tail": entity(tail, tail + 1)}


ONE, TWO, OTHER = entity(0, 4), entity(9, 12), entity(0, 5)


@pytest.mark.parametrize(
    ("gold", "answer", "expected"),
    [
        ({"entities": [ONE, TWO]}, {"entities": [TWO, ONE]}, 1.0),
        ({"entities": [ONE, TWO]}, {"entities": [ONE, OTHER]}, 0.5),
        ({"entities": [ONE]}, {"entities": [entity(0, 4, "Disease")]}, 0.0),
        ({"entities": [ONE]}, None, 0.0),
        ({"entities": []}, {"entities": []}, 1.0),
        ({"entities": []}, None, 0.0),
        ({"entities": []}, {"entities": [ONE]}, 0.0),
        ({"relations": [relation(0, 5)]}, {"relations": [relation(0, 5)]}, 1.0),
        ({"relations": [relation(0, 5)]}, {"relations": [relation(5, 0)]}, 0.0),
        ({"label": "yes"}, {"label": "yes", "probabilities": {"yes": 0.9}}, 1.0),
        ({"label": "yes"}, {"label": "no"}, 0.0),
        ({"label": "yes"}, None, 0.0),
        ({"spans": [[0, 3]], "text": "the flu"}, {"spans": [[4, 7]], "text": "flu shot"}, 2 / 3),
        ({"spans": [], "text": ""}, {"spans": [], "text": ""}, 1.0),
        ({"spans": [], "text": ""}, {"spans": [[0, 1]], "text": "a"}, 0.0),
        ({"spans": [], "text": ""}, None, 0.0),
        ({"text": "no fever"}, {"text": "no fever"}, 1.0),
        ({"text": "a b", "references": ["no fever"]}, {"text": "no fever"}, 1.0),
        ({"text": "no fever"}, None, 0.0),
        (None, {"label": "yes"}, None),
        ({"strange": 1}, {"label": "yes"}, None),
    ],
)
def test_mark(gold, answer, expected):
    found = mark(gold, answer)
    assert found == (None if expected is None else pytest.approx(expected))
