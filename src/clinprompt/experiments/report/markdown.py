"""The report as Markdown: the tables, and links to the pictures beside it. Never text of notes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from clinprompt.experiments.report.svg import MADE_BY, Picture
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

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~$])")
_LINE_STARTS = re.compile(r"^(\s*)([-+]|\d+[.)])(?=\s)")


def markdown(
    title: str, subtitle: str, figures: Sequence[tuple[str, str, bool]], sections: Sequence[Section]
) -> str:
    """The whole file; arguments as for `page.page`."""
    facts = " · ".join(f"{escaped(value)} {escaped(what)}" for value, what, _ in figures)
    parts = [f"<!-- {MADE_BY} -->", f"# {escaped(title)}", escaped(subtitle), facts]
    for section in sections:
        body = [part for block in section.blocks for part in _block(block)]
        if body:
            parts += [f"## {escaped(section.title)}", *body]
    return "\n\n".join(part for part in parts if part) + "\n"


def escaped(value: str) -> str:
    """Data as one line of Markdown that means nothing but itself."""
    line = _SPECIAL.sub(r"\\\1", " ".join(value.split())).replace("&", "&amp;")
    return _LINE_STARTS.sub(r"\1\\\2", line)


def _block(block: AnyBlock) -> Iterator[str]:
    match block:
        case Text(content=content, kind=kind):
            said = escaped(content)
            yield {"heading": f"### {said}", "warning": f"> **Note.** {said}"}.get(kind, said)
        case Points(items=items):
            yield "\n".join(f"- {escaped(item)}" for item in items)
        case Table():
            yield _table(block)
        case Picture(name=name, title=title, description=description):
            yield f"![{escaped(title)}]({name}.svg)\n\n*{escaped(f'{title}. {description}')}*"
        case Code(content=content):
            longest = max((len(found) for found in re.findall("`+", content)), default=0)
            fence = "`" * max(3, longest + 1)
            yield f"{fence}yaml\n{content.rstrip()}\n{fence}"
        case Folded(title=title, blocks=blocks, in_markdown=True):
            inside = [part for one in blocks for part in _block(one)]
            if inside:
                yield "\n\n".join(
                    [f"<details><summary>{escaped(title)}</summary>", *inside, "</details>"]
                )
        case Folded() | Example():
            return


def _table(table: Table) -> str:
    head = [_join(column.title, column.small) for column in table.columns]
    rule = ["---:" if column.number and at else "---" for at, column in enumerate(table.columns)]
    rows = [head, rule]
    for group in table.groups:
        if group.title:
            rows.append([f"**{escaped(group.title)}**", *[""] * (len(head) - 1)])
        rows += [[_cell(cell) for cell in row] for row in group.rows]
    lines = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"*{escaped(table.caption)}*\n\n{lines}"


def _cell(cell: Cell) -> str:
    main = escaped(cell.main)
    if main and cell.kind in ("best", "total"):
        main = f"**{main}**"
    return main + (f" {escaped(cell.small)}" if cell.small else "")


def _join(title: str, small: str) -> str:
    return escaped(title) + (f" ({escaped(small)})" if small else "")
