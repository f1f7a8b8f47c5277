"""The PubTator format, read and written."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinprompt.corpora.pubtator import ConceptRelation, Document, parse, write
from clinprompt.errors import ClinpromptError
from clinprompt.examples import Entity

FILE = Path("x.txt")
BASIC = (
    "7|t|Naloxone | a title.\n"
    "7|a|Pain and secret rash.\n"
    "7\t0\t8\tNaloxone\tChemical\tD009270\n"
    "7\t20\t24\tPain\tDisease\t-1\n"
    "7\t29\t40\tsecret rash\tDisease\tD1|D2\tsecret|rash\n"
    "7\tCID\tD009270\tD1\n"
)
WORD = st.text(st.characters(exclude_characters="\t\r\n", exclude_categories=["Cs"]))
NAME = st.text("abcXYZ019.:", min_size=1)


@st.composite
def documents(draw: st.DrawFn) -> list[Document]:
    found = []
    for name in draw(st.lists(NAME, unique=True, max_size=4)):
        document = Document(name, draw(WORD), draw(WORD))
        for _ in range(draw(st.integers(0, 4)) if document.text else 0):
            start = draw(st.integers(0, len(document.text) - 1))
            end = draw(st.integers(start + 1, len(document.text)))
            concept = "|".join(draw(st.lists(NAME, max_size=2))) or None
            document.mentions.append(Entity(((start, end),), draw(NAME), concept))
        label = NAME.filter(lambda text: not text.isdecimal())
        relations = st.builds(ConceptRelation, label, NAME, NAME)
        document.relations.extend(draw(st.lists(relations, max_size=2)))
        found.append(document)
    return found


@given(documents(), st.sampled_from(["\n", "\r\n"]))
def test_what_is_written_is_read(written: list[Document], end: str) -> None:
    read = list(parse(write(written).replace("\n", end), FILE))
    assert read == written
    for one, other in zip(read, written, strict=True):
        concepts = [mention.concept for mention in one.mentions]
        assert concepts == [mention.concept for mention in other.mentions]


def test_basic() -> None:
    (document,) = parse(BASIC, FILE)
    assert (document.id, document.title, document.line) == ("7", "Naloxone | a title.", 1)
    assert document.text == "Naloxone | a title. Pain and secret rash."
    concepts = [(m.surface(document.text), m.label, m.concept) for m in document.mentions]
    assert concepts == [
        ("Naloxone", "Chemical", "D009270"),
        ("Pain", "Disease", None),
        ("secret rash", "Disease", "D1|D2"),
    ]
    assert document.relations == [ConceptRelation("CID", "D009270", "D1")]
    assert document.relations[0].line == 6


def test_blank_lines_mean_nothing() -> None:
    loose = "\n\n" + BASIC.replace("\n", "\n\n") + "8|t|x\n8|a|\n"
    assert [document.id for document in parse(loose, FILE)] == ["7", "8"]
    assert list(parse("", FILE)) == []


@pytest.mark.parametrize(
    ("old", "new", "code", "line", "part"),
    [
        ("0\t8\tN", "1\t9\tN", "CP-DATA-020", 3, "document 7: offsets 1-9: .* lies -1 from it"),
        ("29\t40", "40\t29", "CP-DATA-020", 5, "the end lies before the start"),
        ("29\t40", "29\t400", "CP-DATA-020", 5, "outside the text"),
        ("29\t40", "29\tx", "CP-DATA-025", 5, "whole numbers"),
        ("29\t40", "-9\t40", "CP-DATA-025", 5, "whole numbers"),
        ("\tDisease\t-1", "\t\t-1", "CP-DATA-025", 4, "without a type"),
        ("7\tCID\tD009270\tD1", "7\tCID\tD009270", "CP-DATA-025", 6, "3 columns"),
        ("7\tCID", "8\tCID", "CP-DATA-025", 6, "does not begin with the id '7'"),
        ("7|a|", "8|a|", "CP-DATA-025", 2, "does not begin with the id '7'"),
        ("7|a|", "7|t|", "CP-DATA-025", 2, "followed by its abstract"),
        ("7|t|Naloxone | a title.\n", "", "CP-DATA-025", 1, "before the first title"),
        ("7|a|Pain and secret rash.\n", "", "CP-DATA-025", 2, "followed by its abstract"),
        ("7\tCID\tD009270\tD1", "7|a|more", "CP-DATA-025", 6, "second abstract"),
        ("7\tCID\tD009270\tD1", "7|t|more\n7|a|", "CP-DATA-050", 6, "stands twice"),
        ("7\tCID\tD009270\tD1\n", "8|t|more", "CP-DATA-025", 6, "ends after a title"),
    ],
)
def test_what_is_refused(old: str, new: str, code: str, line: int, part: str) -> None:
    assert BASIC.count(old) == 1
    with pytest.raises(ClinpromptError, match=part) as caught:
        list(parse(BASIC.replace(old, new), FILE))
    assert (caught.value.code, caught.value.line) == (code, line)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "document",
    [
        Document("7", "a\tb", ""),
        Document("7", "a", "b\nc"),
        Document("7", "a b c", "", mentions=[Entity(((0, 1), (4, 5)), "Drug")]),
    ],
)
def test_what_cannot_be_written(document: Document) -> None:
    with pytest.raises(ValueError, match="7: "):
        write([document])
