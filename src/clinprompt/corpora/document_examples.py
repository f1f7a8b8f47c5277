"""From annotated documents to examples, whatever format they were read from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count

from clinprompt.corpora.checks import Ids
from clinprompt.corpora.document_mentions import Labelled, Related
from clinprompt.corpora.document_options import DocumentOptions
from clinprompt.corpora.registry import Source
from clinprompt.corpora.sampling import sample
from clinprompt.corpora.units import units
from clinprompt.documents.model import Document
from clinprompt.examples import (
    Entity,
    EntityAnswer,
    Example,
    LabelAnswer,
    PairInput,
    QuestionInput,
    Relation,
    RelationAnswer,
    Span,
    TextInput,
)

ACROSS = "relation whose ends lie in different parts of the text"


@dataclass(frozen=True)
class _Part:
    """A part of a document; its mentions have its own offsets and stand in the text's order."""

    name: str
    document: str
    text: str
    entities: dict[str, Entity]


def make_examples(
    documents: Iterable[tuple[str, Document]], options: DocumentOptions, source: Source
) -> Iterator[Example]:
    """Examples of the asked-for form, document by document.

    Args:
        documents: each with its place, for messages.

    Raises:
        ClinpromptError: CP-DATA-050 a document that stands twice, and what reading raises.
    """
    found = _examples(documents, options, source)
    yield from _sampled(found, options, source) if options.form == "pair" else found


def _examples(
    documents: Iterable[tuple[str, Document]], options: DocumentOptions, source: Source
) -> Iterator[Example]:
    ids = Ids()
    for place, document in documents:
        ids.add(document.id, place)
        if not document.text.strip():
            source.report.skip("empty text", place, detail=document.id)
            continue
        labelled = Labelled(document, place, options, source.report)
        related = labelled.relations() if options.form in ("list", "pair") else []
        parts = list(_parts(labelled, source.split))
        for part in parts:
            here = [r for r in related if r.head in part.entities and r.tail in part.entities]
            match options.form:
                case "mentions":
                    yield _mentions(part, labelled)
                case "list":
                    yield _list(part, here, labelled)
                case "pair":
                    yield from _pairs(part, here, labelled)
                case "attribute":
                    yield from _attributes(part, labelled)
        inside = sum(r.head in p.entities and r.tail in p.entities for r in related for p in parts)
        labelled.skip(ACROSS, len(related) - inside)


def _parts(labelled: Labelled, split: str) -> Iterator[_Part]:
    document, options = labelled.document, labelled.options
    held = [(entity.start, entity.end) for entity in labelled.entities.values()]
    whole = options.unit == "document"
    spans = (
        [(0, len(document.text))]
        if whole
        else units(document.text, held, options.unit, options.size)
    )
    ordered = sorted(labelled.entities.items(), key=lambda item: item[1])
    placed = 0
    for number, (start, end) in enumerate(spans, 1):
        inside = {
            name: Entity(_moved(entity.spans, -start), entity.label)
            for name, entity in ordered
            if start <= entity.start and entity.end <= end
        }
        name = f"{split}:{document.id}" if whole else f"{split}:{document.id}:{number}"
        text = document.text[start:end]
        placed += len(inside)
        yield _Part(name, options.document_prefix + document.id, text, inside)
    labelled.skip("mention of nothing but blanks", len(ordered) - placed)


def _moved(spans: tuple[Span, ...], by: int) -> tuple[Span, ...]:
    return tuple((start + by, end + by) for start, end in spans)


def _mentions(part: _Part, labelled: Labelled) -> Example:
    entities = tuple(sorted(set(part.entities.values())))
    labelled.skip("mention that stands twice", len(part.entities) - len(entities))
    return Example(part.name, part.document, TextInput(part.text), EntityAnswer(entities))


def _list(part: _Part, related: list[Related], labelled: Labelled) -> Example:
    found = [Relation(part.entities[r.head], part.entities[r.tail], r.label) for r in related]
    relations = tuple(sorted(set(found)))
    labelled.skip("relation that stands twice", len(found) - len(relations))
    return Example(part.name, part.document, TextInput(part.text), RelationAnswer(relations))


def _pairs(part: _Part, related: list[Related], labelled: Labelled) -> Iterator[Example]:
    """Related pairs, and the other pairs of types that could be related, in the order of the text.

    Two mentions of one type are one pair, the earlier one first, unless it is the other way round
    that they are related.
    """
    known: dict[tuple[str, str], str] = {}
    for one in related:
        if known.setdefault((one.head, one.tail), one.label) != one.label:
            labelled.skip("further relation of one pair")
    pairs = dict.fromkeys(known)
    for head_label, tail_label in sorted(set(labelled.options.relations.values())):
        for head, entity in part.entities.items():
            for tail, other in part.entities.items():
                if head == tail or (entity.label, other.label) != (head_label, tail_label):
                    continue
                if (tail, head) not in pairs:
                    pairs[head, tail] = None
    order = {name: place for place, name in enumerate(part.entities)}
    for head, tail in sorted(pairs, key=lambda pair: (order[pair[0]], order[pair[1]])):
        label = known.get((head, tail), labelled.options.negative_label)
        made = PairInput(part.text, part.entities[head], part.entities[tail])
        name = f"{part.name}-{head}-{tail}"
        yield Example(name, part.document, made, LabelAnswer(label))


def _sampled(
    found: Iterable[Example], options: DocumentOptions, source: Source
) -> Iterator[Example]:
    """All related pairs and the sampled unrelated ones (see `DocumentOptions.negatives`)."""
    if options.negatives is None:
        yield from found
        return
    examples = list(found)
    unrelated = [e.id for e in examples if e.answer == LabelAnswer(options.negative_label)]
    size = min(len(unrelated), round(options.negatives * (len(examples) - len(unrelated))))
    left_out = set(unrelated) - sample(options.seed, unrelated, size)
    if left_out:
        reason = "unrelated pair left out by sampling"
        source.report.skip(reason, source.files[0], count=len(left_out))
    yield from (example for example in examples if example.id not in left_out)


def _attributes(part: _Part, labelled: Labelled) -> Iterator[Example]:
    """One example for each mention with the attribute: it is marked in the text of its part."""
    options = labelled.options
    for name, entity in part.entities.items():
        value = labelled.values.get((options.attributes[0], name))
        if value is None:
            labelled.skip("mention without the attribute")
            continue
        surface = " ".join(entity.surface(part.text).split())
        question = options.question.replace("{mention}", surface)
        yield Example(
            f"{part.name}-{name}",
            part.document,
            QuestionInput(question, context=_marked(part.text, entity.spans)),
            LabelAnswer(options.names.get(value, value)),
        )


def _marked(text: str, spans: tuple[Span, ...]) -> str:
    """The text with ``<< >>`` around the fragments; other signs if the text has these."""
    signs = [("<<", ">>"), ("[[", "]]"), ("{{", "}}")]
    free = (pair for pair in signs if not any(sign in text for sign in pair))
    more = ((f"<{n}<", f">{n}>") for n in count(1) if f"<{n}<" not in text and f">{n}>" not in text)
    opening, closing = next(free, None) or next(more)
    pieces, done = [], 0
    for start, end in spans:
        pieces += [text[done:start], opening, text[start:end], closing]
        done = end
    return "".join(pieces) + text[done:]
