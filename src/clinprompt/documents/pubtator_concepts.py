"""PubTator's identifiers, and which mention stands for a concept."""

from __future__ import annotations

import re
from collections.abc import Iterable

from clinprompt.documents.model import Normalization
from clinprompt.documents.pubtator_lines import NO_CONCEPT, Row, unfit

BARE = "PubTator"
ROLES = ("Arg1", "Arg2")
CHOSEN = ("Arg1Concept", "Arg2Concept")
RELATION = "pubtator.relation"
_PREFIXED = re.compile(r"([A-Za-z][\w.-]*):(.+)", re.DOTALL)
_MESH = re.compile(r"[CD][0-9]{6,9}")


def resource_of(concept: str) -> tuple[str, str]:
    """Resource and accession of an identifier as it stands in a file."""
    if match := _PREFIXED.fullmatch(concept):
        return match[1], match[2]
    return ("MeSH" if _MESH.fullmatch(concept) else BARE), concept


def concept_of(one: Normalization) -> str | None:
    """The identifier that `resource_of` reads back; None if a file can't hold it."""
    for concept in (one.accession, f"{one.resource}:{one.accession}"):
        if unfit(concept) or "|" in concept or concept in NO_CONCEPT:
            continue
        if resource_of(concept) == (one.resource, one.accession):
            return concept
    return None


def first_rows(rows: Iterable[Row]) -> dict[str, int]:
    """Concept -> the row of its first mention; one that means nothing else goes before others."""
    alone: dict[str, int] = {}
    shared: dict[str, int] = {}
    order = sorted(enumerate(rows), key=lambda pair: (pair[1].start, pair[1].end))
    for at, row in order:
        for concept in row.concepts:
            (alone if len(row.concepts) == 1 else shared).setdefault(concept, at)
    return shared | alone
