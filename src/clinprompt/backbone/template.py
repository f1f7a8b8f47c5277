"""The literal text around instruction, input and answer.

A row reads ``head instruction between input tail answer end``, or, where the prompt stands after
the text, ``head input between instruction tail answer end``. For a backbone with a chat template
the pieces are cut out of a rendered conversation (instruction as system message where the template
knows that role and the instruction comes first), so that any template works, Harmony's final
channel included. The pieces are kept in the artefact as literal strings: a template that prints
today's date gives the same text forever.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from clinprompt.errors import ClinpromptError

Placement = Literal["before", "after"]  # where the soft prompt stands, as seen from the text
Depth = Literal["input", "layers"]  # what a prompt is: embeddings, or keys and values of all layers
_INSTRUCTION, _INPUT, _ANSWER = "INSTRUCTIONMARK", "INPUTMARK", "ANSWERMARK"


class Template(BaseModel):
    """The pieces, and whether the tokenizer's own BOS stands first.

    Attributes:
        kind: "chat" (cut from the backbone's chat template) or "plain".
        bos: whether the BOS token precedes `head` (chat templates write theirs into `head`).
        end: text that closes an answer; the backbone stops at its first special token.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["chat", "plain"]
    bos: bool
    head: str
    between: str
    tail: str
    end: str


def plain_template(tokenizer: Any) -> Template:
    """Instruction, input and answer separated by blank lines.

    Raises:
        ClinpromptError: CP-BACK-020 if the tokenizer has no end-of-sequence token.
    """
    if tokenizer.eos_token is None:
        raise no_end_token()
    ids = tokenizer("", add_special_tokens=True).input_ids
    bos = tokenizer.bos_token_id is not None and tokenizer.bos_token_id in ids
    return Template(
        kind="plain",
        bos=bos,
        head="",
        between="\n\n",
        tail="\n\nAnswer:\n",
        end=tokenizer.eos_token,
    )


def no_end_token() -> ClinpromptError:
    """The error for a tokenizer with nothing that could end an answer."""
    return ClinpromptError("CP-BACK-020", "the backbone's tokenizer has no EOS token")


def chat_template(tokenizer: Any, placement: Placement = "before") -> Template:
    """Pieces of the backbone's chat template.

    Args:
        placement: "after" puts text and instruction, in this order, into one user message.

    Raises:
        ClinpromptError: CP-BACK-021 if it has none, or one that does not keep texts verbatim.
    """
    first, second = _INSTRUCTION, _INPUT
    if placement == "after":
        first, second = second, first
    conversations = [[{"role": "user", "content": f"{first}\n\n{second}"}]]
    if placement == "before":
        system = [{"role": "system", "content": first}, {"role": "user", "content": second}]
        conversations.insert(0, system)
    rendered = None
    for messages in conversations if tokenizer.chat_template else []:
        try:
            rendered = tokenizer.apply_chat_template(
                [*messages, {"role": "assistant", "content": _ANSWER}], tokenize=False
            )
        except Exception:  # templates raise their own errors for roles they don't know
            rendered = None
        if rendered is not None and _verbatim(rendered, (first, second, _ANSWER)):
            break
        rendered = None
    if rendered is None:
        raise ClinpromptError(
            "CP-BACK-021",
            "the backbone has no usable chat template",
            hint="set backbone.template=plain",
        )
    head, rest = rendered.split(first)
    between, rest = rest.split(second)
    tail, end = rest.split(_ANSWER)
    return Template(kind="chat", bos=False, head=head, between=between, tail=tail, end=end)


def _verbatim(rendered: str, marks: tuple[str, ...]) -> bool:
    """Whether all marks stand in a rendered conversation once and in order."""
    places = [rendered.find(mark) for mark in marks]
    once = all(rendered.count(mark) == 1 for mark in marks)
    return once and places == sorted(places)


def choose_template(
    tokenizer: Any, kind: Literal["auto", "chat", "plain"], placement: Placement = "before"
) -> Template:
    """The asked template; "auto" is chat where the backbone has a template, else plain.

    Plain pieces are the same in both placements.
    """
    if kind == "plain" or (kind == "auto" and not tokenizer.chat_template):
        return plain_template(tokenizer)
    return chat_template(tokenizer, placement)
