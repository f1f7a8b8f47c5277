"""``clinprompt lm-eval``: the lm-evaluation-harness, with our prompts as a model of it."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

PASSED_ON = {
    "allow_extra_args": True,
    "ignore_unknown_options": True,
    "help_option_names": [],  # --help is the harness's
}


def lm_eval(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ARGUMENTS]...", help="As for lm-eval; --help lists them."),
    ] = None,
) -> None:
    """Run lm-evaluation-harness: --model clinprompt --model_args prompts=DIR,task=NAME --tasks ...

    Everything is passed on to the harness's own command line.
    """
    from clinprompt.cli import OFFLINE
    from clinprompt.cli.runtime import set_up
    from clinprompt.inference.lmeval import register

    if any(os.environ.get(name) == "1" for name in OFFLINE):
        os.environ["HF_DATASETS_OFFLINE"] = "1"
    set_up()
    register()
    from lm_eval.__main__ import cli_evaluate

    before = sys.argv
    sys.argv = ["lm-eval", *(arguments or ["--help"])]
    try:
        cli_evaluate()
    finally:
        sys.argv = before
