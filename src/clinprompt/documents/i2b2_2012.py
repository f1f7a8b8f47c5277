"""i2b2 2012 temporal relations: one XML file a note, ``TEXT`` and ``TAGS``::

    <ClinicalNarrativeTemporalAnnotation>
    <TEXT><![CDATA[
    ...]]></TEXT>
    <TAGS>
    <EVENT id="E0" start="1" end="10" text="Admission" modality="FACTUAL" polarity="POS"
           type="OCCURRENCE" />
    <TIMEX3 id="T0" start="18" end="28" text="1901-02-03" type="DATE" val="1901-02-03" mod="NA" />
    <TLINK id="TL0" fromID="E0" fromText="Admission" toID="T0" toText="1901-02-03" type="OVERLAP" />
    <SECTIME id="S0" start="18" end="28" text="1901-02-03" type="ADMISSION" dvalue="1901-02-03" />
    </TAGS>
    </ClinicalNarrativeTemporalAnnotation>

The CDATA section begins with a line end, and offsets count it: so they are right from 0 in the XML
and from 1 in the ``.txt`` beside it. A copy whose text lacks that line end has offsets that are one
too large; whichever way more tags read as they say is taken, and the second is counted. Some files
of the release are not well-formed, since quoted texts hold bare ``&`` and ``<``; these are read as
what they are, and counted. Known from public loaders (BigBIO's ``n2c2_2012``) and converters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from clinprompt.documents.align import nearest
from clinprompt.documents.formats import Format, ReadOptions, register
from clinprompt.documents.model import Annotation, Argument, Attribute, Document, Link, Mention
from clinprompt.documents.store import Member, alone, members
from clinprompt.documents.tokenlines import reads_as, shown
from clinprompt.errors import ClinpromptError
from clinprompt.examples import Span
from clinprompt.report import Report

_MENTIONS = ("EVENT", "TIMEX3", "SECTIME")
_VALUES = {
    "EVENT": ("modality", "polarity"),
    "TIMEX3": ("val", "mod"),
    "SECTIME": ("type", "dvalue"),
}
_QUOTED = re.compile(r'(\s[A-Za-z0-9]+=")([^"\n]*)(")')
_BARE = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#[0-9]+|#x[0-9A-Fa-f]+);)")


def read(path: Path, options: ReadOptions, report: Report) -> Iterator[Document]:
    """The notes of a folder or archive of XML files; other files are counted.

    Raises:
        ClinpromptError: CP-DATA-604 XML that can't be read, CP-DATA-605 no TEXT or TAGS,
            CP-DATA-606 a tag without an id or offsets, CP-DATA-607 a tag whose text is another one
            than the covered text; what `members` and `Member.text` raise.
    """
    for member in members(path):
        if member.suffix == ".xml" or alone(path):
            yield read_document(member, options, report)
        else:
            report.skip("files that are not .xml", member.place)


def read_document(member: Member, options: ReadOptions, report: Report) -> Document:
    """The note of one XML file (see `read` for what is raised)."""
    root = _root(member, options, report)
    text, tags = root.find("TEXT"), root.find("TAGS")
    if text is None or tags is None:
        raise ClinpromptError(
            "CP-DATA-605", "the file has no TEXT or no TAGS element", file=member.place
        )
    note = "".join(text.itertext())
    found = [_Tag(tag, member.place) for tag in tags if tag.tag in _MENTIONS]
    placed = [tag for tag in found if tag.start is not None]
    right = sum(tag.fits(note, 0) for tag in placed)
    shift = -1 if sum(tag.fits(note, -1) for tag in placed) > right else 0
    if shift:
        report.skip("note whose offsets count from 1", member.place)
    mentions: dict[str, Mention] = {}
    attributes: list[Attribute] = []
    for tag in found:
        span = None if tag.start is None else tag.span(note, shift, options, report)
        if tag.start is None:
            report.skip("SECTIME without offsets", member.place, detail=tag.id)
        if span is None:
            continue
        if tag.id in mentions:
            report.skip("tag with an id that is there already", member.place, detail=tag.id)
            continue
        mentions[tag.id] = Mention(tag.id, tag.label, (span,))
        for name in _VALUES[tag.kind]:
            if value := tag.element.get(name, "").strip():
                attributes.append(Attribute(f"A{len(attributes) + 1}", name, tag.id, value))
    links = list(_links(tags, mentions, member.place, report))
    annotations: list[Annotation] = [*mentions.values(), *attributes, *links]
    return Document(member.stem, note, tuple(annotations))


def _root(member: Member, options: ReadOptions, report: Report) -> ElementTree.Element:
    """The file's root; bare ``&`` and ``<`` in quoted texts are escaped if it won't parse else."""
    text = member.text(options.encoding)
    try:
        return ElementTree.fromstring(text.encode("utf-8", "surrogatepass"))
    except (ElementTree.ParseError, ValueError, LookupError):
        pass
    head, mark, tags = text.partition("]]>")
    fixed, count = _QUOTED.subn(_escape, tags)
    body = re.sub(r"^\s*<\?xml[^>]*\?>", "", head) + mark + fixed
    try:
        root = ElementTree.fromstring(body.encode("utf-8", "surrogatepass"))
    except (ElementTree.ParseError, ValueError) as error:
        line = error.position[0] if isinstance(error, ElementTree.ParseError) else None
        raise ClinpromptError(
            "CP-DATA-604", "not well-formed XML", file=member.place, line=line
        ) from error
    report.skip("file with bare & or < in quoted texts", member.place, count=min(count, 1))
    return root


def _escape(match: re.Match[str]) -> str:
    return match[1] + _BARE.sub("&amp;", match[2]).replace("<", "&lt;") + match[3]


class _Tag:
    """A tag that covers text."""

    def __init__(self, element: ElementTree.Element, place: str) -> None:
        self.element, self.place = element, place
        self.kind = element.tag
        self.id = element.get("id", "").strip()
        self.text = element.get("text", "")
        kind = "" if self.kind == "SECTIME" else element.get("type", "").strip()
        self.label = kind or self.kind
        offsets = [element.get(key, "").strip() for key in ("start", "end")]
        numbers = all(re.fullmatch("[0-9]{1,9}", offset) for offset in offsets)
        self.start: int | None = int(offsets[0]) if numbers else None
        self.end = int(offsets[1]) if numbers else 0
        if not self.id or not (numbers or self.kind == "SECTIME"):
            raise ClinpromptError(
                "CP-DATA-606",
                f"{self.kind} '{self.id[:40]}' needs an id, and numbers as start and end",
                file=place,
            )

    def fits(self, note: str, shift: int) -> bool:
        """Whether the note reads as the tag says, `shift` characters from where it says."""
        assert self.start is not None
        start, end = self.start + shift, self.end + shift
        return 0 <= start < end <= len(note) and reads_as(note[start:end], self.text)

    def span(self, note: str, shift: int, options: ReadOptions, report: Report) -> Span | None:
        """Its offsets, checked against its text; None (counted) if that stands nowhere."""
        assert self.start is not None
        start, end = self.start + shift, self.end + shift
        if self.fits(note, shift):
            return start, end
        if options.mismatch == "refuse":
            raise ClinpromptError(
                "CP-DATA-607",
                f"{self.kind} '{self.id}': {self.start}-{self.end} reads "
                f"{shown(note[max(0, start) : max(0, end)])}, not {shown(self.text)}",
                file=self.place,
                hint="set mismatch to 'realign' to move it to the nearest place that reads so",
            )
        moved = nearest(note, self.text, start, words=True)
        reason = "tag moved to the nearest occurrence of its text"
        report.skip(reason if moved else "tag whose text stands nowhere", self.place, None, self.id)
        return moved


def _links(
    tags: ElementTree.Element, mentions: dict[str, Mention], place: str, report: Report
) -> Iterator[Link]:
    for number, tag in enumerate(tags.iter("TLINK"), 1):
        name = tag.get("id", "").strip() or f"TLINK {number}"
        ends = [tag.get(key, "").strip() for key in ("fromID", "toID")]
        label = tag.get("type", "").strip()
        if not label or not all(end in mentions for end in ends):
            reason = "TLINK without a type" if not label else "TLINK of a tag that is not there"
            report.skip(reason, place, detail=name)
            continue
        yield Link(name, label, (Argument("from", ends[0]), Argument("to", ends[1])))


I2B2_2012 = register(
    Format(
        name="i2b2-2012",
        about="i2b2 2012 temporal relations: XML with TEXT and TAGS (read only)",
        folder=True,
        read=read,
    )
)
