"""Exchange two folders in one step of the operating system, where it can.

Replacing a folder by two renames has a moment at which its name is free. Linux offers one call
that lets two names change places; where it is missing (another system, a file system without it)
the caller falls back to two renames and a backup.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from pathlib import Path

_AT_FDCWD = -100  # names are relative to the working folder, as for open(2)
_RENAME_EXCHANGE = 2
_UNSUPPORTED = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EPERM}


def exchange(first: Path, second: Path) -> bool:
    """Let two folders of one file system change places, with renameat2(2).

    Returns:
        False, with nothing changed, where this isn't possible here.

    Raises:
        OSError: for any other failure, such as a folder that is gone.
    """
    if sys.platform != "linux":
        return False
    library = ctypes.CDLL(None, use_errno=True)
    call = getattr(library, "renameat2", None)  # absent from C libraries before 2018
    if call is None:
        return False
    names = (_AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second))
    if call(*names, _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in _UNSUPPORTED:
        return False
    raise OSError(code, os.strerror(code), str(first), None, str(second))
