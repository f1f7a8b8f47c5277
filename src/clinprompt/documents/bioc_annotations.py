"""Annotations and relations of BioC: one after another, with ids, offsets and what hangs on them.

`bioc_infons` says what infons stand for.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from clinprompt.documents.align import agrees, placed
from clinprompt.documents.bioc_infons import (
    INFONS,
    KIND,
    OURS,
    Place,
    described,
    probability,
)
from clinprompt.documents.bioc_text import shown
from clinprompt.documents.counting import Scale, located
from clinprompt.documents.formats import ReadOptions
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

if TYPE_CHECKING:
    from bioc import BioCAnnotation, BioCRelation


@dataclass
class Reading:
    """One document while it is read.

    Attributes:
        scale: how offsets count in the text as it stands in the file.
        ids: how often each id of an annotation or relation comes in the file.
        known: ids given so far.
        found: annotations in the order they are met.
    """

    place: Place
    options: ReadOptions
    scale: Scale
    ids: Counter[str]
    known: set[str] = field(default_factory=set)
    found: list[Annotation] = field(default_factory=list)
    _numbers: Counter[str] = field(default_factory=Counter)

    def fresh(self, base: str) -> str:
        """A new id that begins with `base`."""
        while True:
            self._numbers[base] += 1
            name = f"{base}{self._numbers[base]}"
            if name not in self.known and name not in self.ids:
                self.known.add(name)
                return name


def _named(raw: object, reading: Reading, letter: str) -> str:
    """The id, or a new one where it is missing or taken."""
    name = "" if raw is None else str(raw)
    if name and name not in reading.known:
        reading.known.add(name)
        return name
    what = "repeated annotation ids replaced" if name else "missing annotation ids filled in"
    reading.place.skip(what)
    return reading.fresh(f"{name}~" if name else letter)


def add_mention(one: BioCAnnotation, reading: Reading) -> None:
    """Add what an annotation stands for.

    Raises:
        ClinpromptError: CP-DOC-100 to CP-DOC-104 wrong offsets, CP-DOC-210 a broken infon of ours.
    """
    place = reading.place
    infons = place.texts(one.infons)
    if not one.locations:
        place.skip("annotations without a location", str(one.id))
        return
    pairs = sorted((at.offset, at.offset + at.length) for at in one.locations)
    label = infons.pop("type", "")
    name = _named(one.id, reading, "T")
    spans = _spans(pairs, one.text, name, reading)
    found = Mention(name, label, spans, _confidence(infons))
    reading.found.append(found)
    _hosted(name, infons, reading)


def _spans(pairs: list[Span], quoted: str | None, name: str, reading: Reading) -> tuple[Span, ...]:
    """Fragments in code points, checked against the text that the annotation quotes."""
    file = reading.place.file
    where = f"document '{shown(reading.place.document)}', annotation '{shown(name)}'"
    if not quoted:
        return located(pairs, reading.scale, file=file, name=where)
    if len(pairs) > 1 and pairs[0][0] <= pairs[-1][1]:
        # Some tools quote a discontinuous annotation with what lies between its fragments.
        start, end = reading.scale.index(pairs[0][0]), reading.scale.index(pairs[-1][1])
        whole = None if start is None or end is None else (start, end)
        if whole is not None and agrees(reading.scale.text, (whole,), quoted):
            return located(pairs, reading.scale, file=file, name=where)
    report = reading.place.report
    return placed(pairs, reading.scale, quoted, reading.options, report, file=file, name=where)


def _confidence(infons: dict[str, str]) -> float | None:
    value = probability(infons.get("confidence"))
    if value is not None:
        del infons["confidence"]
    return value


def _hosted(host: str, infons: dict[str, str], reading: Reading) -> None:
    """Add the attributes and concepts that stand in the infons of an annotation."""

    def fits(value: Any) -> bool:
        return isinstance(value, dict) and all(
            isinstance(entry, list)
            and all(isinstance(part, str) for part in entry)
            and described("", "", "", entry) is not None
            for entry in value.values()
        )

    entries = reading.place.ours(infons, INFONS, fits) or {}
    for key, value in infons.items():
        if key.startswith(OURS):
            reading.place.skip("infons of a later version of this program", key)
            continue
        one = described(host, key, value, entries.get(key))
        assert one is not None  # `fits` has seen the entry
        if one.id in reading.known or one.id in reading.ids:
            reading.place.skip("repeated annotation ids replaced")
            one = replace(one, id=reading.fresh(f"{one.id}~"))
        reading.known.add(one.id)
        reading.found.append(one)
    missing = len(entries.keys() - infons.keys())
    reading.place.skip("infons that were removed from an annotation of ours", host, missing)


# ---- relations ---------------------------------------------------------------------------------


def add_relation(one: BioCRelation, reading: Reading) -> None:
    """Add what a relation stands for.

    Raises:
        ClinpromptError: CP-DOC-210 a broken infon of ours, CP-DOC-211 an id that comes twice and is
            referred to.
    """
    place = reading.place
    infons = place.texts(one.infons)
    kind = infons.pop(KIND, None)
    arguments = tuple(Argument(node.role or "", str(node.refid)) for node in one.nodes)
    for argument in arguments:
        if reading.ids[argument.target] > 1:
            raise ClinpromptError(
                "CP-DOC-211",
                f"document '{shown(place.document)}': id '{shown(argument.target)}' comes twice, "
                "and a relation refers to it",
                file=place.file,
            )
    if kind == "equivalence":
        members = tuple(argument.target for argument in arguments)
        reading.found.append(Equivalence(infons.pop("type", ""), members))
        place.skip("infons that an equivalence can't have", count=len(infons))
        return
    name = _named(one.id, reading, "R")
    if kind is None:
        label = infons.pop("type", None)
        label = infons.pop("relation", "") if label is None else label
        reading.found.append(Link(name, label, arguments, _confidence(infons)))
    elif not arguments or kind not in ("event", "attribute", "concept", "comment"):
        raise place.wrong(KIND)
    elif kind == "event":
        infons.pop("type", None)  # the trigger's label, for other tools
        reading.found.append(Event(name, arguments[0].target, arguments[1:]))
    else:
        reading.found.append(_single(kind, name, arguments[0].target, infons))
        place.skip(f"infons and nodes that a {kind} can't have", count=len(infons))
        place.skip(f"infons and nodes that a {kind} can't have", count=len(arguments) - 1)
        return
    _hosted(name, infons, reading)


def _single(kind: str, name: str, target: str, infons: dict[str, str]) -> Annotation:
    """An attribute, concept or comment that is written as a relation with one node."""
    label = infons.pop("type", "")
    if kind == "attribute":
        return Attribute(name, label, target, infons.pop("value", None))
    if kind == "concept":
        values = (infons.pop(key, "") for key in ("resource", "accession", "name"))
        resource, accession, full = values
        return Normalization(name, target, resource, accession, full, label)
    return Comment(name, label, target, infons.pop("text", ""))
