r"""The grammar of an answer to one input, in llguidance's dialect of Lark.

A mention is one or more fragments, joined by `` ... ``; a fragment is a substring of the text with
its white space collapsed, then perhaps an occurrence number. What is escaped in a fragment (see
`verbalize.fragments`) parts it into pieces, each a substring of its own; that the pieces lie side
by side is for `lines` to see to. A piece may be in lower case, as small models like to write and
the reader of answers reads. So the language is a little wider than what can be read, and
never narrower than what is written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from clinprompt.tasks.card import Card
from clinprompt.verbalize.fragments import Fragment
from clinprompt.verbalize.mentions import folded
from clinprompt.verbalize.parsed import NONE

_DOTS = re.compile(r"\.\.\.")
_BRACKET = re.compile(r"\[[0-9]{1,6}\]")


def grammar(card: Card, text: str) -> str:
    """The grammar of the answers to a text.

    Args:
        card: of an open form that quotes its text: mentions, list, span.
        text: what is quoted; an empty one leaves only ``none``.
    """
    flat = " ".join(text.split())
    # Tokenizers of the SentencePiece kind write a space in front of the first word.
    rules = [f'start: SPACE? (NONE | answer)\nSPACE: " "\nNONE: {_quoted(NONE)}']
    if not text:
        return f'start: SPACE? NONE\nSPACE: " "\nNONE: {_quoted(NONE)}\n'
    match card.form:
        case "span":
            rules.append("answer: MENTION")
        case "list":
            rules.append('answer: LINE ("\\n" LINE)*\nLINE: LABEL MENTION " -> " MENTION')
        case _:
            rules.append('answer: LINE ("\\n" LINE)*\nLINE: LABEL MENTION')
    if card.form != "span":
        rules.append(f'LABEL: ({_any(w.strip() for w in card.labels.values())}) ": "')
    rules.append('MENTION: FRAGMENT (" ... " FRAGMENT)*')
    white = _any(escaped_spaces(text))
    edge = f"({white})*" if white else '""'
    blank = f" | ({white})+ NUMBER?" if white else ""
    rules.append(f"FRAGMENT: {edge} CORE {edge} NUMBER?{blank}")
    rules.append(r"NUMBER: / \[[1-9][0-9]{0,5}\]/")
    if flat:
        escapes = _any(escapes_in(flat, arrow=card.form == "list"))
        pieces = f"PIECE (({escapes}) PIECE)*" if escapes else "PIECE"
        alone = [r"\.\.\."] if _DOTS.search(flat) else []
        if card.form == "list" and "->" in flat:
            alone.append("->")
        # What would part mentions is always escaped where it stands alone.
        apart = "".join(f" & ~/(.* )?{sign}( .*)?/" for sign in alone)
        rules.append(f"CORE: ({pieces}) & /[^ ](.*[^ ])?/{apart}")
        plain = " & /[^\\\\]*/" if "\\" in flat else ""
        low = folded(flat)
        rules.append(f"PIECE: (SUBSTRING{'' if low == flat else ' | LOWER'}){plain}")
        rules.append(f'SUBSTRING: %regex {{"substring_chars": {json.dumps(flat)}}}')
        if low != flat:
            rules.append(f'LOWER: %regex {{"substring_chars": {json.dumps(low)}}}')
    else:
        rules[-2] = f"FRAGMENT: ({white})+ NUMBER?"
    return "\n".join(rules) + "\n"


def escaped_spaces(text: str) -> list[str]:
    """How the white space of a text is written at the ends of a fragment."""
    return sorted({Fragment("", space).write() for space in text if space.isspace()})


def escapes_in(flat: str, *, arrow: bool) -> list[str]:
    """What may stand escaped in a fragment of a text whose white space is collapsed.

    Args:
        flat: the text.
        arrow: whether arrows separate mentions, and so are escaped.
    """
    found = [r"\\"] if "\\" in flat else []
    if _DOTS.search(flat):
        found.append(r"\.")
    if arrow and "->" in flat:
        found.append(r"\-")
    if _BRACKET.search(flat):
        found.append(r"\[")
    return found


def _any(words: Iterable[str]) -> str:
    return " | ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    return json.dumps(word, ensure_ascii=False)
