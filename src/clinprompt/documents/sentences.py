r"""Clinical text to sentences: spans that together cover the text exactly.

A sentence ends

- at an empty line, and at a line break unless the line below goes on: it begins with a small
  letter, or the line above is long (60 characters, as wrapped text is) and has no end of its own;
- before a list item (``-``, ``*``, ``•``, ``1.``, ``2)``, ``a)``) at the beginning of a line;
- behind ``. ! ?`` and closing quotes or brackets, if white space and then anything but a small
  letter follows. A full stop does not count behind a list item's number, a title (``Dr.``) or an
  initial; behind ``No.`` only if no number follows, and behind other abbreviations (``p.o.``) only
  if a capital letter follows. There is white space in no decimal, so decimals are never cut;
- behind ``。！？``.

White space behind a sentence belongs to it. Section headers are no concern here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from clinprompt.examples import Span

_LONGEST = 32  # characters of an abbreviation that are looked at
_WRAPPED = 60  # characters of a line that is likely to have been broken to fit a page
_TITLES = frozenset(
    "dr drs mr mrs ms prof st rev gen col capt lt sgt hon approx ca cf e.g i.e eg viz vs incl esp "
    "resp".split()
)
_NUMBERED = frozenset("no nos fig figs vol pp ch grp".split())
_ABBREVIATIONS = frozenset(
    "a.c a.d a.m a.s a.u abd ad.lib adm admin al amt appt ave avg b.i.d b.p bid bpm c.c c.o cap "
    "caps cc cm cont d.c d.o.b dept diag diff dil disch dist dx e.d etc ext exam f.u fam fhx freq "
    "g gm gms gtt h.r h.s hb hgb hosp hr hrs ht hx i.m i.u i.v in inj inf kg l lab labs lat lb "
    "lbs lt max mcg med meds mg min mins ml mm mo mos msec neg neuro norm n.p.o o.d o.s o.u occ "
    "op oz p.c p.m p.o p.r p.r.n pos poss post postop pre preop prev prn pt pts pulm q q.a.m q.d "
    "q.h q.h.s q.i.d q.o.d q.p.m qty r.r rec ref reg rehab rt rx s.c s.l s.o.b s.q s.p s.r sec "
    "sig sol soln spec stat sup surg susp sx t.i.d tab tabs tbsp temp tid tsp tx u.s w.r.t wk "
    "wks wnl wt yo yr yrs".split()
)
_ITEM = re.compile(r"[ \t]*(?:[-*•·‣▪◦–—+>][ \t]+|\(?(?:\d{1,3}|[A-Za-z])[.)][ \t]+)")
_END = re.compile(r"[.!?]+[\"'”’)\]]*(?=\s)|[。！？]+")
_BREAK = re.compile(r"\n\s*")
_LAST = re.compile(r"(\S+)\Z")
_SPACE = re.compile(r"\s+")


def sentences(text: str) -> list[Span]:
    """The sentences of `text`, in order.

    Returns:
        Spans of which each begins where the one before ends, the first at 0 and the last to the
        text's end. Each holds something but white space, unless the text holds nothing else.
    """
    if not text:
        return []
    first = len(text) - len(text.lstrip())
    places = {place for place in (*_breaks(text), *_ends(text)) if first < place < len(text)}
    borders = [0, *sorted(places), len(text)]
    return list(pairwise(borders))


def _breaks(text: str) -> Iterator[int]:
    """Where a line begins that does not go on with the sentence of the line above."""
    for match in _BREAK.finditer(text):
        start = match.end()
        below = text.rfind("\n", 0, start) + 1  # of the line below, its indent included
        if match.group().count("\n") > 1 or _ITEM.match(text, below) or not text[start:]:
            yield start
            continue
        above = text[text.rfind("\n", 0, match.start()) + 1 : match.start()].rstrip()
        open_ended = len(above) >= _WRAPPED and above[-1] not in ".!?:;"
        if not (text[start].islower() or open_ended):
            yield start


def _ends(text: str) -> Iterator[int]:
    """Where the next sentence begins behind a sentence's own end."""
    for match in _END.finditer(text):
        space = _SPACE.match(text, match.end())
        after = match.end() if space is None else space.end()
        following = text[after : after + 1]
        if space is not None and following.islower():
            continue
        if match.group()[0] != "." or not _abbreviated(text, match.start(), following):
            yield after


def _abbreviated(text: str, stop: int, following: str) -> bool:
    """Whether the full stop at `stop` belongs to a number, an initial or an abbreviation."""
    before = text[max(0, stop - _LONGEST) : stop]
    line = before.rpartition("\n")[2]
    found = _LAST.search(line)
    if found is None:
        return False
    word = found.group().strip("([{\"'“‘,;:").casefold()
    first = line.lstrip() == found.group() and (len(line) < len(before) or stop <= _LONGEST)
    if first and len(word) <= (3 if word.isdigit() else word.isalpha()):
        return True  # the number or letter of a list item
    if word in _TITLES or (len(word) == 1 and found.group()[-1:].isupper()):
        return True
    if word in _NUMBERED:
        return following.isdigit()
    return word in _ABBREVIATIONS and not following.isupper()
