"""Text as HTML: escaped, with characters that can't be seen made visible."""

from __future__ import annotations

import re
from html import escape

# Left alone: tab and line ends, and the joiners that scripts and emoji need.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff"
    "\ud800-\udfff\ufff9-\ufffb]"
)
_LINE_ENDS = re.compile("\r\n?")


def text(value: str) -> str:
    """Content of an element.

    Control characters and those that steer the direction of text become a small box with their
    number, so that no note can reorder or hide what a page says. Line ends become ``\\n``.
    """
    return _UNSEEN.sub(_box, escape(_LINE_ENDS.sub("\n", value)))


def attribute(value: str) -> str:
    """Value of an attribute, to stand between double quotes."""
    plain = _UNSEEN.sub(lambda found: f"[{_name(found.group())}]", re.sub(r"\s", " ", value))
    return escape(plain, quote=True)


def shown(value: str, limit: int = 120) -> str:
    """Content of an element for a table: on one line, shortened in the middle."""
    line = " ".join(value.split()) if len(value) <= 4 * limit else value
    if len(line) > limit:
        line = f"{line[: limit * 2 // 3]} … {line[-limit // 3 :]}"
    return f"<bdi>{text(line)}</bdi>" if line.strip() else '<span class="none">(blank)</span>'


def _name(character: str) -> str:
    return f"U+{ord(character):04X}"


def _box(found: re.Match[str]) -> str:
    return f'<span class="ctl" data-l="{_name(found.group())}"></span>'
