"""The frozen causal language model.

Shapes: B rows, L text tokens, H hidden size, A answer tokens, V vocabulary.
"""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from clinprompt.backbone.attention import use_on_cpu
from clinprompt.backbone.fetch import KNOWN, cached
from clinprompt.backbone.masks import Attention
from clinprompt.backbone.template import Template, choose_template
from clinprompt.errors import ClinpromptError

Dtype = Literal["auto", "float32", "bfloat16"]


class Backbone:
    """A Hugging Face causal LM that never changes, seen through three functions.

    `embed` gives embeddings, `run` the last hidden states, `logits` the output head.

    Args:
        model: the causal LM; it is frozen and put into evaluation mode here.
        tokenizer: its tokenizer.
        name: what the user called it.
        template: literal text around instruction, input and answer.
    """

    def __init__(self, model: Any, tokenizer: Any, name: str, template: Template) -> None:
        model.requires_grad_(False)
        model.eval()
        self.model, self.tokenizer = model, tokenizer
        self.name, self.template = name, template
        self.config = model.config.get_text_config()
        use_on_cpu(model)
        self.attention = Attention.of(self.config, self.config._attn_implementation)
        self._softcap = getattr(self.config, "final_logit_softcapping", None)
        self._check_head()

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.model.get_input_embeddings().weight.device

    @property
    def dtype(self) -> torch.dtype:
        """Of weights and activations."""
        return self.model.get_input_embeddings().weight.dtype

    @property
    def hidden_size(self) -> int:
        """H."""
        return int(self.config.hidden_size)

    @property
    def vocabulary(self) -> int:
        """V, rows of the embedding table."""
        return int(self.model.get_input_embeddings().weight.shape[0])

    @property
    def context_length(self) -> int:
        """How many positions the backbone knows."""
        return int(self.config.max_position_embeddings)

    @cached_property
    def parameters(self) -> int:
        """Number of weights (tied ones once)."""
        return int(sum(p.numel() for p in self.model.parameters()))

    @cached_property
    def embedding_scale(self) -> float:
        """Standard deviation of what `embed` gives: the unit of learning rates."""
        ids = torch.arange(self.vocabulary, device=self.device)
        return float(torch.cat([self.embed(part).float() for part in ids.split(8192)]).std())

    def embed(self, ids: Tensor) -> Tensor:
        """Token ids [...] to embeddings [..., H], with the backbone's own scaling."""
        embeddings: Tensor = self.model.get_input_embeddings()(ids)
        return embeddings

    def run(self, embeddings: Tensor, positions: Tensor, mask: Any, cache: Any) -> Tensor:
        """Last hidden states, after the final norm.

        Args:
            embeddings: [B, Q, H].
            positions: [B, Q].
            mask: from `Attention.masks`.
            cache: `PrefixKV` or `DecodeKV`.

        Returns:
            [B, Q, H].
        """
        output = self.model.get_decoder()(
            inputs_embeds=embeddings,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
        )
        hidden: Tensor = output.last_hidden_state
        return hidden

    def logits(self, hidden: Tensor) -> Tensor:
        """Hidden states [A, H] to float32 logits [A, V]."""
        logits: Tensor = self.model.get_output_embeddings()(hidden).float()
        if self._softcap is not None:
            logits = torch.tanh(logits / self._softcap) * self._softcap
        return logits

    def _check_head(self) -> None:
        """Compare our head with the backbone's own on three tokens.

        Raises:
            ClinpromptError: CP-BACK-011 if they differ (an unknown scaling of logits).
        """
        if self.device.type == "meta":
            return
        ids = torch.arange(3, device=self.device)[None] % self.vocabulary
        with torch.no_grad():
            theirs = self.model(input_ids=ids).logits[0].float()
            ours = self.logits(self.model.get_decoder()(input_ids=ids).last_hidden_state[0])
        if not torch.allclose(theirs, ours, rtol=1e-2, atol=1e-2):
            raise ClinpromptError(
                "CP-BACK-011",
                f"backbone '{self.name}' ({self.config.model_type}) treats its logits in a way "
                "unknown to clinprompt",
            )


def locate(name: str) -> str:
    """Folder or hub id behind a backbone's name.

    Raises:
        ClinpromptError: CP-BACK-004 for a known backbone that was not fetched yet, CP-BACK-005
            for neither a folder nor (when online) a hub id.
    """
    if name in KNOWN:
        folder = cached(name)
        if folder is None:
            raise ClinpromptError(
                "CP-BACK-004",
                f"backbone '{name}' is not in the cache",
                hint=f"run: clinprompt backbone fetch {name}",
            )
        return str(folder)
    if (Path(name) / "config.json").exists() or os.environ.get("HF_HUB_OFFLINE") != "1":
        return name
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        if isinstance(try_to_load_from_cache(name, "config.json"), str):
            return name
    except HFValidationError:
        pass  # not a hub id either
    raise ClinpromptError(
        "CP-BACK-005",
        f"no backbone '{name}': neither a model folder nor a model in the local hub cache",
        hint="name a folder, or allow downloads with CLINPROMPT_ONLINE=1",
    )


def choose_device(device: str) -> torch.device:
    """The asked device; "auto" is CUDA where there is one, else the CPU."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ClinpromptError(
            "CP-BACK-006", f"device '{device}' can't be used here", hint="use auto, cpu or cuda"
        ) from error
    return torch.device(device)


def load(
    name: str,
    *,
    dtype: Dtype = "auto",
    device: str = "auto",
    template: Literal["auto", "chat", "plain"] | Template = "auto",
) -> Backbone:
    """Load a backbone by name, folder or hub id, frozen.

    Args:
        dtype: "auto" keeps the checkpoint's float type, but makes float16 bfloat16: gradients
            through float16 vanish without a scaling of the loss, which bfloat16 does without.
        template: which text surrounds a row, or the pieces an artefact recorded.

    Raises:
        ClinpromptError: CP-BACK-004 to CP-BACK-007, CP-BACK-010, CP-BACK-011, CP-BACK-020,
            CP-BACK-021.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    place = locate(name)
    where = choose_device(device)
    try:
        tokenizer = AutoTokenizer.from_pretrained(place)
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            place,
            dtype=dtype if dtype == "auto" else getattr(torch, dtype),
            output_loading_info=True,
        )
        model, missing = loaded[0], sorted(loaded[1]["missing_keys"])
        if missing:  # transformers would draw them at random and go on
            raise OSError(f"{len(missing)} weights are missing, such as '{missing[0]}'")
    except Exception as error:  # each library has its own errors for files it can't read
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ClinpromptError(
            "CP-BACK-007", f"backbone '{name}' can't be loaded ({first})"
        ) from error
    if dtype == "auto" and model.dtype == torch.float16:
        model = model.to(torch.bfloat16)
    if not isinstance(template, Template):
        template = choose_template(tokenizer, template)
    return Backbone(model.to(where), tokenizer, name, template)
