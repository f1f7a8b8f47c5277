"""Whether a half-written line can still become one that is read.

The grammar knows what stands in the text, not how often it was named already nor which occurrence
numbers there are. This is asked of the reader of answers itself, for the one token that was chosen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import comb
from typing import Protocol

from clinprompt import verbalize
from clinprompt.examples import Entity, Input, QuestionInput, Relation, Span, SpanAnswer
from clinprompt.inference.grounding.grammar import escaped_spaces, escapes_in
from clinprompt.inference.ordering import apart
from clinprompt.tasks.card import Card
from clinprompt.verbalize import ner, relations
from clinprompt.verbalize.fragments import Fragment, Masked
from clinprompt.verbalize.mentions import Index, folded, locate
from clinprompt.verbalize.parsed import NONE, Fault

_HALF_ESCAPE = re.compile(r"(?<!\\)(?:\\\\)*(\\(?:u[0-9a-f]{0,3})?)$")
_HALF_JOIN = re.compile(r" (?:\.{1,2}|\.\.\. ?)?$")
_HALF_NUMBER = re.compile(r" (?:\[([0-9]*))?$")
_HALF_ARROW = re.compile(r" (?:-(?:> ?)?)?$")
_JOIN = " ... "
_SPACE = r"\\(?:[snrt]|u[0-9a-f]{4})"
_SPACES = re.compile(rf"(?<!\\)(?:\\\\)*{_SPACE}")  # escaped white space
_SPACES_ALL = re.compile(_SPACE)
_DOTS = re.compile(r"(?<!\S)\.\.\.(?!\S)")
_ARROW = re.compile(r"(?<!\S)(?:\.\.\.|->)(?!\S)")
_LEAD = re.compile(rf"(?:{_SPACE})*")
_WHOLE = re.compile(
    rf"(?:{_SPACE})*(?:(?!{_SPACE})(?:\\[\\.\[\-]|[^\\]))*(?:{_SPACE})*(?: \[[0-9]+\])?"
)
_FEW = 12  # characters of a text that lines could exhaust


class _Reader(Protocol):
    index: Index

    def copy(self) -> _Reader: ...
    def read(self, line: str) -> Entity | Relation | Fault: ...
    def before(self, label: str, fragments: tuple[Fragment, ...]) -> tuple[Span, ...] | None: ...


class _SpanReader:
    """Reads the one line of an extractive answer."""

    def __init__(self, card: Card, value: Input) -> None:
        assert isinstance(value, QuestionInput)
        self._card, self._value = card, value
        self.index = Index(value.context or "")

    def copy(self) -> _SpanReader:
        return self

    def read(self, line: str) -> Entity | Fault:
        answer = verbalize.parse(self._card, self._value, line).answer
        spans = answer.spans if isinstance(answer, SpanAnswer) else ()
        return Entity(spans, "") if spans else "unaligned"

    def before(self, label: str, fragments: tuple[Fragment, ...]) -> tuple[Span, ...] | None:
        return locate(self.index, fragments, self.index.first)


@dataclass(frozen=True)
class _Line:
    """A line, as far as the mention that is being written.

    Attributes:
        head: what stands in front of that mention, label and all.
        label: its label, as the reader knows it.
        reader: knows what the words in front mean.
        last: whether the line may end behind it.
    """

    head: str
    label: str
    reader: _Reader
    last: bool = True


class Lines:
    """The lines of one answer, as far as they are written.

    Args:
        card: of form mentions, list or span.
        value: the input that is answered.
    """

    def __init__(self, card: Card, value: Input) -> None:
        self._card = card
        reader: _Reader
        match card.form:
            case "mentions":
                reader = ner.Reader(card, value)
            case "list":
                reader = relations.Reader(card, value)
            case _:
                reader = _SpanReader(card, value)
        self._reader = reader
        self._text = reader.index.text
        self._flat = " ".join(self._text.split())
        self._end = len(self._text.rstrip())
        self._escapes = escapes_in(self._flat, arrow=card.form == "list")
        self._spaces = escaped_spaces(self._text)
        self._low = folded(self._flat)
        self._characters = sorted({*self._flat, *self._low})
        self._written: dict[str, int] = {}  # label's words -> lines

    @property
    def _first(self) -> bool:
        return not self._written

    def end(self, line: str, *, more: bool = False) -> bool:
        """End the line.

        Args:
            line: all of it.
            more: whether another line is to follow.

        Returns:
            False, with nothing changed, if nothing can be read from it, or nothing can follow.
        """
        if not more and self._first and self._flat_start(line) == NONE:
            return True
        reader = self._reader.copy()
        if not _ordered(reader.read(line)):
            return False
        words = line.partition(":")[0].strip()
        written = {**self._written, words: self._written.get(words, 0) + 1}
        names = [name.strip() for name in self._card.labels.values()]
        if more and not any(self._open(name, written) for name in names):
            return False
        self._reader, self._written = reader, written
        return True

    def _flat_start(self, line: str) -> str:
        return line.removeprefix(" ") if self._first else line

    def possible(self, line: str, rest: bytes = b"") -> bool:
        """Whether the line can be completed.

        Args:
            line: what is written of it.
            rest: the first bytes of a character that is not yet whole.
        """
        if rest:
            return any(
                self.possible(line + character)
                for character in self._characters
                if character.encode().startswith(rest)
            )
        line = self._flat_start(line)
        if self._first and NONE.startswith(line):
            return True
        if self._card.form == "span":
            return self._mention(_Line("", "", self._reader), line)
        words, colon, said = line.partition(": ")
        if not colon:
            return any(
                f"{name.strip()}: ".startswith(line) and self._open(name.strip(), self._written)
                for name in self._card.labels.values()
            )
        label = next((k for k, v in self._card.labels.items() if v.strip() == words), None)
        if label is None:
            return False
        if self._card.form == "mentions":
            return self._mention(_Line(f"{words}: ", label, self._reader), said)
        sides = self._card.arguments[label]
        head, arrow, tail = said.partition(" -> ")
        if not arrow:
            return self._mention(_Line(f"{words}: ", sides[0], self._reader, last=False), said)
        reader = self._reader.copy()  # one that knows what the head's words mean by now
        assert isinstance(reader, relations.Reader)
        reader.name(sides[0], Masked.of(head).fragments())
        return self._mention(_Line(f"{words}: {head} -> ", sides[1], reader), tail)

    def _open(self, words: str, written: dict[str, int]) -> bool:
        """Whether the label has mentions left: there are only so many in a text of a few letters.

        Mentions of k fragments in n characters: 2 k ends among n + k places.
        """
        n = len(self._text)
        most = sum(comb(n + k, 2 * k) for k in range(1, n + 1)) if n <= _FEW else None
        if most is None:
            return True
        return written.get(words, 0) < (most if self._card.form == "mentions" else most * most)

    def _mention(self, line: _Line, said: str) -> bool:
        """Whether a mention that begins with `said` can be completed, and the line with it."""
        if "\\" not in said and " [" not in said and " ..." not in said:
            if not said:
                return True
            for text in (self._flat, self._low):
                place = text.find(said)
                if 0 <= place < len(text) - len(said) and not self._alone(said):
                    return True
        half = _HALF_ESCAPE.search(said)
        if half is None:
            return any(self._ways(line, said))
        begun, done = half.group(1), said[: half.start(1)]
        fragment = done.rpartition(_JOIN)[2]
        # White space is escaped at the ends of a fragment only, and all else inside.
        lead = _LEAD.match(fragment)
        whole = [] if lead and _SPACES.search(fragment, lead.end()) else self._escapes
        if not fragment or not fragment.endswith(" "):
            whole = whole + self._spaces
        return any(self._mention(line, done + e) for e in whole if e.startswith(begun))

    def _ways(self, line: _Line, said: str) -> Iterator[bool]:
        """The ways in which `said` may go on."""
        yield self._grows(line, said)
        if (half := _HALF_JOIN.search(said)) is not None:
            base = said[: half.start()]
            yield not base.endswith(" ...") and self._followed(line, base)
        if (half := _HALF_NUMBER.search(said)) is not None:
            base = said[: half.start()]
            yield any(
                self._ends(line, f"{base} [{number}]") or self._followed(line, f"{base} [{number}]")
                for number in self._numbers(base)
                if str(number).startswith(half.group(1) or "")
            )
        if not line.last and (half := _HALF_ARROW.search(said)) is not None:
            yield self._ends(line, said[: half.start()])
        if said.endswith(" "):
            return
        yield self._followed(line, said)
        for more in self._trails(said):
            yield self._ends(line, said + more)
            numbers = self._numbers(said + more)
            yield any(self._ends(line, f"{said}{more} [{number}]") for number in numbers)

    def _grows(self, line: _Line, said: str) -> bool:
        """Whether the text goes on behind the last fragment's words."""
        before, join, last = said.rpartition(_JOIN)
        lead = _LEAD.match(last)
        assert lead is not None
        if _SPACES.search(last, lead.end()):
            return False
        words = Masked.of(last[lead.end() :]).text
        start = 0
        if join:
            found = self._behind(line, self._fragments(before))
            if found is None:
                return False
            start = found
        fragment = Fragment(" ".join(words.split()), Masked.of(lead.group()).text)
        inside = self._alone(last) is not None  # only as a part of something longer
        if not fragment.core and not fragment.lead:
            return not join or start < len(self._text)
        return any(
            start <= span[0]
            and span[1] < self._end
            and (not words.endswith(" ") or self._text[span[1]].isspace())
            and not (inside and self._text[span[1]].isspace())
            for span in self._places(fragment, low=True)
        )

    def _trails(self, said: str) -> list[str]:
        """Nothing, and the escaped white space that may stand behind the last fragment."""
        fragments = self._fragments(said)
        if not fragments or fragments[-1].number is not None:
            return [""]
        runs = {""}
        for _, end in self._places(fragments[-1])[:_FEW]:
            behind = self._text[end : end + _FEW]
            white = len(behind) - len(behind.lstrip())
            runs |= {Fragment("", behind[:k]).write() for k in range(1, white + 1)}
        return sorted(runs, key=len)

    def _behind(self, line: _Line, fragments: tuple[Fragment, ...]) -> int | None:
        """Where the fragments, which others follow, end in the text; None if they are not there."""
        if not fragments:
            return 0
        spans = line.reader.before(line.label, fragments)
        return spans[-1][1] if spans is not None and apart(spans) else None

    def _followed(self, line: _Line, said: str) -> bool:
        """Whether another fragment can stand behind a whole one."""
        fragments = self._fragments(said)
        end = self._behind(line, fragments) if fragments else None
        return end is not None and end < len(self._text)

    def _places(self, fragment: Fragment, *, low: bool = False) -> list[Span]:
        """Where a fragment stands; in any case of letters if it does not stand there as written.

        Args:
            fragment: perhaps a half-written one.
            low: also those in any case of one in lower case, which may go on as they do.
        """
        index = self._reader.index
        if low and folded(fragment.core) == fragment.core:
            whole, inside = index.occurrences(fragment, fold=True)
        else:
            whole, inside = index.occurrences(fragment)
            if not whole and not inside:
                whole, inside = index.occurrences(fragment, fold=True)
        return [*whole, *inside]

    def _numbers(self, said: str) -> range:
        """The occurrence numbers of what would be the last fragment."""
        fragments = self._fragments(said)
        if not fragments or fragments[-1].number is not None:
            return range(0)
        return range(1, len(self._places(fragments[-1])) + 1)

    def _fragments(self, said: str) -> tuple[Fragment, ...]:
        """The fragments of a whole mention; none if it is not written as it should be."""
        pieces = said.split(_JOIN)
        whole = all(_WHOLE.fullmatch(piece) and not self._alone(piece) for piece in pieces)
        return Masked.of(said).fragments() if whole else ()

    def _alone(self, piece: str) -> re.Match[str] | None:
        """A sign that stands alone, and would have to be escaped there."""
        return (_ARROW if self._card.form == "list" else _DOTS).search(_SPACES_ALL.sub(" ", piece))

    def _ends(self, line: _Line, said: str) -> bool:
        """Whether the mention may end here."""
        if not self._fragments(said):
            return False
        if line.last:
            return _ordered(self._reader.copy().read(line.head + said))
        return self._behind(line, self._fragments(said)) is not None


def _ordered(found: Entity | Relation | Fault) -> bool:
    """Whether a line names something whose fragments lie one behind the other."""
    match found:
        case Entity(spans=spans):
            return apart(spans)
        case Relation(head=head, tail=tail):
            return apart(head.spans) and apart(tail.spans)
    return False
