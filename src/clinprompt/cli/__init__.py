"""The command line: one thin module a command."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")


def go_offline() -> None:
    """Keep every library from the network, unless ``CLINPROMPT_ONLINE=1`` allows it.

    Must run before anything from Hugging Face is imported, which is why commands import late.
    Telemetry stays off either way.
    """
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    if os.environ.get("CLINPROMPT_ONLINE") != "1":
        for name in OFFLINE:
            os.environ[name] = "1"


def quiet_threads() -> None:
    """Let idle OpenMP threads sleep; must run before torch is imported.

    Spinning threads of two busy processes on one machine slow each other down several times.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def small_kernel_cache() -> None:
    """Let oneDNN keep fewer of its compiled kernels; must run before torch is imported.

    It keeps 1024, one for every shape of a matrix product, about 1 MB each, and micro-batches have
    many shapes: training on a CPU grew by 60 MB a step. Kept are now as many as a step reuses.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code.

    0 done, 1 done with a bad result (a check that failed), 2 a user's mistake or unusable input,
    130 interrupted.
    """
    go_offline()
    quiet_threads()
    small_kernel_cache()
    from clinprompt.cli.app import app

    try:
        app(args=None if arguments is None else list(arguments), prog_name="clinprompt")
    finally:
        _flush()


def _flush() -> None:
    """Write out what is left; a reader that went away (``| head``) is no error."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
