"""What the parts of a page need of a document."""

from __future__ import annotations

from dataclasses import dataclass, field

from clinprompt.documents.attached import Attached
from clinprompt.documents.html_colours import Palette
from clinprompt.documents.model import Attribute, Document, Mention


@dataclass
class Page:
    """A document with what hangs on its annotations, and numbers for its mentions.

    Attributes:
        document: what is shown.
        palette: colours of labels; those of the document are added.
        held: attributes, concepts and comments by their target.
        mentions: of the document.
        number: of a mention by its id; addresses inside the page are made of it, not of ids.
    """

    document: Document
    palette: Palette
    held: Attached = field(init=False)
    mentions: tuple[Mention, ...] = field(init=False)
    number: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        self.held = Attached.of(self.document)
        self.mentions = self.document.mentions
        self.number = {mention.id: at for at, mention in enumerate(self.mentions)}
        for mention in self.mentions:
            self.palette.number(mention.label)


def value_of(one: Attribute) -> str:
    """An attribute in words: its name, with the value where it has one."""
    return one.name if one.value is None else f"{one.name}={one.value}"
