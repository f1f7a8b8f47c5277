"""Names for files and texts: how the same document is recognised in two sets.

A document bears its public identifier where one is known (``pmid:``, ``pmcid:``, ``doi:``,
``nct:``, ``url:``), else a hash of its words (`text_id`), else a name made of folder and file.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

_WORD = re.compile(r"\w+")


def stem(path: Path) -> str:
    """The file's name without its ending and without ``.xz``."""
    name = path.name.removesuffix(".xz")
    return name.rsplit(".", 1)[0] if "." in name else name


def text_id(*texts: str) -> str:
    """``text:`` and 16 hex digits of a hash over the words of `texts`.

    Case, punctuation and blanks don't count, so that copies of a text that were cleaned in
    different ways are the same document.
    """
    words = " | ".join(" ".join(_WORD.findall(text.casefold())) for text in texts)
    return f"text:{hashlib.sha256(words.encode()).hexdigest()[:16]}"


def question_id(question: str, choices: tuple[str, ...]) -> str:
    """`text_id` of an exam question with its answers in any order."""
    return text_id(question, *sorted(choice.casefold().strip() for choice in choices))


def draw(key: str, count: int) -> int:
    """A number in ``range(count)`` that depends on `key` alone, on every machine."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % count
