"""Pieces cut from chat templates of the kinds that are about."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tokenizers import AddedToken, processors

from clinprompt.backbone import model
from clinprompt.backbone.codec import Codec
from clinprompt.backbone.template import (
    Template,
    chat_template,
    choose_template,
    plain_template,
)
from clinprompt.errors import ClinpromptError
from tests.backbone import tiny

CHATML = """\
{%- if messages[0].role != 'system' %}{{ '<|im_start|>system\\nYou help.<|im_end|>\\n' }}{% endif %}
{%- for m in messages %}
{{- '<|im_start|>' ~ m.role ~ '\\n' ~ m.content ~ '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}
"""
NO_SYSTEM = """\
{{- bos_token }}
{%- for m in messages %}
{%- if m.role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}
{{- '<start>' ~ ('model' if m.role == 'assistant' else m.role) ~ '\\n' }}
{{- m.content | trim ~ '<end>\\n' }}
{%- endfor %}
"""
LLAMA_2 = """\
{%- for m in messages -%}
{%- if m.role == 'system' -%}{%- set ns = 1 -%}
{{ bos_token }}[INST] <<SYS>>\n{{ m.content }}\n<</SYS>>\n\n
{%- elif m.role == 'user' -%}
{%- if messages[0].role != 'system' -%}{{ bos_token }}[INST] {% endif -%}{{ m.content }} [/INST]
{%- else %} {{ m.content }} {{ eos_token }}{%- endif -%}
{%- endfor -%}
"""
HARMONY = """\
<|start|>system<|message|>You are a model.\nCurrent date: {{ strftime_now('%Y-%m-%d') }}\n
{#- #}# Valid channels: analysis, commentary, final.<|end|>
{%- for m in messages -%}
{%- if m.role == 'system' -%}
<|start|>developer<|message|># Instructions\n\n{{ m.content }}<|end|>
{%- elif m.role == 'user' -%}
<|start|>user<|message|>{{ m.content }}<|end|>
{%- else -%}
<|start|>assistant<|channel|>final<|message|>{{ m.content }}
{{- '<|return|>' if loop.last else '<|end|>' }}
{%- endif -%}
{%- endfor -%}
"""


def tokenizer(template: str | None = None, *special: str) -> Any:
    made = tiny.tokenizer()
    made.add_tokens([AddedToken(text, special=True) for text in special])
    made.chat_template = template
    return made


def rendered(template: Template) -> str:
    """A whole row, from the pieces."""
    question = f"{template.head}Do {{it}}.{template.between}A note: 5 % <b>"
    return f"{question}{template.tail}yes{template.end}"


def conversation(tok: Any, *messages: tuple[str, str]) -> str:
    """The same from the tokenizer itself."""
    given = [{"role": role, "content": content} for role, content in messages]
    return str(tok.apply_chat_template(given, tokenize=False))


def test_a_template_that_knows_the_system_role() -> None:
    tok = tokenizer(CHATML, "<|im_start|>", "<|im_end|>")
    found = chat_template(tok)
    assert (found.kind, found.bos) == ("chat", False)
    assert found.head == "<|im_start|>system\n"
    assert found.between == "<|im_end|>\n<|im_start|>user\n"
    assert found.tail == "<|im_end|>\n<|im_start|>assistant\n"
    turns = [("system", "Do {it}."), ("user", "A note: 5 % <b>"), ("assistant", "yes")]
    assert rendered(found) == conversation(tok, *turns)
    codec = Codec(tok, found)
    assert codec.end == tok.convert_tokens_to_ids("<|im_end|>")
    assert codec.stops == {codec.end, tok.eos_token_id}


def test_a_template_that_refuses_the_system_role_gets_it_in_the_users_turn() -> None:
    tok = tokenizer(NO_SYSTEM, "<start>", "<end>")
    found = chat_template(tok)
    assert found.head == "<bos><start>user\n"
    assert found.between == "\n\n"
    turns = [("user", "Do {it}.\n\nA note: 5 % <b>"), ("assistant", "yes")]
    assert rendered(found) == conversation(tok, *turns)
    codec = Codec(tok, found)
    assert not found.bos
    assert codec.fixed("x")[:2] == [tok.bos_token_id, tok.convert_tokens_to_ids("<start>")]
    assert codec.end == tok.convert_tokens_to_ids("<end>")


def test_a_space_before_the_end_token_is_not_what_answers_stop_at() -> None:
    tok = tokenizer(LLAMA_2)
    found = chat_template(tok)
    assert found.head == "<bos>[INST] <<SYS>>\n"
    assert found.end == " <eos>"
    codec = Codec(tok, found)
    assert codec.end == tok.eos_token_id
    assert codec.stops == {tok.eos_token_id}
    (ids,) = codec.answers(["two words"])
    assert codec.decode(ids) == "two words"


def test_harmony_ends_in_the_final_channel() -> None:
    special = ("<|start|>", "<|message|>", "<|channel|>", "<|end|>", "<|return|>")
    tok = tokenizer(HARMONY, *special)
    found = chat_template(tok)
    assert found.head.endswith("<|start|>developer<|message|># Instructions\n\n")
    assert found.between == "<|end|><|start|>user<|message|>"
    assert found.tail == "<|end|><|start|>assistant<|channel|>final<|message|>"
    assert found.end == "<|return|>"
    codec = Codec(tok, found)
    assert codec.end == tok.convert_tokens_to_ids("<|return|>")
    names = tok.convert_ids_to_tokens(codec.rows(["n"])[0])
    assert names[1:3] == ["<|end|>", "<|start|>"]
    assert [n for n in names if n.startswith("<|")][-2:] == ["<|channel|>", "<|message|>"]


def test_pieces_are_literal_so_a_date_stays_what_it_was(tmp_path: Path) -> None:
    tok = tokenizer(HARMONY)
    found = chat_template(tok)
    (date,) = re.findall(r"\d{4}-\d{2}-\d{2}", found.head)
    assert date == datetime.now().strftime("%Y-%m-%d")
    kept = found.model_copy(update={"head": found.head.replace(date, "2001-02-03")})
    backbone = tiny.backbone("llama")
    backbone.model.save_pretrained(tmp_path)
    tok.save_pretrained(tmp_path)
    again = Template.model_validate_json(kept.model_dump_json())
    loaded = model.load(str(tmp_path), template=again)
    assert loaded.template == kept
    assert "2001-02-03" in Codec(loaded.tokenizer, loaded.template).decode(
        Codec(loaded.tokenizer, loaded.template).fixed("")
    )


@pytest.mark.parametrize(
    "template",
    [
        "{% for m in messages %}{{ m.content | lower }}{% endfor %}",  # not verbatim
        "{% for m in messages %}{{ m.content }}{{ m.content }}{% endfor %}",  # twice
        "{{ raise_exception('no') }}",
        "{% for m in messages | reverse %}{{ m.content }}{% endfor %}",  # answer before input
        "{% if %}",
    ],
)
def test_templates_that_can_not_be_used(template: str) -> None:
    tok = tokenizer(template)
    with pytest.raises(ClinpromptError, match="CP-BACK-021") as caught:
        chat_template(tok)
    assert "backbone.template=plain" in str(caught.value)


def test_without_a_template_rows_are_plain() -> None:
    tok = tokenizer(None)
    assert choose_template(tok, "auto") == plain_template(tok)
    with pytest.raises(ClinpromptError, match="CP-BACK-021"):
        choose_template(tok, "chat")
    chat = tokenizer(CHATML)
    assert choose_template(chat, "auto").kind == "chat"
    assert choose_template(chat, "plain") == plain_template(tok)


def test_bos_stands_first_where_the_tokenizer_puts_it() -> None:
    without = tokenizer()
    assert not plain_template(without).bos
    adds = tokenizer()
    adds.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A", special_tokens=[("<bos>", adds.bos_token_id)]
    )
    found = plain_template(adds)
    assert found.bos
    assert Codec(adds, found).fixed("ab") == [adds.bos_token_id, *Codec(adds, found).text("ab\n\n")]
    assert Codec(without, plain_template(without)).fixed("ab") == Codec(adds, found).text("ab\n\n")


def test_nothing_that_could_end_an_answer_is_refused() -> None:
    tok = tokenizer()
    tok.eos_token = None
    with pytest.raises(ClinpromptError, match="CP-BACK-020"):
        plain_template(tok)
    open_ended = Template(kind="chat", bos=False, head="", between="\n", tail="\nA: ", end="\n")
    with pytest.raises(ClinpromptError, match="CP-BACK-020"):
        Codec(tok, open_ended)
