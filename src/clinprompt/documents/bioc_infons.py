"""Infons: BioC's key-value pairs, and what of a document they stand for.

Foreign infons become annotations with ids of the form ``HOST.KEY``; what we write reads back:

- ``type`` is the label of an annotation or relation (``relation`` where a relation has no type),
  ``confidence`` its probability;
- ``identifier=MESH:D003000`` and ``MESH=D003000`` (any vocabulary in `VOCABULARIES`) are a
  `Normalization`; every other infon is an `Attribute`;
- ``clinprompt.infons``, on the same host, is a JSON object from key to what the infon can't say:
  ``["attribute", id]``, ``["flag", id]`` (an attribute without a value, written as ``true``) or
  ``["concept", id, label, name]`` (key and value are resource and accession).

Infons of a document written by us, all JSON and only where needed: ``clinprompt.order`` (place of
each annotation in the order of the file), ``clinprompt.text`` (``[[offset, text], ...]``, what the
text reads instead of fillers), ``clinprompt.passages`` (``[[start, end, name], ...]``, where they
don't lie one after another), ``clinprompt.metadata`` (pairs, where keys repeat). A passage with
``clinprompt.passage=none`` is text outside all passages. A relation with ``clinprompt.kind`` is an
``event`` (its first node is the trigger), ``attribute``, ``concept``, ``comment`` or
``equivalence``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from clinprompt.documents.bioc_text import shown
from clinprompt.documents.model import Attribute, Normalization
from clinprompt.errors import ClinpromptError
from clinprompt.report import Report

OURS = "clinprompt."
ORDER, TEXT = OURS + "order", OURS + "text"
PASSAGES, METADATA = OURS + "passages", OURS + "metadata"
OUTSIDE, KIND, INFONS = OURS + "passage", OURS + "kind", OURS + "infons"

# Names of vocabularies as corpora write them into keys, in lower case.
VOCABULARIES = frozenset(
    "mesh omim umls cui snomedct snomed rxnorm loinc icd9 icd-9 icd9cm icd10 icd-10 icd10cm atc "
    "hpo chebi drugbank uniprot entrez hgnc go mondo doid cellosaurus dbsnp ncbigene".split()
) | {"ncbi gene", "ncbi taxonomy", "ncbi homologene", "gene ontology"}
_IDENTIFIER = re.compile(r"([A-Za-z][\w.-]*):([^\s:]\S*)")


@dataclass(frozen=True)
class Place:
    """Where something is read: for messages and counts."""

    file: str
    document: str
    report: Report

    def wrong(self, key: str) -> ClinpromptError:
        """The error for an infon of ours that holds something else than we write."""
        return ClinpromptError(
            "CP-DOC-210",
            f"document '{shown(self.document)}': infon '{key}' is not what this program writes",
            file=self.file,
            hint="without it the file can be read, with less in it",
        )

    def skip(self, reason: str, detail: str = "", count: int = 1) -> None:
        """Count something as left out of this document."""
        where = f"{self.document} {detail}".strip()
        self.report.skip(reason, self.file, detail=shown(where), count=count)

    def ours(self, infons: dict[str, str], key: str, fits: Callable[[Any], bool]) -> Any:
        """Take out and parse one of our infons; None where it is missing.

        Raises:
            ClinpromptError: CP-DOC-210 if it is not JSON that `fits`.
        """
        if key not in infons:
            return None
        raw = infons.pop(key)
        try:
            value = json.loads(raw)
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        except (ValueError, RecursionError):
            raise self.wrong(key) from None
        if not fits(value):
            raise self.wrong(key)
        return value

    def texts(self, infons: Any) -> dict[str, str]:
        """Infons with every value as text: other JSON values as JSON, counted."""
        found: dict[str, str] = {}
        for key, value in (infons or {}).items():
            if value is None:
                value = ""
            elif not isinstance(value, str):
                self.skip("infon values that are not text, kept as JSON", key)
                value = json.dumps(value, ensure_ascii=False)
            found[key] = value
        return found


def dumped(value: Any) -> str:
    """JSON in ASCII: whatever the text, it can stand in XML."""
    return json.dumps(value, separators=(",", ":"))


def probability(raw: str | None) -> float | None:
    """The probability that an infon holds as we would write it, else None."""
    try:
        value = float(raw or "")
    except ValueError:
        return None
    return value if 0 <= value <= 1 and repr(value) == raw else None


def derived(host: str, key: str, value: str) -> Attribute | Normalization:
    """What a foreign infon of annotation `host` stands for."""
    name = f"{host}.{key}"
    match = _IDENTIFIER.fullmatch(value) if key.lower() == "identifier" else None
    if match is not None:
        return Normalization(name, host, match[1], match[2])
    if key.lower() in VOCABULARIES and value:
        return Normalization(name, host, key, value)
    return Attribute(name, key, host, value)


def described(
    host: str, key: str, value: str, entry: list[str] | None
) -> Attribute | Normalization | None:
    """What an infon with its entry in ``clinprompt.infons`` stands for; None if that is broken."""
    match entry:
        case None:
            return derived(host, key, value)
        case ["attribute", name]:
            return Attribute(name, key, host, value)
        case ["flag", name]:
            return Attribute(name, key, host, None if value == "true" else value)
        case ["concept", name, label, full]:
            return Normalization(name, host, key, value, full, label)
    return None


def written(one: Attribute | Normalization) -> tuple[str, str, list[str] | None]:
    """Key, value and entry of an annotation on its host: `described` gives it back."""
    if isinstance(one, Attribute):
        value = "true" if one.value is None else one.value
        key, entry = one.name, ["attribute" if one.value is not None else "flag", one.id]
    else:
        own = one.id.removeprefix(one.target + ".")
        joined = f"{one.resource}:{one.accession}"
        if own != one.id and derived(one.target, own, joined) == one:
            return own, joined, None
        key, value = one.resource, one.accession
        entry = ["concept", one.id, one.label, one.name]
    return key, value, None if derived(one.target, key, value) == one else entry
