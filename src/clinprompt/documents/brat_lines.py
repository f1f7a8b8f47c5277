"""One line of a BRAT annotation file to one annotation, and back.

=======  ====================================  ==============================
line     form (columns apart by tabs)          becomes
=======  ====================================  ==============================
T        ``T1  Drug 10 15;20 25  text``        `Mention`
R        ``R1  Causes Arg1:T1 Arg2:E2``        `Link`
E        ``E1  Intake:T1 Who:T2 What:E3``      `Event`
A, M     ``A1  Negated T1``, ``A2  How E1 x``  `Attribute`, the id tells which
N        ``N1  Reference T1 MeSH:D1  name``    `Normalization`
``#``    ``#1  AnnotatorNotes T1  text``       `Comment`
``*``    ``*  Equiv T1 T2``                    `Equivalence`
=======  ====================================  ==============================

An id is its letter and anything without white space and colon.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from clinprompt.documents.model import (
    Annotation,
    Argument,
    Attribute,
    Comment,
    Equivalence,
    Event,
    Link,
    Mention,
    Normalization,
)
from clinprompt.errors import ClinpromptError
from clinprompt.examples import Span

LETTERS: dict[type[Annotation], str] = {
    Mention: "T",
    Link: "R",
    Event: "E",
    Attribute: "AM",
    Normalization: "N",
    Comment: "#",
}
ID = re.compile(r"[TREAMN#][^\s:]+")
_PAIR = r"\d{1,15} +\d{1,15}"
_MENTION = re.compile(rf"([^ ]+) +({_PAIR}(?: *; *{_PAIR})*) *", re.ASCII)
_PAIRS = re.compile(r"(\d+) +(\d+)", re.ASCII)
_ATTRIBUTE = re.compile(r"([^ ]+) +([^ ]+)(?: +(.*))?")
_CONCEPT = re.compile(r"([^ ]+) +([^ ]+) +([^: ][^:]*):(.+)")
_COMMENT = re.compile(r"([^ ]+) +([^ ]+) *")
# Everything that some reader takes for the end of a line or column.
_BREAKS = re.compile("[\t\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Line:
    """An annotation as its line has it.

    Attributes:
        annotation: a mention has the file's own offsets, in the file's order.
        word: the text that a mention quotes, or the type that an event names.
        file, number: where it stands, for messages.
    """

    annotation: Annotation
    word: str
    file: str
    number: int


def parse(line: str, file: str, number: int) -> Line:
    """The annotation of a line that is not blank.

    Raises:
        ClinpromptError: CP-DOC-110 if it is none.
    """
    name, _, rest = line.partition("\t")
    head, tab, tail = rest.partition("\t")
    kind = "*" if name == "*" else name[0] if ID.fullmatch(name) else ""
    parser = _PARSERS.get(kind)
    if parser is None:
        raise _malformed(
            "does not begin with an id such as T1, R1, E1, A1, N1, #1 or *", file, number
        )
    if kind in "TN#":
        found = parser(name, head, tail)
        form = f"{_FORMS[kind]}, columns apart by tabs"
        if kind == "T" and not tab:
            found, form = None, "a third column with the covered text"
    else:
        # Some editors leave a tab at the end of relations.
        found = parser(name, head, "") if not tail.strip() else None
        form = _FORMS[kind]
    if found is None:
        raise _malformed(f"expected {form}", file, number)
    return Line(found[0], found[1], file, number)


def _malformed(problem: str, file: str, number: int) -> ClinpromptError:
    return ClinpromptError("CP-DOC-110", f"malformed line: {problem}", file=file, line=number)


Parsed = tuple[Annotation, str] | None


def _mention(name: str, head: str, tail: str) -> Parsed:
    match = _MENTION.fullmatch(head)
    if match is None:
        return None
    spans: list[Span] = [(int(a), int(b)) for a, b in _PAIRS.findall(match[2])]
    return Mention(name, match[1], tuple(spans)), tail


def _arguments(words: list[str]) -> tuple[Argument, ...] | None:
    parts = [word.rpartition(":") for word in words]
    if not all(role and target for role, _, target in parts):
        return None
    return tuple(Argument(role, target) for role, _, target in parts)


def _words(head: str) -> list[str]:
    return [word for word in head.split(" ") if word]


def _link(name: str, head: str, _: str) -> Parsed:
    words = _words(head)
    arguments = _arguments(words[1:])
    if arguments is None or len(arguments) != 2:
        return None
    return Link(name, words[0], arguments), ""


def _event(name: str, head: str, _: str) -> Parsed:
    arguments = _arguments(_words(head))
    if not arguments:
        return None
    return Event(name, arguments[0].target, arguments[1:]), arguments[0].role


def _attribute(name: str, head: str, _: str) -> Parsed:
    match = _ATTRIBUTE.fullmatch(head)
    if match is None:
        return None
    return Attribute(name, match[1], match[2], (match[3] or "").strip(" ") or None), ""


def _concept(name: str, head: str, tail: str) -> Parsed:
    match = _CONCEPT.fullmatch(head)
    if match is None:
        return None
    return Normalization(name, match[2], match[3], match[4], tail, match[1]), ""


def _comment(name: str, head: str, tail: str) -> Parsed:
    match = _COMMENT.fullmatch(head)
    return None if match is None else (Comment(name, match[1], match[2], tail), "")


def _equivalence(_: str, head: str, __: str) -> Parsed:
    words = _words(head)
    return (Equivalence(words[0], tuple(words[1:])), "") if len(words) > 2 else None


_PARSERS: dict[str, Callable[[str, str, str], Parsed]] = {
    "T": _mention,
    "R": _link,
    "E": _event,
    "A": _attribute,
    "M": _attribute,
    "N": _concept,
    "#": _comment,
    "*": _equivalence,
}
_FORMS = {
    "T": "ID, TYPE START END[;START END...], TEXT",
    "R": "ID, TYPE ROLE:ID ROLE:ID",
    "E": "ID, TYPE:TRIGGER ROLE:ID...",
    "A": "ID, NAME TARGET [VALUE]",
    "M": "ID, NAME TARGET [VALUE]",
    "N": "ID, TYPE TARGET RESOURCE:ACCESSION, NAME",
    "#": "ID, TYPE TARGET, TEXT",
    "*": "*, TYPE ID ID...",
}


# ---- writing -----------------------------------------------------------------------------------


def render(one: Annotation, text: str, labels: Mapping[str, str]) -> str:
    """The line of an annotation, without line end.

    Args:
        one: with an id, words and values that BRAT can hold.
        text: the document's.
        labels: of the document's mentions, by id.
    """
    match one:
        case Mention(id=name, label=label, spans=spans):
            pairs = ";".join(f"{start} {end}" for start, end in spans)
            return f"{name}\t{label} {pairs}\t{_BREAKS.sub(' ', one.surface(text))}"
        case Link(id=name, label=label, arguments=arguments):
            return f"{name}\t{label}{_roles(arguments)}"
        case Event(id=name, trigger=trigger, arguments=arguments):
            return f"{name}\t{labels[trigger]}:{trigger}{_roles(arguments)}"
        case Attribute(id=name, name=label, target=target, value=value):
            return f"{name}\t{label} {target}" + ("" if value is None else f" {value}")
        case Normalization(id=name, label=label, target=target, resource=resource):
            return f"{name}\t{label} {target} {resource}:{one.accession}\t{one.name}"
        case Comment(id=name, label=label, target=target, text=note):
            return f"{name}\t{label} {target}\t{note}"
        case Equivalence(label=label, members=members):
            return f"*\t{label} {' '.join(members)}"


def _roles(arguments: tuple[Argument, ...]) -> str:
    return "".join(f" {one.role}:{one.target}" for one in arguments)
