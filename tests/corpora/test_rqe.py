"""RQE's pairs of questions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from clinprompt.corpora.identity import text_id
from clinprompt.errors import ClinpromptError
from clinprompt.examples import Example, LabelAnswer, PremiseInput


def xml(folder: Path, *pairs: str, name: str = "train.xml") -> Path:
    path = folder / name
    path.write_text("<RQE>\n" + "\n".join(pairs) + "\n</RQE>\n")
    return path


def pair(pid: str, value: str, chq: str = "\n  long\n", faq: str = "\n  short?\n") -> str:
    return f'<pair pid="{pid}" value="{value}"><chq>{chq}</chq><faq>{faq}</faq></pair>'


def test_pairs(tmp_path: Path, run_reader: Callable) -> None:
    one = xml(tmp_path, pair("1", "true"), pair("2", "False"), pair("3", "true", chq=" "))
    two = xml(tmp_path, pair("1", "true"), name="test.xml")
    examples, report = run_reader("rqe", [one, two])
    assert examples[0] == Example(
        "train:1", text_id("long"), PremiseInput("long", "short?"), LabelAnswer("true")
    )
    assert [example.id for example in examples] == ["train:1", "train:2", "test:1"]
    assert examples[1].answer == LabelAnswer("false")
    assert examples[1].document == examples[0].document
    assert report.counts == {"empty question": 1}


@pytest.mark.parametrize(
    ("code", "pairs", "message"),
    [
        ("CP-DATA-051", [pair("4", "maybe")], "unknown value of pair 4: 'maybe'"),
        ("CP-DATA-050", [pair("4", "true"), pair("4", "true")], "id 'train:4' stands twice"),
        ("CP-DATA-052", ["<pair pid='4'/>"], "pair 4: field 'value' is missing"),
        ("CP-DATA-052", ["<pair value='true'/>"], "pair 1: field 'pid' is missing"),
        ("CP-DATA-073", ["<pair>"], r"train\.xml:3: not well-formed"),
    ],
)
def test_malformed_pairs_are_refused(
    tmp_path: Path, run_reader: Callable, code: str, pairs: list[str], message: str
) -> None:
    with pytest.raises(ClinpromptError, match=message) as caught:
        run_reader("rqe", xml(tmp_path, *pairs))
    assert caught.value.code == code
