"""Tasks made of PubTator documents: mentions, relations listed, or relations of given pairs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from clinprompt.corpora import pubtator
from clinprompt.corpora.checks import Ids
from clinprompt.corpora.pubtator import ConceptRelation, Document
from clinprompt.corpora.registry import Options, Source, reader
from clinprompt.corpora.sampling import sample
from clinprompt.errors import ClinpromptError, did_you_mean
from clinprompt.examples import (
    Entity,
    EntityAnswer,
    Example,
    LabelAnswer,
    PairInput,
    Relation,
    RelationAnswer,
    TextInput,
)
from clinprompt.files import read_text


class PubtatorOptions(Options):
    """Options of reader "pubtator".

    Attributes:
        form: what to make of a document: its mentions, its relations as a list, or one example
            for each pair of concepts whose types could be related.
        types: mention types to keep in form "mentions"; empty: all.
        relations: relation label -> (head type, tail type), for the other two forms.
        negative_label: answer for pairs without a relation (form "pair").
        negatives: how many of them are kept for each related pair, over the whole split; None:
            all.  Chosen by `seed`.
        document_prefix: what stands before the id of a document, so that one document has the
            same name in every dataset.
    """

    form: Literal["mentions", "list", "pair"]
    types: tuple[str, ...] = ()
    relations: dict[str, tuple[str, str]] = Field(default_factory=dict)
    negative_label: str = "none"
    negatives: Annotated[float, Field(ge=0)] | None = None
    seed: int = 13
    document_prefix: str = "pmid:"


@reader("pubtator", PubtatorOptions)
def read_pubtator(source: Source, options: PubtatorOptions) -> Iterator[Example]:
    """Examples of the asked-for form, in the order of the files.

    In "list" and "pair" a concept stands for itself through its first mention. The list's input
    carries all mentions, so that scores can be counted between concepts.

    Raises:
        ClinpromptError: CP-DATA-020, 025, 050 (see `pubtator.parse`), CP-DATA-029 a relation that
            the options do not name.
    """
    if options.form == "pair":
        yield from _pairs(source, options)
        return
    for file, document in _documents(source, options):
        name = options.document_prefix + document.id
        mentions = tuple(sorted(document.mentions))
        answer: EntityAnswer | RelationAnswer
        if options.form == "mentions":
            wanted = [m for m in mentions if not options.types or m.label in options.types]
            left = len(mentions) - len(wanted)
            source.report.skip(
                "mention of a type that was not asked for", file, document.line, name, left
            )
            answer = EntityAnswer(tuple(dict.fromkeys(wanted)))
        else:
            answer = RelationAnswer(_relations(document, options, source, file))
        yield Example(document.id, name, TextInput(document.text, mentions=mentions), answer)


def _documents(source: Source, options: PubtatorOptions) -> Iterator[tuple[Path, Document]]:
    """All documents of a split; one without any text is reported and left out."""
    ids = Ids()
    for file in source.files:
        for document in pubtator.parse(read_text(file, options.encoding), file):
            ids.add(document.id, file, document.line)
            if not document.text.strip():
                source.report.skip("empty text", file, document.line, document.id)
                continue
            for relation in document.relations:
                if relation.label not in options.relations and options.form != "mentions":
                    raise ClinpromptError(
                        "CP-DATA-029",
                        f"document {document.id}: relation '{relation.label}' is not in "
                        "data.options.relations",
                        file=file,
                        line=relation.line,
                        hint=did_you_mean(relation.label, options.relations),
                    )
            yield file, document


def _relations(
    document: Document, options: PubtatorOptions, source: Source, file: Path
) -> tuple[Relation, ...]:
    """The relations between first mentions, in the order of the text.

    Two relations fall together if their concepts have the same, composite, mention. What is left
    is one relation whose ends carry both concepts.
    """
    found: dict[Relation, Relation] = {}
    for line in document.relations:
        ends = _ends(document, line, options, source, file)
        if ends is None:
            continue
        relation = Relation(*ends, line.label)
        if relation in found:
            reason = "relation joined with another one at the same mentions"
            source.report.skip(reason, file, line.line, document.id)
            relation = Relation(
                _with_concepts(found[relation].head, relation.head),
                _with_concepts(found[relation].tail, relation.tail),
                line.label,
            )
        found[relation] = relation
    return tuple(sorted(found.values()))


def _with_concepts(left: Entity, right: Entity) -> Entity:
    """A mention with the concepts of two."""
    concepts = dict.fromkeys([*(left.concept or "").split("|"), *(right.concept or "").split("|")])
    return Entity(left.spans, left.label, "|".join(concepts))


def _ends(
    document: Document,
    relation: ConceptRelation,
    options: PubtatorOptions,
    source: Source,
    file: Path,
) -> tuple[Entity, Entity] | None:
    """Head and tail mention of a relation; None, and a report, if one has no mention."""
    head_type, tail_type = options.relations[relation.label]
    head = first_mention(document, head_type, relation.head)
    tail = first_mention(document, tail_type, relation.tail)
    if head is None or tail is None:
        missing = head_type if head is None else tail_type
        reason = f"relation whose concept has no mention of type '{missing}'"
        source.report.skip(reason, file, relation.line, document.id)
        return None
    return head, tail


def first_mention(document: Document, label: str, concept: str) -> Entity | None:
    """The first mention of a concept; one that means nothing else goes before composite ones.

    The result carries this concept alone.
    """
    of_type = [m for m in sorted(document.mentions) if m.label == label]
    own = [m for m in of_type if m.concept == concept]
    shared = [m for m in of_type if concept in (m.concept or "").split("|")]
    chosen = next(iter(own or shared), None)
    return None if chosen is None else Entity(chosen.spans, label, concept)


def _pairs(source: Source, options: PubtatorOptions) -> Iterator[Example]:
    """One example for each related pair of concepts, and the sampled unrelated ones."""
    examples = [
        example
        for file, document in _documents(source, options)
        for example in _pairs_of(document, options, source, file)
    ]
    unrelated = [e.id for e in examples if e.answer == LabelAnswer(options.negative_label)]
    size = len(unrelated)
    if options.negatives is not None:
        size = min(size, round(options.negatives * (len(examples) - size)))
    left_out = set(unrelated) - sample(options.seed, unrelated, size)
    if left_out:
        reason = "unrelated pair left out by sampling"
        source.report.skip(reason, source.files[0], count=len(left_out))
    yield from (example for example in examples if example.id not in left_out)


def _pairs_of(
    document: Document, options: PubtatorOptions, source: Source, file: Path
) -> Iterator[Example]:
    """All pairs of a document in the order of the text.

    Pairs with the same mentions (composite ones) would be the same question, so they are one: it
    is related if one of them is.
    """
    labels = {
        (relation.head, relation.tail, options.relations[relation.label]): relation.label
        for relation in document.relations
        if _ends(document, relation, options, source, file) is not None
    }
    grouped: dict[tuple[Entity, Entity], list[tuple[Entity, Entity, str]]] = {}
    for types in sorted(set(options.relations.values())):
        for head, tail in _candidates(document, types):
            key = (head.concept or "", tail.concept or "", types)
            label = labels.get(key, options.negative_label)
            grouped.setdefault((head, tail), []).append((head, tail, label))
    for pairs in grouped.values():
        related = [pair for pair in pairs if pair[2] != options.negative_label]
        head, tail, label = (related or pairs)[0]
        reason = "pair joined with another one at the same mentions"
        source.report.skip(reason, file, document.line, document.id, count=len(pairs) - 1)
        yield Example(
            f"{document.id}-{head.concept}-{tail.concept}",
            options.document_prefix + document.id,
            PairInput(document.text, head, tail),
            LabelAnswer(label),
        )


def _candidates(document: Document, types: tuple[str, str]) -> Iterator[tuple[Entity, Entity]]:
    """First mentions of all pairs of different concepts of two types, in the order of the text."""
    sides: list[list[Entity]] = []
    for label in types:
        concepts = {
            concept
            for mention in document.mentions
            if mention.label == label
            for concept in (mention.concept or "").split("|")
            if concept
        }
        mentions = [first_mention(document, label, concept) for concept in sorted(concepts)]
        sides.append(sorted(m for m in mentions if m is not None))
    for head in sides[0]:
        for tail in sides[1]:
            if head.concept != tail.concept:
                yield head, tail
