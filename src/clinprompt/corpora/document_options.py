"""What a card may say about how annotated documents become examples."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from clinprompt.corpora.registry import Options
from clinprompt.corpora.units import Unit
from clinprompt.documents.formats import ReadOptions

DocumentForm = Literal["mentions", "list", "pair", "attribute"]


class DocumentOptions(Options):
    """Options of all readers of annotated documents.

    A mention's *full label* is its type, followed by a dot and the value of each attribute named
    in `attributes` that it has (``StatusTime.current``); an attribute without a value gives its
    name. An attribute of an event is one of its trigger.

    Attributes:
        form: what is asked. ``mentions``: the mentions of a text. ``list``: its relations.
            ``pair``: the relation of each pair of mentions whose types could be related.
            ``attribute``: the value of one attribute of a marked mention (form "label").
        labels: full label (or type alone) -> label on the card, or a list of labels that are the
            same on both; others are left out and counted. Empty: all, as they are.
        attributes: names of attributes; for form "attribute" exactly one.
        relations: label on the card -> (head label, tail label), for "list" and "pair".
        names: relation or attribute value in the data -> label on the card, where they differ.
        events: ``arguments`` makes a relation of each argument of an event, from the trigger to
            the argument, named ``TYPE.ROLE`` after the trigger's type and the role without a
            number behind it (``Alcohol.Amount``).
        swap: relations whose head is the second argument in the data.
        unit, size: what is one example: see `units.units`; `size` counts words of a window.
        question: what is asked in form "attribute"; ``{mention}`` stands for the mention's text.
        mismatch, offsets: see `formats.ReadOptions`.
        negative_label: answer for pairs without a relation.
        negatives: how many of these are kept for each related pair, over the whole split; None:
            all. Chosen by `seed`.
        document_prefix: what stands before a document's id to make its name.
    """

    form: DocumentForm = "mentions"
    labels: dict[str, str] = Field(default_factory=dict)
    attributes: tuple[str, ...] = ()
    relations: dict[str, tuple[str, str]] = Field(default_factory=dict)
    names: dict[str, str] = Field(default_factory=dict)
    events: Literal["ignore", "arguments"] = "ignore"
    swap: tuple[str, ...] = ()
    unit: Unit = "document"
    size: Annotated[int, Field(ge=1)] = 200
    question: str = ""
    mismatch: Literal["refuse", "realign"] = "refuse"
    offsets: Literal["characters", "bytes"] = "characters"
    negative_label: str = "none"
    negatives: Annotated[float, Field(ge=0)] | None = None
    seed: int = 13
    document_prefix: str = ""

    @field_validator("labels", mode="before")
    @classmethod
    def _same_on_both(cls, labels: Any) -> Any:
        return {name: name for name in labels} if isinstance(labels, list) else labels

    @model_validator(mode="after")
    def _form_fits(self) -> DocumentOptions:
        if self.form in ("list", "pair") and not self.relations:
            raise ValueError(f"relations: form '{self.form}' needs them")
        if self.form == "attribute" and (len(self.attributes) != 1 or not self.question):
            raise ValueError("attributes, question: form 'attribute' needs one of each")
        return self

    @property
    def read_options(self) -> ReadOptions:
        """How the files are read."""
        return ReadOptions(self.encoding, self.offsets, self.mismatch)
