"""i2b2/VA 2010: concepts, assertions and relations, beside texts with one sentence a line.

A document is a ``.txt`` and, by the same name in whatever folder, up to three files about it::

    .con   c="a cough" 12:0 12:1||t="problem"
    .ast   c="a cough" 12:0 12:1||t="problem"||a="present"
    .rel   c="a syrup" 14:2 14:3||r="TrAP"||c="a cough" 12:0 12:1

Places are ``line:token`` (see `tokenlines`). A concept becomes a mention ``T1``, ``T2``, ...; its
assertion an attribute ``assertion``; a relation a link with ``Arg1`` and ``Arg2``. The layout is
documented by the set's guidelines and by public loaders (BigBIO's ``n2c2_2010``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from clinprompt.documents.align import nearest
from clinprompt.documents.formats import Format, ReadOptions, register
from clinprompt.documents.model import Annotation, Argument, Attribute, Document, Link, Mention
from clinprompt.documents.store import Member, members
from clinprompt.documents.tokenlines import TokenLines, reads_as, shown
from clinprompt.errors import ClinpromptError
from clinprompt.examples import Span
from clinprompt.report import Report

_CONCEPT = r'c="(.*)" ([0-9]{1,9}):([0-9]{1,9}) ([0-9]{1,9}):([0-9]{1,9})'
_LINES = {
    ".con": re.compile(rf'{_CONCEPT}\|\|t="([^"]+)"\s*'),
    ".ast": re.compile(rf'{_CONCEPT}\|\|t="([^"]+)"\|\|a="([^"]+)"\s*'),
    ".rel": re.compile(rf'{_CONCEPT}\|\|r="([^"]+)"\|\|{_CONCEPT}\s*'),
}
_FORMS = {
    ".con": 'c="TEXT" LINE:TOKEN LINE:TOKEN||t="TYPE"',
    ".ast": 'c="TEXT" LINE:TOKEN LINE:TOKEN||t="TYPE"||a="ASSERTION"',
    ".rel": 'c="TEXT" LINE:TOKEN LINE:TOKEN||r="TYPE"||c="TEXT" LINE:TOKEN LINE:TOKEN',
}


def read_collection(
    paths: Iterable[Path], options: ReadOptions, report: Report
) -> Iterator[Document]:
    """The documents of folders, archives or files that belong together, by name.

    The test set keeps its texts and its annotations in two archives; give both. A text without a
    ``.con`` file and annotations without a text are left out and counted.

    Raises:
        ClinpromptError: CP-DATA-600 a malformed line, CP-DATA-601 a place that isn't in the text,
            CP-DATA-602 a concept whose text is another one than the covered text, CP-DATA-603 two
            files of one kind for one document; what `members` and `Member.text` raise.
    """
    found: dict[str, dict[str, Member]] = {}
    for path in paths:
        for member in members(path):
            if member.suffix not in (".txt", *_LINES):
                report.skip("files that are not .txt, .con, .ast or .rel", member.place)
                continue
            kinds = found.setdefault(PurePosixPath(member.name).stem, {})
            if member.suffix in kinds:
                raise ClinpromptError(
                    "CP-DATA-603",
                    f"a second '{member.suffix}' file for this document; the first is "
                    f"{kinds[member.suffix].place}",
                    file=member.place,
                )
            kinds[member.suffix] = member
    for name, kinds in sorted(found.items()):
        if ".txt" not in kinds:
            place = next(iter(kinds.values())).place
            report.skip("annotations without a text", place, detail=name)
        elif ".con" not in kinds:
            report.skip("text without a .con file", kinds[".txt"].place, detail=name)
        else:
            yield read_document(name, kinds, options, report)


def read_document(
    name: str, kinds: Mapping[str, Member], options: ReadOptions, report: Report
) -> Document:
    """One document from its files by ending; ``.txt`` must be there."""
    return _Reading(name, kinds, options, report).document()


class _Reading:
    """The making of one document."""

    def __init__(
        self, name: str, kinds: Mapping[str, Member], options: ReadOptions, report: Report
    ) -> None:
        self.name, self.kinds, self.options, self.report = name, kinds, options, report
        self.lines = TokenLines(kinds[".txt"].text(options.encoding))
        self.mentions: dict[tuple[Span, str], Mention] = {}

    def document(self) -> Document:
        """The text with all its annotations."""
        for line, parts in self._rows(".con"):
            span = self._span(".con", line, parts[:5])
            if span is None:
                continue
            key = (span, parts[5])
            if key in self.mentions:
                self._skip("concept that stands twice", ".con", line)
                continue
            self.mentions[key] = Mention(f"T{len(self.mentions) + 1}", parts[5], (span,))
        found: list[Annotation] = [*self.mentions.values(), *self._assertions(), *self._relations()]
        return Document(self.name, self.lines.text, tuple(found))

    def _assertions(self) -> Iterator[Attribute]:
        count = 0
        for line, parts in self._rows(".ast"):
            span = self._span(".ast", line, parts[:5])
            mention = None if span is None else self.mentions.get((span, parts[5]))
            if mention is None:
                self._skip("assertion of a concept that is not there", ".ast", line)
                continue
            count += 1
            yield Attribute(f"A{count}", "assertion", mention.id, parts[6])

    def _relations(self) -> Iterator[Link]:
        at: dict[Span, list[Mention]] = {}
        for (span, _), mention in self.mentions.items():
            at.setdefault(span, []).append(mention)
        count = 0
        for line, parts in self._rows(".rel"):
            spans = self._span(".rel", line, parts[:5]), self._span(".rel", line, parts[6:])
            ends = [at.get(span, []) if span is not None else [] for span in spans]
            if not all(ends):
                self._skip("relation of a concept that is not there", ".rel", line)
                continue
            if any(len(end) > 1 for end in ends):
                self._skip(
                    "relation with several concepts at one place: the first taken", ".rel", line
                )
            count += 1
            roles = zip(("Arg1", "Arg2"), ends, strict=True)
            arguments = tuple(Argument(role, end[0].id) for role, end in roles)
            yield Link(f"R{count}", parts[5], arguments)

    def _rows(self, kind: str) -> Iterator[tuple[int, tuple[str, ...]]]:
        """Line number and parts of each line that isn't blank."""
        if kind not in self.kinds:
            return
        for number, line in enumerate(self.kinds[kind].text(self.options.encoding).split("\n"), 1):
            if not line.strip():
                continue
            match = _LINES[kind].fullmatch(line.strip())
            if match is None:
                raise ClinpromptError(
                    "CP-DATA-600",
                    f"not a line of a '{kind}' file, which is {_FORMS[kind]}",
                    file=self.kinds[kind].place,
                    line=number,
                )
            yield number, match.groups()

    def _span(self, kind: str, number: int, parts: tuple[str, ...]) -> Span | None:
        """Offsets of a concept, checked against its text; None (counted) if it can't be found."""
        quoted, *numbers = parts
        line, token, last_line, last_token = map(int, numbers)
        span = self.lines.span((line, token), (last_line, last_token))
        if span is not None and reads_as(self.lines.text[slice(*span)], quoted):
            return span
        place = f"{line}:{token} to {last_line}:{last_token}"
        if self.options.mismatch == "refuse":
            if span is None:
                raise ClinpromptError(
                    "CP-DATA-601",
                    f"{place} is not in the text, which has {self.lines.count} lines",
                    file=self.kinds[kind].place,
                    line=number,
                )
            raise ClinpromptError(
                "CP-DATA-602",
                f"{place} reads {shown(self.lines.text[slice(*span)])}, not {shown(quoted)}",
                file=self.kinds[kind].place,
                line=number,
                hint="set mismatch to 'realign' to move it to the nearest place that reads so",
            )
        moved = nearest(self.lines.text, quoted, self.lines.near(line), words=True)
        reason = "concept moved to the nearest occurrence of its text"
        self._skip(reason if moved else "concept whose text stands nowhere", kind, number)
        return moved

    def _skip(self, reason: str, kind: str, line: int) -> None:
        self.report.skip(reason, self.kinds[kind].place, line, self.name)


def read(path: Path, options: ReadOptions, report: Report) -> Iterator[Document]:
    """The documents of one folder or archive (see `read_collection`)."""
    return read_collection([path], options, report)


I2B2_2010 = register(
    Format(
        name="i2b2-2010",
        about="i2b2/VA 2010: .txt with .con, .ast and .rel by line and token (read only)",
        folder=True,
        read=read,
    )
)
