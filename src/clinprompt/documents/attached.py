"""What hangs on the annotations of a document, by the id of what it hangs on."""

from __future__ import annotations

from dataclasses import dataclass, field

from clinprompt.documents.model import Attribute, Comment, Document, Normalization


@dataclass
class Attached:
    """Attributes, concepts and comments by the id of their target, each in order.

    Targets need not exist: files with loose ends are read as they are.
    """

    attributes: dict[str, list[Attribute]] = field(default_factory=dict)
    concepts: dict[str, list[Normalization]] = field(default_factory=dict)
    comments: dict[str, list[Comment]] = field(default_factory=dict)

    @classmethod
    def of(cls, document: Document) -> Attached:
        """Those of a document."""
        held = cls()
        for attribute in document.of(Attribute):
            held.attributes.setdefault(attribute.target, []).append(attribute)
        for concept in document.of(Normalization):
            held.concepts.setdefault(concept.target, []).append(concept)
        for comment in document.of(Comment):
            held.comments.setdefault(comment.target, []).append(comment)
        return held
