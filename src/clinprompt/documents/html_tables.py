"""What is known of each annotation, as a table or list below the note."""

from __future__ import annotations

from collections.abc import Sequence

from clinprompt.documents.columns import spans_cell
from clinprompt.documents.html_context import Page, value_of
from clinprompt.documents.html_text import shown, text
from clinprompt.documents.model import (
    Argument,
    Attribute,
    Comment,
    Equivalence,
    Event,
    Link,
    Normalization,
)


def _section_of(title: str, count: int, body: str) -> str:
    return f"<section><h2>{title} <small>{count:,}</small></h2>{body}</section>"


def mention_table(one: Page) -> str:
    """All mentions with their attributes, concepts, confidence and comments."""
    if not one.mentions:
        return ""
    held, names = one.held, [mention.id for mention in one.mentions]
    columns: list[tuple[str, str]] = [("Id", ""), ("Label", ""), ("Text", ""), ("Offsets", "n")]
    properties = any(name in held.attributes for name in names)
    concepts = any(name in held.concepts for name in names)
    comments = any(name in held.comments for name in names)
    confidence = any(mention.confidence is not None for mention in one.mentions)
    columns += [("Attributes", "")] * properties + [("Concepts", "")] * concepts
    columns += [("Confidence", "")] * confidence + [("Comments", "")] * comments
    head = "".join(f'<th class="{kind}">{name}</th>' for name, kind in columns)
    rows = []
    for number, mention in enumerate(one.mentions):
        colour = one.palette.number(mention.label)
        surface = mention.surface(one.document.text)
        cells = [
            f'<td class="id">{shown(mention.id, 24)}</td>',
            f'<td><a class="chip l{colour}" href="#t{number}">{shown(mention.label, 60)}</a></td>',
            f'<td class="t">{shown(surface)}</td>',
            f'<td class="n">{text(spans_cell(mention.spans).replace("-", "–"))}</td>',
        ]
        if properties:
            cells.append(f"<td>{_properties(one, mention.id)}</td>")
        if concepts:
            cells.append(f"<td>{_concepts(one, mention.id)}</td>")
        if confidence:
            cells.append(f"<td>{_confidence(mention.confidence)}</td>")
        if comments:
            cells.append(f'<td class="w">{_comments(one, mention.id)}</td>')
        rows.append(f'<tr id="m{number}">{"".join(cells)}</tr>')
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    return _section_of("Mentions", len(rows), f'<div class="card scroll">{table}</div>')


def _properties(one: Page, name: str) -> str:
    found = one.held.attributes.get(name, [])
    return "".join(f'<span class="prop">{shown(value_of(item), 60)}</span>' for item in found)


def _concepts(one: Page, name: str) -> str:
    return "<br>".join(
        f"{shown(f'{item.resource}:{item.accession}', 60)} {shown(item.name) if item.name else ''}"
        for item in one.held.concepts.get(name, [])
    )


def _comments(one: Page, name: str) -> str:
    return "<br>".join(shown(item.text, 400) for item in one.held.comments.get(name, []))


def _confidence(value: float | None) -> str:
    if value is None:
        return ""
    share = max(0, min(100, round(100 * value)))
    return (
        f'<span style="white-space:nowrap"><span class="bar"><i style="width:{share}%"></i></span>'
        f"{value:.2f}</span>"
    )


def _chip(one: Page, target: str) -> str:
    """What an argument points to: a mention, an event by its trigger, or just the id."""
    found = one.document.by_id.get(target)
    name = target
    if isinstance(found, Event):
        name = found.trigger
    number = one.number.get(name)
    if number is None:
        return f'<span class="chip plain">{shown(target, 40)}</span>'
    mention = one.mentions[number]
    colour = one.palette.number(mention.label)
    words = shown(mention.surface(one.document.text), 60)
    label = f"<small>{shown(mention.label, 40)}</small>"
    return f'<a class="chip l{colour}" href="#t{number}">{words} {label}</a>'


def _after(one: Page, name: str, confidence: float | None = None) -> str:
    """What hangs on a relation or event."""
    parts = [_properties(one, name), _confidence(confidence), _concepts(one, name)]
    return "".join([*parts, _comments(one, name)])


def relations(one: Page) -> str:
    """Relations, each as an arrow from one mention to the other."""
    rows = [_relation(one, link) for link in one.document.links]
    if not rows:
        return ""
    body = f'<ul class="links card">{"".join(rows)}</ul>'
    return _section_of("Relations", len(rows), body)


def _relation(one: Page, link: Link) -> str:
    name = f'<span class="id">{shown(link.id, 24)}</span>'
    arrow = f'<span class="arrow"><i>{shown(link.label, 60)}</i></span><span class="head"></span>'
    if len(link.arguments) == 2:
        first, second = link.arguments
        body = f"<span>{_argument(one, first)}</span>{arrow}<span>{_argument(one, second)}</span>"
    else:
        body = f'<span class="chip plain">{shown(link.label, 60)}</span>' + _arguments(
            one, link.arguments
        )
    return f"<li>{name}{body}{_after(one, link.id, link.confidence)}</li>"


def _argument(one: Page, argument: Argument) -> str:
    plain = argument.role.lower() in ("", "arg1", "arg2")
    role = "" if plain else f'<span class="role">{shown(argument.role, 40)}</span>'
    return role + _chip(one, argument.target)


def _arguments(one: Page, arguments: Sequence[Argument]) -> str:
    return "".join(f"<span>{_argument(one, argument)}</span>" for argument in arguments)


def events(one: Page) -> str:
    """Events: a trigger and its arguments."""
    rows = []
    for event in one.document.events:
        name = f'<span class="id">{shown(event.id, 24)}</span>'
        trigger = f"<span>{_chip(one, event.trigger)}</span>"
        arguments = _arguments(one, event.arguments)
        link = '<span class="arrow short"></span><span class="head"></span>' if arguments else ""
        rows.append(f"<li>{name}{trigger}{link}{arguments}{_after(one, event.id)}</li>")
    if not rows:
        return ""
    body = f'<ul class="links card">{"".join(rows)}</ul>'
    return _section_of("Events", len(rows), body)


def others(one: Page) -> str:
    """Sets of equal mentions, and what hangs on nothing that is shown above."""
    above = {*one.number, *(x.id for x in one.document.links), *(x.id for x in one.document.events)}
    rows = []
    for item in one.document.annotations:
        match item:
            case Equivalence(label=label, members=members):
                chips = " ".join(_chip(one, member) for member in members)
                rows.append(f'<li><span class="id">{shown(label, 40)}</span>{chips}</li>')
            case Attribute(id=name, target=target) if target not in above:
                rows.append(_loose(name, value_of(item), target))
            case Normalization(id=name, target=target) if target not in above:
                rows.append(_loose(name, f"{item.resource}:{item.accession} {item.name}", target))
            case Comment(id=name, target=target) if target not in above:
                rows.append(_loose(name, item.text, target))
    if not rows:
        return ""
    body = f'<ul class="links card">{"".join(rows)}</ul>'
    return _section_of("Other annotations", len(rows), body)


def _loose(name: str, what: str, target: str) -> str:
    return (
        f'<li><span class="id">{shown(name, 24)}</span><span>{shown(what, 400)}</span>'
        f'<span class="role">on {shown(target, 40)}</span></li>'
    )
