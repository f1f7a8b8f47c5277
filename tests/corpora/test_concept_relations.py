"""Tasks made of PubTator documents."""

from __future__ import annotations

from pathlib import Path

import pytest

from clinprompt.corpora import Report, read
from clinprompt.errors import ClinpromptError
from clinprompt.examples import (
    EntityAnswer,
    Example,
    LabelAnswer,
    PairInput,
    RelationAnswer,
    TextInput,
)

# Drugs A (D1), B (D2) and X (no concept); diseases: "p and q" (composite P|Q), then p alone (P),
# r (R), and the composite "s t" (S|T), which have no mentions of their own.
TEXT = (
    "7|t|p and q by B or A, X?\n7|a|p, r, s t, A.\n"
    "7\t0\t7\tp and q\tDisease\tP|Q\n7\t11\t12\tB\tDrug\tD2\n7\t16\t17\tA\tDrug\tD1\n"
    "7\t19\t20\tX\tDrug\t-1\n7\t22\t23\tp\tDisease\tP\n7\t25\t26\tr\tDisease\tR\n"
    "7\t28\t31\ts t\tDisease\tS|T\n7\t33\t34\tA\tDrug\tD1\n"
)
CID = {"CID": ["Drug", "Disease"]}
Read = tuple[list[Example], Report]


def pubtator(folder: Path, text: str, **options: object) -> Read:
    (folder / "x.txt").write_text(text)
    report = Report()
    files = [folder / "x.txt"]
    return read("pubtator", files, options, root=folder, split="train", report=report), report


def cid(*pairs: str) -> str:
    return TEXT + "".join("7\tCID\t" + "\t".join(pair.split()) + "\n" for pair in pairs)


def test_mentions(tmp_path: Path) -> None:
    (example,), report = pubtator(tmp_path, cid("D1 P"), form="mentions", types=["Drug"])
    assert (example.id, example.document) == ("7", "pmid:7")
    assert isinstance(example.answer, EntityAnswer) and isinstance(example.input, TextInput)
    assert [e.start for e in example.answer.entities] == [11, 16, 19, 33]
    assert report.counts == {"mention of a type that was not asked for": 4}


def test_list_stands_at_first_mentions(tmp_path: Path) -> None:
    text = cid("D1 R", "D1 Q", "D2 P")
    (example,), report = pubtator(tmp_path, text, form="list", relations=CID)
    assert isinstance(example.answer, RelationAnswer) and isinstance(example.input, TextInput)
    found = [
        (r.head.start, r.head.concept, r.tail.start, r.tail.concept, r.label)
        for r in example.answer.relations
    ]
    # B stands before A; P has a mention of its own, Q only the composite one.
    assert found == [
        (11, "D2", 22, "P", "CID"),
        (16, "D1", 0, "Q", "CID"),
        (16, "D1", 25, "R", "CID"),
    ]
    concepts = [mention.concept for mention in example.input.mentions]
    assert concepts == ["P|Q", "D2", "D1", None, "P", "R", "S|T", "D1"]
    assert not report.counts


def test_relations_at_the_same_mentions_are_joined(tmp_path: Path) -> None:
    text = cid("D1 S", "D2 R", "D1 T", "D9 R")
    (example,), report = pubtator(tmp_path, text, form="list", relations=CID)
    assert isinstance(example.answer, RelationAnswer)
    assert [r.tail.concept for r in example.answer.relations] == ["R", "S|T"]
    assert report.counts == {
        "relation joined with another one at the same mentions": 1,
        "relation whose concept has no mention of type 'Drug'": 1,
    }
    assert [problem.line for problem in report.problems] == [13, 14]


def pairs(examples: list[Example]) -> dict[str, str]:
    found = {}
    for example in examples:
        assert isinstance(example.input, PairInput) and isinstance(example.answer, LabelAnswer)
        assert (example.input.head.label, example.input.tail.label) == ("Drug", "Disease")
        found[example.id] = example.answer.label
    return found


def test_all_pairs(tmp_path: Path) -> None:
    examples, report = pubtator(tmp_path, cid("D1 T", "D2 P"), form="pair", relations=CID)
    # S and T have the same mention, so they are one pair, related through T.
    assert pairs(examples) == {
        "7-D2-Q": "none",
        "7-D2-P": "CID",
        "7-D2-R": "none",
        "7-D2-S": "none",
        "7-D1-Q": "none",
        "7-D1-P": "none",
        "7-D1-R": "none",
        "7-D1-T": "CID",
    }
    assert report.counts == {"pair joined with another one at the same mentions": 2}


def test_sampled_pairs(tmp_path: Path) -> None:
    text = cid("D1 T", "D2 P")
    everything = pairs(pubtator(tmp_path, text, form="pair", relations=CID)[0])
    examples, report = pubtator(tmp_path, text, form="pair", relations=CID, negatives=1.5)
    found = pairs(examples)
    assert sorted(found.values()) == ["CID", "CID", "none", "none", "none"]
    assert found.items() <= everything.items()
    assert report.counts["unrelated pair left out by sampling"] == 3
    other = pubtator(tmp_path, text, form="pair", relations=CID, negatives=1.5, seed=3)[0]
    assert pairs(other) != found
    assert (
        pairs(pubtator(tmp_path, text, form="pair", relations=CID, negatives=99)[0]) == everything
    )


def test_a_concept_is_not_paired_with_itself(tmp_path: Path) -> None:
    text = "7|t|a b\n7|a|\n7\t0\t1\ta\tDrug\tD1\n7\t2\t3\tb\tDrug\tD2\n"
    examples, _ = pubtator(tmp_path, text, form="pair", relations={"DDI": ["Drug", "Drug"]})
    assert [example.id for example in examples] == ["7-D1-D2", "7-D2-D1"]


def test_empty_text_is_left_out_and_counted(tmp_path: Path) -> None:
    examples, report = pubtator(tmp_path, "1|t| \n1|a|\n2|t|x\n2|a|\n", form="mentions")
    assert [example.id for example in examples] == ["2"]
    assert report.counts == {"empty text": 1}


def test_unknown_relation(tmp_path: Path) -> None:
    with pytest.raises(ClinpromptError) as caught:
        pubtator(tmp_path, cid("D1 R"), form="list", relations={"CIDs": ["Drug", "Disease"]})
    assert (caught.value.code, caught.value.line) == ("CP-DATA-029", 11)
    assert caught.value.hint == "did you mean 'CIDs'?"
    assert len(pubtator(tmp_path, cid("D1 R"), form="mentions")[0]) == 1


def test_a_document_in_two_files_is_refused(tmp_path: Path) -> None:
    for name in ("x.txt", "y.txt"):
        (tmp_path / name).write_text(TEXT)
    files = [tmp_path / "x.txt", tmp_path / "y.txt"]
    options = {"form": "mentions"}
    with pytest.raises(ClinpromptError) as caught:
        read("pubtator", files, options, root=tmp_path, split="train", report=Report())
    assert (caught.value.code, caught.value.file) == ("CP-DATA-050", str(files[1]))
