"""Tidying texts that are not annotated by offset."""

from __future__ import annotations

import html
import re

_LINE_END = re.compile(r"\r\n?|\n")
_INVISIBLE = re.compile("[\u200b\u200c\u200d\u2060\ufeff]")
_INLINE = re.compile(r"</?(?:a|b|em|font|i|small|span|strong|sub|u)(?:\s[^<>]*)?>", re.IGNORECASE)
_BLOCK = re.compile(
    r"</?(?:br|dd|div|dl|dt|h[1-6]|hr|li|ol|p|table|tbody|td|th|thead|tr|ul)(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)


def unix_lines(text: str) -> str:
    """The text with ``\\n`` at its line ends."""
    return _LINE_END.sub("\n", text)


def tidy(text: str) -> str:
    """Unix line ends, one space for runs of blanks, no empty lines, no invisible characters."""
    lines = (" ".join(line.split()) for line in _LINE_END.split(_INVISIBLE.sub("", text)))
    return "\n".join(line for line in lines if line)


def plain_html(text: str) -> str:
    """The text without HTML: common tags go, entities are decoded.

    Block tags become line breaks and ``10<sup>6</sup>`` becomes ``10^6``. Anything else in angle
    brackets stays, since notes are full of ``p < 0.05`` and the like.
    """
    text = re.sub(r"<sup(?:\s[^<>]*)?>(\s*)", r"\1^", text, flags=re.IGNORECASE)
    text = re.sub(r"</sup>", "", text, flags=re.IGNORECASE)
    return html.unescape(_BLOCK.sub("\n", _INLINE.sub("", text)))
