"""A task's examples as documents with their gold annotations.

So a dataset can be looked at, converted, and scored against what `predict` writes: annotations
stand as `annotate` writes answers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from clinprompt.documents.model import Document, Normalization
from clinprompt.errors import ClinpromptError
from clinprompt.examples import EntityAnswer, Example, TextInput
from clinprompt.inference.notes.annotate import annotated
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
            examples that would have one name.
    """
    plan, seen = Plan({card.name: card}), dict[str, str]()
    for example in examples:
        if not isinstance(example.input, TextInput):
            raise ClinpromptError(
                "CP-INF-360",
                f"task '{card.name}' (form {card.form}) asks about more than a text: its examples "
                "are no documents",
            )
        name = _UNSAFE.sub("-", example.id).strip("-.") or "example"
        if seen.setdefault(name, example.id) != example.id:
            raise ClinpromptError(
                "CP-INF-361",
                f"task '{card.name}': examples '{seen[name]}' and '{example.id}' would both be "
                f"documents named '{name}'",
            )
        bare = Document(name, example.input.text, metadata=(("example", example.id),))
        found = Found(card.name, example.input, example.answer)
        document = annotated(bare, [found], plan)
        if example.input.mentions:
            document = _with_mentions(document, example.input, plan, found)
        yield _in_vocabulary(document, concepts)


def _with_mentions(document: Document, asked: TextInput, plan: Plan, found: Found) -> Document:
    """The mentions that relations are between, all of them and with their concepts."""
    bare = replace(document, annotations=())
    first = replace(found, answer=EntityAnswer(asked.mentions))
    return annotated(bare, [first, found], plan)


def _in_vocabulary(document: Document, concepts: str) -> Document:
    kept = (
        replace(one, resource=concepts)
        if isinstance(one, Normalization) and one.resource == "concept"
        else one
        for one in document.annotations
    )
    return replace(document, annotations=tuple(kept))
