"""JSON lines of texts in which the two mentions of a pair are marked, as ``<< A >>`` (RE pairs)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from clinprompt.corpora.identity import text_id
from clinprompt.corpora.json_records import field, json_records
from clinprompt.corpora.registry import Options, Source, reader
from clinprompt.errors import ClinpromptError
from clinprompt.examples import Entity, Example, LabelAnswer, PairInput, Span

Marks = tuple[str, str]


class MarkedOptions(Options):
    """Options of reader "marked-pairs".

    Attributes:
        text, label: keys of a record.
        head, tail: opening and closing mark of the first and of the second mention. The marks'
            blanks are part of them: a literal ``>>`` in the text is then no mark.
        types: types of head and tail.
    """

    text: str = "text"
    label: str = "label"
    head: Marks = ("<< ", " >>")
    tail: Marks = ("[[ ", " ]]")
    types: tuple[str, str] = ("entity", "entity")


@reader("marked-pairs", MarkedOptions)
def read_marked(source: Source, options: MarkedOptions) -> Iterator[Example]:
    """One example a record; its document is the text without marks (see `identity.text_id`).

    Raises:
        ClinpromptError: CP-DATA-027 and 028 a malformed record, CP-DATA-031 marks that are
            missing, ambiguous or crossed.
    """
    for file in source.files:
        for line, record in json_records(file, options.encoding):
            label = field(record, options.label, str, file, line)
            try:
                marked = strip_marks(
                    field(record, options.text, str, file, line), options.head, options.tail
                )
            except ValueError as error:
                raise ClinpromptError("CP-DATA-031", str(error), file=file, line=line) from error
            head, tail = (
                Entity((span,), kind)
                for span, kind in zip((marked.head, marked.tail), options.types, strict=True)
            )
            yield Example(
                source.place(file, line),
                text_id(marked.text),
                PairInput(marked.text, head, tail),
                LabelAnswer(label),
            )


@dataclass(frozen=True)
class Marked:
    """A text without its marks, and what they enclosed."""

    text: str
    head: Span
    tail: Span


def strip_marks(text: str, head: Marks, tail: Marks) -> Marked:
    """Take the marks of two mentions out of a text.

    A mention ends at the first closing mark after its opening mark. One mention may lie inside
    the other.

    Raises:
        ValueError: an opening mark doesn't stand exactly once, a closing mark is missing, a
            mention is empty, or the mentions cross.
    """
    cuts: list[tuple[int, int]] = []  # what to cut out: [start, end)
    inner: list[Span] = []
    for opening, closing in (head, tail):
        if text.count(opening) != 1:
            raise ValueError(f"mark '{opening}' stands {text.count(opening)} times, not once")
        begin = text.index(opening)
        end = text.find(closing, begin + len(opening))
        if end < 0:
            raise ValueError(f"mark '{opening}' is not followed by '{closing}'")
        cuts += [(begin, begin + len(opening)), (end, end + len(closing))]
        inner.append((begin + len(opening), end))
    pieces = sorted(cuts)
    if any(left[1] > right[0] for left, right in pairwise(pieces)):
        raise ValueError("two marks overlap")
    first, second = sorted(inner)
    if second[0] < first[1] < second[1]:
        raise ValueError("the two mentions cross each other")

    def moved(position: int) -> int:
        return position - sum(end - start for start, end in pieces if end <= position)

    parts = [text[: pieces[0][0]]]
    for (_, start), following in zip(pieces, [*pieces[1:], None], strict=True):
        parts.append(text[start : len(text) if following is None else following[0]])
    spans = [(moved(start), moved(end)) for start, end in inner]
    if any(start >= end for start, end in spans):
        raise ValueError("a mention is empty")
    return Marked("".join(parts), *spans)
