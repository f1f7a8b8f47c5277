"""The report as one HTML file: nothing in it is loaded from elsewhere, and nothing runs."""

from __future__ import annotations

from collections.abc import Sequence

from clinprompt.documents.html_text import attribute, text
from clinprompt.experiments.report.looks import Look
from clinprompt.experiments.report.style import style
from clinprompt.experiments.report.svg import MADE_BY, Picture, element, marker, sample
from clinprompt.experiments.report.tables import (
    AnyBlock,
    Cell,
    Code,
    Example,
    Folded,
    Points,
    Section,
    Table,
    Text,
)

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def page(
    title: str,
    subtitle: str,
    figures: Sequence[tuple[str, str, bool]],
    sections: Sequence[Section],
    *,
    banner: str = "",
) -> str:
    """The whole file.

    Args:
        title: of the comparison.
        subtitle: below it.
        figures: on top, (number, what, whether it is bad news).
        sections: in order; their titles make the navigation.
        banner: a warning above everything.
    """
    key = "".join(
        f"<li{' class=bad' if bad else ''}><b>{text(value)}</b><span>{text(what)}</span></li>"
        for value, what, bad in figures
    )
    links = "".join(
        f'<li><a href="#{attribute(one.name)}">{text(one.title)}</a></li>' for one in sections
    )
    warning = f'<p class="warning banner" role="note">{text(banner)}</p>' if banner else ""
    body = "".join(_section(one) for one in sections)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="generator" content="{MADE_BY}">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="referrer" content="no-referrer"><meta name="robots" content="noindex">'
        f"<title>{attribute(title)}</title><style>{style()}</style></head><body>"
        f'<a class="skip" href="#{attribute(sections[0].name) if sections else ""}">Skip to the '
        f'results</a><header>{warning}<h1>{text(title)}</h1><p class="sub">{text(subtitle)}</p>'
        f'<ul class="key">{key}</ul></header>'
        f'<nav aria-label="Contents"><ul>{links}</ul></nav><main>{body}</main>'
        f"<footer>{MADE_BY}. This file needs no network and sends nothing anywhere.</footer>"
        "</body></html>\n"
    )


def _section(section: Section) -> str:
    body = "".join(_block(block) for block in section.blocks)
    return (
        f'<section aria-labelledby="{attribute(section.name)}">'
        f'<h2 id="{attribute(section.name)}">{text(section.title)}</h2>{body}</section>'
    )


def _block(block: AnyBlock) -> str:
    match block:
        case Text(content=content, kind="heading"):
            return f"<h3>{text(content)}</h3>"
        case Text(content=content, kind=kind):
            role = ' role="note"' if kind == "warning" else ""
            return f"<p{_class(kind)}{role}>{text(content)}</p>"
        case Points(items=items):
            return f'<ul class="points">{"".join(f"<li>{text(item)}</li>" for item in items)}</ul>'
        case Table():
            return _table(block)
        case Picture():
            return _picture(block)
        case Code(content=content):
            return f'<pre tabindex="0">{text(content)}</pre>'
        case Example(heading=heading, texts=texts):
            told = "".join(f"<dt>{text(what)}</dt><dd>{text(said)}</dd>" for what, said in texts)
            return f'<div class="card example"><h4>{text(heading)}</h4><dl>{told}</dl></div>'
        case Folded(title=title, blocks=blocks):
            inside = "".join(_block(one) for one in blocks)
            return f"<details><summary>{text(title)}</summary>{inside}</details>"


def _class(*names: str) -> str:
    joined = " ".join(name for name in names if name)
    return f' class="{joined}"' if joined else ""


def _table(table: Table) -> str:
    head = "".join(
        f'<th scope="col"{_class("n" if column.number else "")}>{text(column.title)}'
        + (f"<small>{text(column.small)}</small>" if column.small else "")
        + "</th>"
        for column in table.columns
    )
    rows = []
    for group in table.groups:
        if group.title:
            rows.append(
                f'<tr class="group"><th scope="colgroup" colspan="{len(table.columns)}">'
                f"<span>{text(group.title)}</span></th></tr>"
            )
        for row in group.rows:
            css = _class("m" if row[0].look else "", row[0].kind)
            cells = [f'<th scope="row"{css}>{_inside(row[0])}</th>']
            for cell, column in zip(row[1:], table.columns[1:], strict=True):
                wide = "wide" if not column.number and len(cell.main) > 40 else ""
                hint = f' title="{attribute(cell.hint)}"' if cell.hint else ""
                css = _class("n" if column.number else "", cell.kind, wide)
                cells.append(f"<td{css}{hint}>{_inside(cell)}</td>")
            rows.append(f"<tr>{''.join(cells)}</tr>")
    return (
        f'<div class="card scroll" tabindex="0" role="region" '
        f'aria-label="{attribute(table.caption)}"><table><caption><span>{text(table.caption)}'
        f"</span></caption><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
        "</div>"
    )


def _inside(cell: Cell) -> str:
    small = f"<small>{text(cell.small)}</small>" if cell.small else ""
    mark = "" if cell.look is None else _mark(cell.look)
    return f"{mark}{text(cell.main)}{small}"


def _mark(look: Look) -> str:
    drawn = marker(7, 7, look, 4.6)
    return f'<svg class="mk {look.css}" viewBox="0 0 14 14" aria-hidden="true">{drawn}</svg>'


def _picture(picture: Picture) -> str:
    legend = "".join(
        "<li>"
        + element(
            "svg",
            sample(0, 8, one.look, lined=picture.lined),
            class_="pic",
            viewBox="0 0 26 16" if picture.lined else "5 0 16 16",
            width=26 if picture.lined else 16,
            height=16,
            aria_hidden="true",
        )
        + f"{text(one.text)}</li>"
        for one in picture.legend
    )
    widest = max(panel.width for panel in picture.panels)
    shape = "" if picture.fluid else " rigid"
    shape += " one" if len(picture.panels) == 1 else ""
    scroll = "" if picture.fluid else ' tabindex="0" role="region" aria-label="picture"'
    return (
        f'<figure class="card"><figcaption><b>{text(picture.title)}</b>'
        f"{text(picture.description)}</figcaption>"
        + (f'<ul class="legend">{legend}</ul>' if legend else "")
        + f'<div class="panels{shape}" style="--w:{widest:.0f}px"{scroll}>'
        + "".join(picture.inline())
        + "</div></figure>"
    )
