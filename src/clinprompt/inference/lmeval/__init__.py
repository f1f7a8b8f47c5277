"""Our prompts in EleutherAI's lm-evaluation-harness, as its model ``clinprompt``.

The harness looks for no plug-ins: `register` makes the model known to it. ``clinprompt lm-eval``
does so and then runs the harness's own command line.
"""

from __future__ import annotations

from clinprompt.errors import ClinpromptError

NAME = "clinprompt"


def register() -> None:
    """Make ``--model clinprompt`` known to the harness; again is no harm.

    Raises:
        ClinpromptError: CP-INF-400 if the harness is not installed.
    """
    try:
        from lm_eval.api.registry import model_registry
    except ImportError as error:
        raise ClinpromptError(
            "CP-INF-400",
            f"the lm-evaluation-harness is not installed ({error})",
            hint="pip install 'clinprompt[lm-eval]'",
        ) from error
    from clinprompt.inference.lmeval.model import ClinpromptLM

    if NAME not in model_registry:
        model_registry.register(NAME, target=ClinpromptLM)
