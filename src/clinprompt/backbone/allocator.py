"""Memory that is freed on a CPU stays with the process, to be used again.

The C library gives a large block back to the system as soon as it is freed, and takes a new one,
page by page and cold in every cache, a moment later: a training step on SmolLM2 allocates and frees
some gigabytes so. Kept in its heap, the same blocks come again: steps get about 8 % faster and take
less memory (docs/performance.md). What it costs is that a process stays as large as it ever was, so
whoever measures memory gives back first what others have freed.
"""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import suppress

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
_LARGEST = 2**30  # bytes; larger blocks still come from the system, and go back
_NEVER = 2**31 - 1
CHOICE = "CLINPROMPT_MALLOC"
_OWN = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")


def keep_freed() -> bool:
    """Ask glibc to keep freed memory, once a process; where there is no glibc nothing happens.

    Whoever has set up glibc's allocator in the environment, or says ``CLINPROMPT_MALLOC=system``,
    is left alone.

    Returns:
        Whether freed memory is kept now.
    """
    if os.environ.get(CHOICE) == "system" or any(name in os.environ for name in _OWN):
        return False
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # musl
        return False
    return bool(mallopt(_MMAP_THRESHOLD, _LARGEST)) and bool(mallopt(_TRIM_THRESHOLD, _NEVER))


def give_back_freed() -> None:
    """Give memory that is free to the system, so that a peak measured after this is one's own."""
    with suppress(OSError, AttributeError):  # no glibc: nothing was kept
        ctypes.CDLL("libc.so.6").malloc_trim(0)
