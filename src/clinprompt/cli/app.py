"""The Typer application: all commands, and what becomes of errors.

To add a command, write a module beside this one with a typed function (or a `typer.Typer` group)
and register it below in one line. A command module imports typer at its top and everything heavy
inside its functions, so that ``clinprompt --help`` stays quick.
"""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from clinprompt import __version__
from clinprompt.cli import (
    average,
    backbone,
    balance,
    compare,
    convert,
    evaluate,
    exchange,
    lmeval,
    plan,
    predict,
    quickstart,
    report,
    score,
    share,
    show,
    stats,
    tasks,
    train,
    view,
)
from clinprompt.errors import ClinpromptError

BAD_INPUT, INTERRUPTED, PIPE_CLOSED = 2, 130, 141


class _Commands(TyperGroup):
    """All commands; turns what a user can cause into one line on stderr and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command.

        Raises:
            typer.Exit: after a user's mistake (2), an interrupt (130) or a closed pipe (141).
                Other exceptions are bugs and keep their traceback.
        """
        try:
            return super().invoke(ctx)
        except ClinpromptError as error:
            raise _leave(str(error), BAD_INPUT) from None
        except BrokenPipeError:
            raise typer.Exit(PIPE_CLOSED) from None
        except OSError as error:
            raise _leave(_os_error(error), BAD_INPUT) from None
        except KeyboardInterrupt:
            raise _leave("interrupted", INTERRUPTED) from None


def _leave(message: str, code: int) -> typer.Exit:
    print("clinprompt: " + " ".join(message.splitlines()), file=sys.stderr)
    return typer.Exit(code)


def _os_error(error: OSError) -> str:
    """A full disk, a missing permission and the like, as one line."""
    where = "" if error.filename is None else f"{error.filename}: "
    return f"[CP-CLI-001] {where}{error.strerror or error}"


app = typer.Typer(
    cls=_Commands,
    help="One frozen language model, one metaprompt, any number of clinical NLP tasks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"clinprompt {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and leave."
        ),
    ] = False,
) -> None:
    """One frozen language model, one metaprompt, any number of clinical NLP tasks."""


# ---- commands: one line each, in the order of the help -------------------------------------------
app.command("quickstart")(quickstart.quickstart)
app.add_typer(tasks.group, name="tasks")
app.add_typer(backbone.group, name="backbone")
app.command("train")(train.train)
app.command("adapt")(train.adapt)
app.command("average")(average.average)
app.command("balance")(balance.balance)
app.command("show")(show.show)
app.command("evaluate")(evaluate.evaluate)
app.command("predict")(predict.predict)
app.command("convert")(convert.convert)
app.command("stats")(stats.stats)
app.command("view")(view.view)
app.command("score")(score.score)
app.command("export")(exchange.export)
app.command("import")(exchange.import_)
app.command("lm-eval", context_settings=lmeval.PASSED_ON)(lmeval.lm_eval)
app.command("plan")(plan.plan)
app.command("compare")(compare.compare)
app.command("report")(report.report)
app.command("share")(share.share)
