"""PubTator files as tasks see them: mentions with concepts, and relations between concepts.

The lines are those of `documents.pubtator_lines`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from clinprompt.corpora.checks import Ids
from clinprompt.corpora.offsets import misplaced, offset_error
from clinprompt.documents.pubtator_lines import Block, ConceptRelation, Row, blocks, joined, render
from clinprompt.examples import Entity

__all__ = ["ConceptRelation", "Document", "parse", "write"]


@dataclass
class Document:
    """A title with its abstract, and what is annotated in them."""

    id: str
    title: str
    abstract: str
    line: int = field(default=0, compare=False)
    mentions: list[Entity] = field(default_factory=list)
    relations: list[ConceptRelation] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Title and abstract, one space between them: what offsets count in."""
        return joined(self.title, self.abstract)


def parse(text: str, file: Path) -> Iterator[Document]:
    """The documents of a file.

    Raises:
        ClinpromptError: CP-DATA-020 offsets do not cover the mention's text, CP-DATA-025 a line
            is malformed, CP-DATA-050 a document stands twice.
    """
    ids = Ids()
    for block in blocks(text, file):
        ids.add(block.id, file, block.line)
        document = Document(block.id, block.title, block.abstract, block.line)
        document.relations.extend(block.relations)
        for row in block.rows:
            if problem := misplaced(document.text, row.start, row.end, row.surface):
                raise offset_error(f"document {block.id}: {problem}", file, row.line)
            concept = "|".join(row.concepts) or None
            document.mentions.append(Entity(((row.start, row.end),), row.label, concept))
        yield document


def write(documents: Iterable[Document]) -> str:
    """The documents in PubTator format; `parse` gives them back.

    Raises:
        ValueError: what the format can't say: a discontinuous mention, a tab or a line end.
    """
    found = []
    for document in documents:
        block = Block(document.id, document.title, document.abstract)
        block.relations.extend(document.relations)
        for mention in document.mentions:
            if len(mention.spans) != 1:
                raise ValueError(f"{document.id}: PubTator has no discontinuous mentions")
            surface = mention.surface(document.text)
            concepts = tuple(mention.concept.split("|")) if mention.concept else ()
            block.rows.append(Row(mention.start, mention.end, surface, mention.label, concepts))
        found.append(render(block))
    return "\n".join(found)
