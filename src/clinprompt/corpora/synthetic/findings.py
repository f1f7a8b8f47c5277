"""Kind ``findings``: radiology findings and body sites marked (NER, two types).

- ``Finding``: the name of an abnormality, present or denied, with the words of extent and course
  right before it; no article, no size.
- ``Site``: where it is, with its side, and also a normal site that the report names.

Neither type is asked for by the source tasks.
"""

from __future__ import annotations

from clinprompt.corpora.synthetic import phrases
from clinprompt.corpora.synthetic.draw import Draw, Pool
from clinprompt.corpora.synthetic.fragment import Fragment, concat, entities, join, mark
from clinprompt.corpora.synthetic.grammar import Filler, fill, sentence
from clinprompt.corpora.synthetic.lexicon.imaging import (
    FINDINGS,
    INDICATIONS,
    NORMALS,
    STUDIES,
    Finding,
    bare,
)
from clinprompt.corpora.synthetic.lexicon.symptoms import SIDES
from clinprompt.corpora.synthetic.scene import Scene
from clinprompt.examples import EntityAnswer, TextInput

_EXTENTS = (
    "small",
    "large",
    "mild",
    "moderate",
    "subtle",
    "new",
    "stable",
    "multiple",
    "scattered",
)
_COUNTED = ("small", "large", "new", "stable")  # fit a thing that reports measure
_POOLS = Pool(FINDINGS, lambda entry: entry.region).grouped(lambda entry: entry.region)

_PRESENT = (
    "(We note|We see|Again noted is|Imaging shows) {finding} {place}.",
    "{finding} (seen|noted|demonstrated|identified|visible) {place}.",
    "{place}, (we see|note is made of|we again find) {finding}.",
    "{size} {sized} {place}.",
    "{sized} {place}, (measuring|about|up to) {size}.",
    "{finding} {place}, (unchanged|more marked|less marked) (since|compared with) {year}.",
    "{site}: {finding}.",
    "{finding} and {other} {place}.",
    "{area} (shows|has|with) {finding}.",
    "(Impression|Conclusion|Summary): {finding} {place}(|, as before|, indeterminate).",
    "(As on the prior study|As in {year}), {sized} {place}.",
)
_ABSENT = (
    "No {finding} (visible |identified |){place}.",
    "(No evidence of|Without|Negative for) {finding}.",
    "No {finding} or {other}.",
    "(Prior|Previous|Known) {finding} {place} (no longer seen|not visible today|has cleared).",
    "{site}: (unremarkable|no {finding}).",
    "{area} (is free of|without) {finding}.",
)
_HEADS = (
    "{study} (for|, indication:|, reason:) {reason}.",
    "{study}.",
    "(Exam|Study|Technique): {study}.",
    "{study}, comparison {year}.",
)


class _Writer:
    """Writes the mentions of one report."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.region = draw.pick(tuple(STUDIES))
        self._entry: Finding | None = None
        self._sites: tuple[str, ...] = ()
        self._sized = False
        self.bare_names = False  # denied findings have no words of extent

    @property
    def entry(self) -> Finding:
        """The finding that the sentence is about."""
        if self._entry is None:
            self._entry = self.draw.term(_POOLS[self.region], lambda e: e.sized or not self._sized)
            self._sites = self._entry.sites
        return self._entry

    def sentence(self, pattern: str, slots: dict[str, Filler]) -> Fragment:
        """The pattern, filled, with a finding of its own."""
        self._entry, self._sized = None, "{size}" in pattern
        return sentence(pattern, self.draw, slots)

    def finding(self) -> Fragment:
        """The sentence's finding."""
        draw = self.draw
        words = phrases.called(draw, self.entry, 0.5)
        if draw.chance(0.3) and not self.bare_names and words.split()[0] not in _EXTENTS:
            words = f"{draw.pick(_COUNTED if self.entry.sized else _EXTENTS[2:7])} {words}"
        return mark(words, "Finding", draw.link())

    def sized(self) -> Fragment:
        """The sentence's finding without a word of extent."""
        return mark(phrases.called(self.draw, self.entry, 0.5), "Finding", self.draw.link())

    def other(self) -> Fragment:
        """A second finding that occurs at the same sites."""
        sites = self.entry.sites
        entry = self.draw.term(_POOLS[self.region], lambda e: not set(e.sites).isdisjoint(sites))
        self._sites = tuple(site for site in sites if site in entry.sites)
        return mark(phrases.called(self.draw, entry), "Finding", self.draw.link())

    def site(self) -> Fragment:
        """A site of the sentence's finding."""
        sites = self._sites if self._entry else self.entry.sites
        site = self.draw.pick(sites).replace("@", self.draw.pick(SIDES))
        return mark(site, "Site", self.draw.link())

    def area(self) -> Fragment:
        """The site with its article."""
        site = self.site()
        return site if bare(site.text) else concat(("the ", site))

    def place(self) -> Fragment:
        """The site with its preposition."""
        site = self.site()
        if bare(site.text):
            return concat(("at ", site))
        return fill("(in|in|within|involving) the {site}", self.draw, {"site": site})

    def normal(self) -> Fragment:
        """A normal statement with its sites marked."""
        parts = self.draw.pick(NORMALS[self.region]).replace(">", "<").split("<")
        return concat(
            mark(part, "Site", self.draw.link()) if i % 2 else part for i, part in enumerate(parts)
        )


def make(draw: Draw) -> tuple[TextInput, EntityAnswer]:
    """A report of three or four sentences: present and absent findings, normal sites."""
    writer = _Writer(draw)
    scene = Scene(draw)
    slots: dict[str, Filler] = {
        "study": draw.pick(STUDIES[writer.region]),
        "reason": lambda: phrases.reworded(draw, scene.related(INDICATIONS[writer.region])),
        "finding": writer.finding,
        "sized": writer.sized,
        "other": writer.other,
        "area": writer.area,
        "site": writer.site,
        "place": writer.place,
        "size": lambda: draw.pick((f"{draw.between(3, 29)} mm", f"{draw.between(11, 48) / 10} cm")),
        "year": lambda: str(draw.between(phrases.THIS_YEAR - 7, phrases.THIS_YEAR - 1)),
    }
    body = [writer.sentence(p, slots) for p in draw.sample(_PRESENT, draw.pick((1, 1, 2)))]
    writer.bare_names = True
    body += [writer.sentence(p, slots) for p in draw.sample(_ABSENT, draw.pick((0, 1, 1)))]
    if len(body) < 3 or draw.chance(0.3):
        body.append(writer.normal())
    lines = [sentence(draw.pick(_HEADS), draw, slots)] if draw.chance(0.75) else []
    report = phrases.finished(draw, join(" ", lines + draw.shuffled(body)))
    return TextInput(report.text), EntityAnswer(entities(report))
