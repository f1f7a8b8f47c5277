"""``html``: a folder to be read in a browser: one page a note and an index. Write-only.

The pages need no network and no JavaScript, and can be printed. ``index.html`` lists the notes,
whose pages are in ``notes/``.
"""

from __future__ import annotations

import os.path
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from clinprompt.documents.formats import Format, WriteOptions, register
from clinprompt.documents.html_colours import Palette
from clinprompt.documents.html_page import Neighbours, counted, legend, page, whole
from clinprompt.documents.html_text import shown
from clinprompt.documents.model import Document
from clinprompt.documents.output import document_file, write_bytes
from clinprompt.documents.record import checked
from clinprompt.documents.textfolder import each_once
from clinprompt.errors import ClinpromptError
from clinprompt.report import Report


@dataclass(frozen=True)
class Entry:
    """A line of the index."""

    id: str
    address: str
    characters: int
    labels: Counter[str]
    relations: int
    events: int


def write(path: Path, documents: Iterable[Document], options: WriteOptions, report: Report) -> int:
    """Write a page for each document and an index into a folder; returns how many documents.

    Raises:
        ClinpromptError: CP-DOC-330 a file name that can't be written, CP-DOC-004, CP-DOC-005,
            CP-DOC-123, CP-DOC-300.
    """
    palette = Palette()
    entries: list[Entry] = []
    before: Path | None = None
    stream = each_once(map(checked, documents), path)
    document = next(stream, None)
    while document is not None:
        following = next(stream, None)
        file = _file(path, document)
        around = Neighbours(
            _address(path / "index.html", file),
            None if before is None else _address(before, file),
            None if following is None else _address(_file(path, following), file),
        )
        write_bytes(file, _encoded(page(document, palette, around)))
        labels = Counter(mention.label for mention in document.mentions)
        address = _address(file, path / "index.html")
        counts = (len(document.links), len(document.events))
        entries.append(Entry(document.id, address, len(document.text), labels, *counts))
        before, document = file, following
    write_bytes(path / "index.html", _encoded(index(entries, palette)))
    return len(entries)


def _file(path: Path, document: Document) -> Path:
    """The file of a document's page.

    Raises:
        ClinpromptError: CP-DOC-330 if its id is no text that a file name can be made of.
    """
    try:
        os.fsencode(document.id)
        if "\0" in document.id:
            raise ValueError
    except ValueError as error:
        raise ClinpromptError("CP-DOC-330", "a document's id can't be a file name") from error
    return document_file(path / "notes", document.id, ".html")


def _address(target: Path, source: Path) -> str:
    """How the page `source` leads to the page `target`."""
    # As bytes: a name that is no UTF-8 has an address, too.
    return quote(os.fsencode(Path(os.path.relpath(target, source.parent)).as_posix()))


def _encoded(content: str) -> bytes:
    return content.encode("utf-8", "replace")


def index(entries: list[Entry], palette: Palette) -> str:
    """The page that lists all documents."""
    total: Counter[str] = Counter()
    for entry in entries:
        total.update(entry.labels)
    relations, events = (sum(e.relations for e in entries), sum(e.events for e in entries))
    counts = [
        counted(len(entries), "document"),
        counted(sum(entry.characters for entry in entries), "character"),
        counted(total.total(), "mention"),
    ]
    counts += [counted(relations, "relation")] if relations else []
    counts += [counted(events, "event")] if events else []
    columns = [("Document", ""), ("Characters", "n"), ("Mentions", "n"), ("Labels", "")]
    columns += [("Relations", "n")] * bool(relations) + [("Events", "n")] * bool(events)
    head = "".join(f'<th class="{kind}">{name}</th>' for name, kind in columns)
    most = max((entry.labels.total() for entry in entries), default=0)
    rows = "".join(_row(entry, palette, most, bool(relations), bool(events)) for entry in entries)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    summary = "".join(f"<span>{count}</span>" for count in counts)
    body = (
        f'<header class="top"><h1>Annotated documents</h1><p class="sum">{summary}</p></header>'
        f'<main>{legend(total, palette)}<div class="card scroll">{table}</div></main>'
    )
    return whole("Annotated documents", body, palette)


def _row(entry: Entry, palette: Palette, most: int, relations: bool, events: bool) -> str:
    mentions = entry.labels.total()
    parts = "".join(
        f'<i class="l{palette.number(label)}" style="width:{100 * count / mentions:.2f}%"></i>'
        for label, count in sorted(entry.labels.items(), key=lambda pair: palette.number(pair[0]))
    )
    width = 9 * mentions / most if most else 0
    mix = f'<div class="mix" style="width:{width:.2f}rem">{parts}</div>' if parts else ""
    cells = [
        f'<td class="w"><a href="{entry.address}">{shown(entry.id, 200)}</a></td>',
        f'<td class="n">{entry.characters:,}</td><td class="n">{mentions:,}</td><td>{mix}</td>',
        f'<td class="n">{entry.relations:,}</td>' if relations else "",
        f'<td class="n">{entry.events:,}</td>' if events else "",
    ]
    return f"<tr>{''.join(cells)}</tr>"


register(Format("html", "pages to read in a browser, with an index", True, None, write))
