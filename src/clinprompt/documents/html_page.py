"""One note as an HTML page: its text with highlights, and what is known of each annotation."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from clinprompt.documents.html_colours import Palette
from clinprompt.documents.html_context import Page
from clinprompt.documents.html_note import note
from clinprompt.documents.html_style import style
from clinprompt.documents.html_tables import events, mention_table, others, relations
from clinprompt.documents.html_text import attribute, shown, text
from clinprompt.documents.model import Document


@dataclass(frozen=True)
class Neighbours:
    """Pages a page leads to, as addresses relative to it; None where there is none."""

    index: str
    previous: str | None = None
    following: str | None = None


def page(document: Document, palette: Palette, around: Neighbours) -> str:
    """The document's page.

    Args:
        document: what is shown.
        palette: colours of labels; new ones are added.
        around: the pages it leads to.
    """
    one = Page(document, palette)
    parts = [
        _header(one, around),
        "<main>",
        legend(Counter(mention.label for mention in one.mentions), palette),
        note(one),
        relations(one),
        events(one),
        mention_table(one),
        others(one),
        "</main>",
    ]
    return whole(document.id, "".join(parts), palette)


def whole(title: str, body: str, palette: Palette) -> str:
    """A page with everything it needs inside; nothing in it may be loaded or run."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">"
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="robots" content="noindex"><meta name="referrer" content="no-referrer">'
        f"<title>{attribute(title)}</title><style>{style(palette)}</style></head>"
        f"<body>{body}<footer>Made by clinprompt. Nothing on this page leaves this computer."
        "</footer></body></html>\n"
    )


def counted(number: int, what: str) -> str:
    """Such as ``1,204 mentions``."""
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def legend(counts: Counter[str], palette: Palette) -> str:
    """Labels with their colours and counts, the most frequent first."""
    if not counts:
        return ""
    entries = [
        f'<li class="l{palette.number(label)}"><bdi>{text(label)}</bdi> <b>{count:,}</b></li>'
        for label, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    ]
    return f'<ul class="legend" aria-label="Labels">{"".join(entries)}</ul>'


def _header(one: Page, around: Neighbours) -> str:
    document = one.document
    links = [f'<a href="{attribute(around.index)}">← All documents</a><span class="gap"></span>']
    if around.previous is not None:
        links.append(f'<a href="{attribute(around.previous)}" rel="prev">Previous</a>')
    if around.following is not None:
        links.append(f'<a href="{attribute(around.following)}" rel="next">Next</a>')
    counts = [counted(len(document.text), "character"), counted(len(one.mentions), "mention")]
    counts += [counted(len(document.links), "relation")] if document.links else []
    counts += [counted(len(document.events), "event")] if document.events else []
    summary = "".join(f"<span>{count}</span>" for count in counts)
    facts = "".join(
        f"<div><dt>{shown(name)}</dt><dd>{shown(value, 400)}</dd></div>"
        for name, value in document.metadata
    )
    return (
        f'<header class="top"><nav>{"".join(links)}</nav><h1>{shown(document.id, 400)}</h1>'
        f'<p class="sum">{summary}</p>'
        + (f'<dl class="facts">{facts}</dl>' if facts else "")
        + "</header>"
    )
