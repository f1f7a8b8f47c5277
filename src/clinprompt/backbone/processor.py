"""What a process that runs the backbone sets up first."""

from __future__ import annotations


def set_up(threads: int | None = None) -> None:
    """Threads and CPU float behaviour, for speed.

    Gradients through a frozen model are full of numbers too small for a normal float. CPUs handle
    those in slow microcode: flushing them to zero made a float32 training step 2.4 times faster.

    Args:
        threads: CPU threads; None leaves torch's choice.
    """
    import torch

    if threads is not None:
        torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
