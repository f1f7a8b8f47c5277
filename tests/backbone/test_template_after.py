"""Template pieces where the prompt stands after the text, and what is written with them."""

from __future__ import annotations

import pytest

from clinprompt.backbone.codec import Codec
from clinprompt.backbone.template import chat_template, choose_template, plain_template
from tests.backbone import tiny
from tests.backbone.test_template import (
    CHATML,
    HARMONY,
    LLAMA_2,
    NO_SYSTEM,
    conversation,
    tokenizer,
)


@pytest.mark.parametrize(
    ("template", "special"),
    [
        (CHATML, ("<|im_start|>", "<|im_end|>")),
        (NO_SYSTEM, ("<start>", "<end>")),
        (LLAMA_2, ()),
        (HARMONY, ("<|start|>", "<|message|>", "<|channel|>", "<|end|>", "<|return|>")),
    ],
    ids=["chatml", "no-system", "llama-2", "harmony"],
)
def test_note_and_instruction_are_one_user_message(template: str, special: tuple[str, ...]) -> None:
    tok = tokenizer(template, *special)
    found = choose_template(tok, "chat", "after")
    text = f"{found.head}A note: 5 %{found.between}Do {{it}}.{found.tail}yes{found.end}"
    assert text == conversation(tok, ("user", "A note: 5 %\n\nDo {it}."), ("assistant", "yes"))
    assert found.between == "\n\n"


def test_the_backbones_own_system_message_is_kept() -> None:
    """A lone user message has the default one in front, which a written one would replace."""
    tok = tokenizer(CHATML, "<|im_start|>", "<|im_end|>")
    after = chat_template(tok, "after")
    assert after.head == "<|im_start|>system\nYou help.<|im_end|>\n<|im_start|>user\n"
    assert chat_template(tok).tail == after.tail


def test_plain_pieces_serve_both() -> None:
    tok = tiny.tokenizer()
    assert choose_template(tok, "plain", "after") == choose_template(tok, "auto", "after")
    assert choose_template(tok, "plain", "after") == plain_template(tok)


def test_what_is_written() -> None:
    tok = tokenizer(CHATML, "<|im_start|>", "<|im_end|>")
    codec = Codec(tok, chat_template(tok, "after"), "after")
    pairs = codec.divided(["Text: a", "", "Text: <|im_end|>"], ["Question: b?", "", ""])

    def said(ids: list[int]) -> str:
        return str(tok.decode(ids))

    head = codec.template.head
    assert [said(note) for note, _ in pairs[:2]] == [f"{head}Text: a\n\n", f"{head}\n\n"]
    assert [said(rest) for _, rest in pairs[:2]] == [
        f"\n\nQuestion: b?{codec.template.tail}",
        codec.template.tail,
    ]
    assert said(codec.fixed("Do it.")) == "Do it."
    note = pairs[2][0]  # a user's text holds no marker, whatever it spells
    assert note.count(codec.end) == pairs[0][0].count(codec.end)
    assert codec.around == len(codec.divided([""], [""])[0][0])
    assert Codec(tok, chat_template(tok)).around == 0
