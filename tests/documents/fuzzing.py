"""Mutated files for readers: each must be read, or refused with a `ClinpromptError`."""

from __future__ import annotations

import io
import random
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import PosixPath
from typing import Any

from clinprompt.errors import ClinpromptError

# What goes wrong in real files: line ends, marks, NUL, tabs, separators that str.splitlines()
# knows, combining characters, emoji, bidirectional marks, a broken UTF-8 sequence, digits of
# other scripts.
_ODD: tuple[bytes, ...] = (
    b"\r\n",
    b"\r",
    b"\n\n",
    b"\xef\xbb\xbf",
    b"\x00",
    b"\t",
    b"\x0b",
    b"\x0c",
    b"\x1c",
    b"\x85",
    b"\xff",
    b"\xe2\x82",
    "\u0085".encode(),
    "\u00a0".encode(),
    "\u0301".encode(),
    "\u200b".encode(),
    "\u202e".encode(),
    "\u2028".encode(),
    "\u3000".encode(),
    "\U0001f469\u200d\u2695\ufe0f".encode(),
    "\u00b2\u0663\uff11".encode(),
    b"<![CDATA[",
    b"&amp;",
    b'"',
    b"\\",
    b"{}",
    b"[",
    b"null",
    b";",
    b":",
    b"|",
    b" ",
)
_NUMBERS: tuple[bytes, ...] = (
    b"0",
    b"-1",
    b"1",
    b"7",
    b"00012",
    b"1e9",
    b"NaN",
    b"1.5",
    b"2147483648",
    b"99999999999999999999",
    b"",
    b"+3",
    b"1_0",
    "\u0663".encode(),
    "\u00b2".encode(),
)


def mutated(seeds: Sequence[bytes], count: int, seed: int) -> Iterator[bytes]:
    """`count` files made from `seeds` by one to four mutations each; the same for the same seed.

    About one in fifty is a seed cut from another one's head and tail, and one in fifty is nothing
    but random bytes.
    """
    draw = random.Random(seed)
    for _ in range(count):
        kind = draw.random()
        if kind < 0.02:
            yield draw.randbytes(draw.randrange(200))
            continue
        raw = draw.choice(seeds)
        if kind < 0.04:
            other = draw.choice(seeds)
            raw = raw[: draw.randrange(len(raw) + 1)] + other[draw.randrange(len(other) + 1) :]
        for _ in range(draw.randint(1, 4)):
            raw = draw.choice(_MUTATIONS)(raw, draw)
        yield raw


def survives(read: Callable[[bytes], object], raws: Iterable[bytes]) -> tuple[int, int]:
    """Assert that every raw is read or refused with a `ClinpromptError`.

    Returns:
        how many were read and how many refused: a test should want some of both.
    """
    good = refused = 0
    for raw in raws:
        try:
            read(raw)
            good += 1
        except ClinpromptError:
            refused += 1
        except Exception as error:
            raise AssertionError(
                f"{type(error).__name__}: {error}\nwhile reading {raw!r}"
            ) from error
    return good, refused


class Held(PosixPath):
    """A file that is there, but whose content is `raw`: a slow disk would take longer than to read
    what thousands of cases say."""

    raw = b""

    def read_bytes(self) -> bytes:
        return self.raw

    def open(self, *_: Any, **__: Any) -> Any:
        return io.BytesIO(self.raw)


def _flip(raw: bytes, draw: random.Random) -> bytes:
    if not raw:
        return raw
    changed = bytearray(raw)
    for _ in range(draw.randint(1, 3)):
        changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _replace_byte(raw: bytes, draw: random.Random) -> bytes:
    at = draw.randrange(len(raw) + 1)
    return raw[:at] + draw.randbytes(1) + raw[at + 1 :]


def _cut_end(raw: bytes, draw: random.Random) -> bytes:
    return raw[: draw.randrange(len(raw) + 1)]


def _cut_middle(raw: bytes, draw: random.Random) -> bytes:
    start = draw.randrange(len(raw) + 1)
    return raw[:start] + raw[start + draw.randint(1, 12) :]


def _double(raw: bytes, draw: random.Random) -> bytes:
    start = draw.randrange(len(raw) + 1)
    end = start + draw.randint(1, 30)
    return raw[:end] + raw[start:]


def _insert(raw: bytes, draw: random.Random) -> bytes:
    at = draw.randrange(len(raw) + 1)
    return raw[:at] + draw.choice(_ODD) + raw[at:]


def _line(raw: bytes, draw: random.Random) -> bytes:
    """Double, delete, swap, empty or move a line."""
    lines = raw.splitlines(keepends=True)
    if not lines:
        return raw
    at, other = draw.randrange(len(lines)), draw.randrange(len(lines))
    match draw.randrange(5):
        case 0:
            lines.insert(other, lines[at])
        case 1:
            del lines[at]
        case 2:
            lines[at], lines[other] = lines[other], lines[at]
        case 3:
            lines[at] = b"\n"
        case _:
            lines.insert(other, lines.pop(at))
    return b"".join(lines)


def _cell(raw: bytes, draw: random.Random) -> bytes:
    """Delete or double a separator of columns."""
    marks = [match.start() for match in re.finditer(rb"[\t |,:;]", raw)]
    if not marks:
        return raw
    at = draw.choice(marks)
    return raw[:at] + raw[at : at + 1] * draw.choice((0, 2)) + raw[at + 1 :]


def _number(raw: bytes, draw: random.Random) -> bytes:
    """Replace a number, most often by one near it."""
    numbers = list(re.finditer(rb"\d+", raw))
    if not numbers:
        return raw
    match = draw.choice(numbers)
    new = draw.choice(_NUMBERS)
    if draw.random() < 0.6:
        new = b"%d" % (int(match[0][:9]) + draw.randint(-3, 3))
    return raw[: match.start()] + new + raw[match.end() :]


def _newlines(raw: bytes, draw: random.Random) -> bytes:
    new = draw.choice((b"\r\n", b"\r", b"\n"))
    return re.sub(rb"\r\n|\r|\n", new, raw)


def _mark(raw: bytes, draw: random.Random) -> bytes:
    if draw.random() < 0.5:
        return b"\xef\xbb\xbf" + raw
    try:
        return raw.decode().encode(draw.choice(("utf-16", "cp1252", "utf-8-sig")), "replace")
    except UnicodeDecodeError:
        return raw


_MUTATIONS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _flip,
    _replace_byte,
    _cut_end,
    _cut_middle,
    _double,
    _insert,
    _insert,
    _line,
    _line,
    _cell,
    _number,
    _number,
    _newlines,
    _mark,
)
