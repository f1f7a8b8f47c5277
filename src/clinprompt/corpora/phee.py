"""PHEE: pharmacovigilance events of sentences, as JSON lines (relation listing).

An event has a type and arguments by role; a role holds mentions, each a list of fragments:

    {"id": "8908396_3", "context": "...", "annotations": [{"events": [{"event_type": "...",
     "Treatment": {"Drug": {"text": [["insulin"]], "start": [[154]]}, ...},
     "Effect": {"text": [["pain", "in the leg"]], "start": [[170, 190]]}}]}]}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from clinprompt.corpora.checks import Ids, known_label
from clinprompt.corpora.json_records import field, json_records
from clinprompt.corpora.offsets import OnMismatch, mention_problem, misplaced, refuse
from clinprompt.corpora.registry import Options, Source, reader
from clinprompt.errors import ClinpromptError
from clinprompt.examples import Entity, Example, Relation, RelationAnswer, TextInput


class PheeOptions(Options):
    """Options of reader "phee".

    Attributes:
        relations: event type -> the roles of head and tail, such as ``[Treatment.Drug, Effect]``.
            The last part of a role is the type of its mentions. Every mention of the one role is
            related with every mention of the other one.
        on_mismatch: what to do with a sentence whose offsets are wrong.
    """

    relations: dict[str, tuple[str, str]]
    on_mismatch: OnMismatch = "error"


class _WrongOffsetsError(ValueError):
    """Carries what is wrong with a mention's offsets to where the policy is known."""


@reader("phee", PheeOptions)
def read_phee(source: Source, options: PheeOptions) -> Iterator[Example]:
    """One example a sentence; its document is the abstract it comes from.

    An event without one of the two roles gives no relation and is counted.

    Raises:
        ClinpromptError: CP-DATA-020 wrong offsets, CP-DATA-027, 028 and 034 a malformed record,
            CP-DATA-050 an id that stands twice, CP-DATA-051 an event type that the options do not
            name, and what `read_text` and `parse_json` raise.
    """
    ids = Ids()
    for file in source.files:
        for line, record in json_records(file, options.encoding):
            name = ids.add(field(record, "id", str, file, line), file, line)
            text = field(record, "context", str, file, line)
            if not text.strip():
                source.report.skip("empty text", file, line, name)
                continue
            relations: list[Relation] = []
            try:
                for event in _events(record, file, line):
                    relations += _relations(event, text, options, source, file, line)
            except _WrongOffsetsError as error:
                where = f"sentence {name}"
                refuse(str(error), options.on_mismatch, source.report, file, line, where)
                continue
            answer = RelationAnswer(tuple(sorted(set(relations))))
            repeated = len(relations) - len(answer.relations)
            source.report.skip("relation that another event gives too", file, line, name, repeated)
            document = f"pmid:{name.rpartition('_')[0] or name}"
            yield Example(name, document, TextInput(text), answer)


def _events(record: Mapping[str, Any], file: Path, line: int) -> Iterator[dict[str, Any]]:
    for annotation in field(record, "annotations", list, file, line):
        mapping = annotation if isinstance(annotation, Mapping) else {}
        for event in field(mapping, "events", list, file, line):
            yield event if isinstance(event, dict) else {}


def _relations(
    event: Mapping[str, Any],
    text: str,
    options: PheeOptions,
    source: Source,
    file: Path,
    line: int,
) -> list[Relation]:
    """Each mention of the head role with each of the tail role."""
    label = field(event, "event_type", str, file, line)
    kinds = {name: name for name in options.relations}
    roles = options.relations[known_label(label, kinds, file, line, what="event type")]
    sides = [_mentions(event, role, text, file, line) for role in roles]
    for role, mentions in zip(roles, sides, strict=True):
        if not mentions:
            source.report.skip(f"event of type '{label}' without '{role}'", file, line)
            return []
    return [Relation(head, tail, label) for head in sides[0] for tail in sides[1]]


def _mentions(
    event: Mapping[str, Any], role: str, text: str, file: Path, line: int
) -> list[Entity]:
    """The mentions that an event has in a role (none if the role is not filled)."""
    place: Any = event
    for part in role.split("."):
        if part not in place:
            return []
        place = field(place, part, dict, file, line)
    surfaces = field(place, "text", list, file, line)
    starts = field(place, "start", list, file, line)
    if [_shape(mention, str) for mention in surfaces] != [_shape(m, int) for m in starts]:
        raise ClinpromptError(
            "CP-DATA-034",
            f"role '{role}': 'text' and 'start' must be lists of mentions with the same number "
            "of fragments, at least one",
            file=file,
            line=line,
        )
    return [
        _mention(list(zip(offsets, parts, strict=True)), role.rpartition(".")[2], text)
        for offsets, parts in zip(starts, surfaces, strict=True)
    ]


def _shape(mention: object, kind: type) -> int | type:
    """The number of fragments of a mention; `kind` itself, which equals no other, if it is none."""
    whole = isinstance(mention, list) and mention and all(type(part) is kind for part in mention)
    return len(mention) if whole and isinstance(mention, list) else kind


def _mention(fragments: list[tuple[int, str]], label: str, text: str) -> Entity:
    """A mention from its fragments' (start, text), which stand in any order in the file.

    Raises:
        _WrongOffsetsError: a fragment is not where it should be.
    """
    spans = sorted((start, start + len(part)) for start, part in fragments)
    mention = Entity(tuple(spans), label)
    for start, part in fragments:
        if problem := misplaced(text, start, start + len(part), part):
            raise _WrongOffsetsError(problem)
    if problem := mention_problem(text, mention):
        raise _WrongOffsetsError(problem)
    return mention
