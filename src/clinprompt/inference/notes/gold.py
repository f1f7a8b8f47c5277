"""A task's examples as documents with their gold annotations.

So a dataset can be looked at, converted, and scored against what `predict` writes: annotations
stand as `annotate` writes answers. Beside them:

- every reference of a free answer is a value of its own under the task's name, in their order;
- a question that an example asks about its text is the metadata ``<task>.question``;
- mentions that relations are between are all there, with their concepts. Where a relation holds for
  one of the concepts of a composite mention, the attribute ``Arg1Concept`` or ``Arg2Concept`` says
  which, as the PubTator reader has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from clinprompt.documents.model import Attribute, Document, Link, Normalization
from clinprompt.documents.pubtator_concepts import CHOSEN, concept_of
from clinprompt.errors import ClinpromptError
from clinprompt.examples import (
    EntityAnswer,
    Example,
    Relation,
    RelationAnswer,
    TextAnswer,
    TextInput,
)
from clinprompt.inference.notes.annotate import NAMELESS, annotated
from clinprompt.inference.notes.found import Found
from clinprompt.inference.notes.plan import Plan
from clinprompt.tasks.card import Card

_UNSAFE = re.compile(r"[^\w.-]+")


def gold_documents(
    card: Card, examples: Sequence[Example], *, concepts: str = "MeSH"
) -> Iterator[Document]:
    """One document an example, in order.

    Args:
        card: of a task whose input is one text (mentions, relation lists, summaries).
        examples: with their answers.
        concepts: vocabulary of concept identifiers that do not name theirs.

    Yields:
        Documents named by the example's id (characters that files can't have become ``-``), with
        the id as it is in the metadata ``example``.

    Raises:
        ClinpromptError: CP-INF-360 for a task whose input is more than a text, CP-INF-361 for two
            examples that would have one name, CP-INF-362 for an example without a gold answer.
    """
    plan, seen = Plan({card.name: card}), dict[str, str]()
    for example in examples:
        if not isinstance(example.input, TextInput):
            raise ClinpromptError(
                "CP-INF-360",
                f"task '{card.name}' (form {card.form}) asks about more than a text: its examples "
                "are no documents",
            )
        if example.answer is None:
            raise ClinpromptError(
                "CP-INF-362", f"task '{card.name}': example '{example.id}' has no gold answer"
            )
        name = _UNSAFE.sub("-", example.id).strip("-.") or "example"
        # some file systems do not tell capitals from small letters
        if seen.setdefault(name.casefold(), example.id) != example.id:
            raise ClinpromptError(
                "CP-INF-361",
                f"task '{card.name}': examples '{seen[name.casefold()]}' and '{example.id}' would "
                f"both be documents named '{name}'",
            )
        bare = Document(name, example.input.text, metadata=_facts(card, example, example.input))
        found = Found(card.name, example.input, example.answer)
        # mentions go first: a relation alone would bring only those that it is between
        before = [replace(found, answer=EntityAnswer(example.input.mentions))]
        document = annotated(bare, [*(before if example.input.mentions else ()), found], plan)
        if isinstance(example.answer, TextAnswer):
            references = tuple((card.name, text) for text in example.answer.references)
            document = replace(document, metadata=document.metadata + references)
        document = _in_vocabulary(document, concepts)
        if isinstance(example.answer, RelationAnswer):
            document = _with_chosen(document, example.answer.relations, concepts)
        yield document


def _facts(card: Card, example: Example, asked: TextInput) -> tuple[tuple[str, str], ...]:
    named = (("example", example.id),)
    question = asked.question
    return named if question is None else (*named, (f"{card.name}.question", question))


def _in_vocabulary(document: Document, concepts: str) -> Document:
    kept = (
        replace(one, resource=concepts)
        if isinstance(one, Normalization) and one.resource == NAMELESS
        else one
        for one in document.annotations
    )
    return replace(document, annotations=tuple(kept))


def _with_chosen(document: Document, relations: Sequence[Relation], concepts: str) -> Document:
    """Attributes for relations that hold for some of the concepts of a mention."""
    of_mention: dict[str, set[str]] = {}
    for one in document.of(Normalization):
        of_mention.setdefault(one.target, set()).add(concept_of(one) or one.accession)
    places = {(one.label, one.spans): one.id for one in document.mentions}
    links = {
        (link.label, *(argument.target for argument in link.arguments)): link.id
        for link in document.of(Link)
    }
    chosen: dict[tuple[str, str, str], None] = {}
    for relation in relations:
        ends = [places[end.label, end.spans] for end in (relation.head, relation.tail)]
        link = links[relation.label, ends[0], ends[1]]
        for role, end, mention in zip(CHOSEN, (relation.head, relation.tail), ends, strict=True):
            own = [_written(part, concepts) for part in (end.concept or "").split("|") if part]
            if own and set(own) != of_mention.get(mention, set()):
                chosen |= {(link, role, concept): None for concept in own}
    attributes = (
        Attribute(f"A{number}", role, link, concept)
        for number, (link, role, concept) in enumerate(chosen, 1)
    )
    return replace(document, annotations=(*document.annotations, *attributes))


def _written(concept: str, vocabulary: str) -> str:
    """An identifier as `concept_of` writes the normalization that it became."""
    resource, colon, accession = concept.strip().partition(":")
    one = Normalization("", "", resource, accession)
    if not colon:
        one = Normalization("", "", vocabulary, resource)
    return concept_of(one) or one.accession
