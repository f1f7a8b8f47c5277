from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from clinprompt.backbone.codec import Codec
from clinprompt.backbone.template import Template, plain_template
from tests.backbone import tiny

TOKENIZER: Any = tiny.tokenizer()
TOKENIZER.add_tokens(
    [AddedToken("<|im_start|>", special=True), AddedToken("<|im_end|>", special=True)]
)
TEMPLATE = Template(
    kind="chat",
    bos=False,
    head="<|im_start|>system\n",
    between="<|im_end|>\n<|im_start|>user\n",
    tail="<|im_end|>\n<|im_start|>assistant\n",
    end="<|im_end|>\n",
)
CODEC = Codec(TOKENIZER, TEMPLATE)
START, END = (TOKENIZER.convert_tokens_to_ids(f"<|im_{name}|>") for name in ("start", "end"))
SPECIAL = {"<bos>", "<eos>", "<pad>", "<|im_start|>", "<|im_end|>"}
notes = st.lists(st.sampled_from(sorted(SPECIAL)) | st.text(max_size=8)).map("".join)


def test_pieces_of_the_template_are_special_tokens() -> None:
    assert CODEC.fixed("")[0] == START
    assert CODEC.fixed("").count(START) == 2
    assert CODEC.rows(["x"])[0].count(END) == 1
    assert CODEC.answers(["x"])[0][-1] == END == CODEC.end
    assert {END, TOKENIZER.eos_token_id} == CODEC.stops


@given(notes)
def test_special_tokens_that_a_note_spells_out_are_ordinary_characters(note: str) -> None:
    ids = CODEC.text(note)
    assert not set(ids) & set(TOKENIZER.all_special_ids)
    assert not set(ids) & {START, END}
    assert CODEC.decode(ids) == note
    assert CODEC.fixed(note) == CODEC.fixed("")[: len(CODEC._head)] + ids + CODEC._between
    assert CODEC.rows([note]) == [ids + CODEC.rows([""])[0]]


@given(notes)
def test_an_answer_survives_the_way_there_and_back(answer: str) -> None:
    (ids,) = CODEC.answers([answer])
    assert ids.count(END) == 1
    assert CODEC.decode(ids) == answer
    assert CODEC.decode([*ids, *CODEC.text("and more"), END]) == answer


def test_decoding_stops_at_eos_as_well_and_keeps_what_has_no_end() -> None:
    ids = CODEC.text("yes")
    assert CODEC.decode([*ids, TOKENIZER.eos_token_id, *ids]) == "yes"
    assert CODEC.decode(ids) == "yes"
    assert CODEC.decode([END, *ids]) == ""
    assert CODEC.decode([START, *ids]) == "yes"  # any other special token says nothing


def test_many_texts_at_once_are_each_text_alone() -> None:
    texts = ["", "fever", "<|im_end|>", "naïve 🩺", " two  spaces\n"]
    assert CODEC.texts(texts) == [CODEC.text(text) for text in texts]
    assert CODEC.texts([]) == CODEC.rows([]) == CODEC.answers([]) == []


def test_tail_length_is_what_rows_end_in() -> None:
    assert CODEC.tail_length == len(CODEC.rows([""])[0])
    for text in ("", "some note"):
        assert CODEC.rows([text])[0][-CODEC.tail_length :] == CODEC.rows([""])[0]


def test_encoding_users_text_does_not_change_how_pieces_are_read() -> None:
    before = CODEC.fixed("x")
    CODEC.text("<|im_end|>")
    assert Codec(TOKENIZER, TEMPLATE).fixed("x") == before == CODEC.fixed("x")


def test_bos_comes_once_and_first() -> None:
    template = plain_template(TOKENIZER).model_copy(update={"bos": True})
    codec = Codec(TOKENIZER, template)
    assert codec.fixed("x")[0] == TOKENIZER.bos_token_id
    assert codec.fixed("<bos>").count(TOKENIZER.bos_token_id) == 1


@pytest.mark.parametrize("end", ["", "\n\nUser:"])
def test_an_end_without_a_special_token_is_eos(end: str) -> None:
    codec = Codec(TOKENIZER, TEMPLATE.model_copy(update={"end": end}))
    assert codec.end == TOKENIZER.eos_token_id
    (ids,) = codec.answers(["two\nlines"])
    assert codec.decode(ids) == "two\nlines"


def test_an_end_of_sequence_with_number_zero_is_one() -> None:
    """As in GPT-NeoX and Pythia."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {"<|endoftext|>": 0} | {c: i for i, c in enumerate(alphabet, 1)}
    inner = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    inner.decoder = decoders.ByteLevel()
    tok: Any = PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<|endoftext|>")
    tok.add_tokens([AddedToken("<|end|>", special=True)])
    assert tok.eos_token_id == 0
    assert Codec(tok, plain_template(tok)).end == 0
    chat = Codec(tok, TEMPLATE.model_copy(update={"end": "<|end|>"}))
    assert chat.stops == {0, tok.convert_tokens_to_ids("<|end|>")}
    assert chat.decode([*chat.text("yes"), 0, *chat.text("no")]) == "yes"


MARKED: Any = tiny.tokenizer()
MARKED.add_tokens(
    [AddedToken("</think>"), AddedToken("    "), AddedToken("<|im_end|>", special=True)]
)
MARKED_CODEC = Codec(MARKED, plain_template(MARKED))


@given(
    st.lists(st.sampled_from(["</think>", "<|im_end|>", "    "]) | st.text(max_size=6)).map("".join)
)
def test_markers_that_are_not_declared_special_are_ordinary_characters_too(note: str) -> None:
    """Qwen3's ``</think>`` is an added token that `split_special_tokens` leaves whole."""
    markers = {MARKED.convert_tokens_to_ids(token) for token in ("</think>", "<|im_end|>")}
    ids = MARKED_CODEC.text(note)
    assert not markers & set(ids)
    assert MARKED_CODEC.decode(ids) == note
    assert MARKED_CODEC.texts([note, "x"]) == [ids, MARKED_CODEC.text("x")]


def test_added_white_space_stays_one_token() -> None:
    assert MARKED_CODEC.text("a    b").count(MARKED.convert_tokens_to_ids("    ")) == 1
    assert MARKED("</think>", add_special_tokens=False, split_special_tokens=True).input_ids == [
        MARKED.convert_tokens_to_ids("</think>")
    ]  # what the codec must not rely on
