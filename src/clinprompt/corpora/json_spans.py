"""Texts with mentions by character offsets, as a JSON list or JSON lines (NER)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from clinprompt.corpora.checks import Ids
from clinprompt.corpora.json_records import field, json_records
from clinprompt.corpora.offsets import OnMismatch, mention_problem, refuse
from clinprompt.corpora.registry import Options, Source, reader
from clinprompt.errors import ClinpromptError
from clinprompt.examples import Entity, EntityAnswer, Example, Span, TextInput


class JsonSpansOptions(Options):
    """Options of reader "json-spans": under which keys things stand.

    Attributes:
        text, entities: of a record.
        id: of a record; made of file and line if None.
        document_prefix: what stands before the id to make the document's name.
        start, end, type: of an entity; offsets count code points, the end is exclusive.
        surface: of an entity, the text it covers, which is checked; None if it is not given.
        fragments: of an entity, list of ``[start, end]`` of a discontinuous mention; it replaces
            `start` and `end` where it is there. `surface` is then its parts joined by one space.
        concept: of an entity, its identifier in a vocabulary; None if not given.
        types: entity types to keep; empty: all.
        on_mismatch: what to do with a record whose offsets are wrong.
    """

    text: str = "text"
    entities: str = "entities"
    id: str | None = "id"
    document_prefix: str = ""
    start: str = "start"
    end: str = "end"
    type: str = "type"
    surface: str | None = "text"
    fragments: str | None = None
    concept: str | None = None
    types: tuple[str, ...] = ()
    on_mismatch: OnMismatch = "error"


@reader("json-spans", JsonSpansOptions)
def read_json_spans(source: Source, options: JsonSpansOptions) -> Iterator[Example]:
    """One example a record, in the order of the files.

    Raises:
        ClinpromptError: CP-DATA-020 wrong offsets, CP-DATA-027, 028 and 030 a malformed record,
            CP-DATA-050 an id that stands twice, and what `read_text` and `parse_json` raise.
    """
    ids = Ids()
    for file in source.files:
        for line, record in json_records(file, options.encoding):
            text = field(record, options.text, str, file, line)
            name = ids.add(_name(record, options, source, file, line), file, line)
            if not text.strip():
                source.report.skip("empty text", file, line, name)
                continue
            entities = []
            problem = None
            for item in field(record, options.entities, list, file, line):
                mention = item if isinstance(item, Mapping) else {}
                entity = _entity(mention, options, file, line)
                surface = None
                if options.surface is not None:
                    surface = field(mention, options.surface, str, file, line)
                problem = problem or mention_problem(text, entity, surface)
                entities.append(entity)
            if problem:
                where = f"record {name}"
                refuse(problem, options.on_mismatch, source.report, file, line, where)
                continue
            wanted = [e for e in entities if not options.types or e.label in options.types]
            answer = EntityAnswer(tuple(sorted(set(wanted))))
            for reason, count in (
                ("entity of a type that was not asked for", len(entities) - len(wanted)),
                ("entity that stands twice", len(wanted) - len(answer.entities)),
            ):
                source.report.skip(reason, file, line, name, count)
            yield Example(name, options.document_prefix + name, TextInput(text), answer)


def _name(
    record: Mapping[str, Any], options: JsonSpansOptions, source: Source, file: Path, line: int
) -> str:
    if options.id is None:
        return source.place(file, line)
    value = record.get(options.id)
    return str(value) if type(value) is int else field(record, options.id, str, file, line)


def _entity(mention: Mapping[str, Any], options: JsonSpansOptions, file: Path, line: int) -> Entity:
    """A mention as it is written; whether its offsets are right is not looked at."""
    label = field(mention, options.type, str, file, line)
    concept = None
    if options.concept is not None and mention.get(options.concept) is not None:
        concept = field(mention, options.concept, str, file, line)
    if options.fragments is None or options.fragments not in mention:
        start = field(mention, options.start, int, file, line)
        return Entity(((start, field(mention, options.end, int, file, line)),), label, concept)
    spans: list[Span] = []
    for part in field(mention, options.fragments, list, file, line):
        if not (isinstance(part, list) and [type(offset) for offset in part] == [int, int]):
            raise ClinpromptError(
                "CP-DATA-030",
                f"'{options.fragments}' must be a list of [start, end] pairs",
                file=file,
                line=line,
            )
        spans.append((part[0], part[1]))
    return Entity(tuple(sorted(spans)), label, concept)
