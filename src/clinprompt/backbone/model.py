"""The frozen causal language model.

Shapes: B rows, L text tokens, H hidden size, A answer tokens, V vocabulary.
"""

from __future__ import annotations

import logging
import os
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from clinprompt.backbone import flex, packed
from clinprompt.backbone.allocator import keep_freed
from clinprompt.backbone.attention import use_on_cpu
from clinprompt.backbone.beside import Beside
from clinprompt.backbone.fetch import KNOWN, cached
from clinprompt.backbone.floats import Dtype, float_type
from clinprompt.backbone.keyvalues import PrefixKV
from clinprompt.backbone.lean.compiled import Compiled
from clinprompt.backbone.lean.decoder import Lean, Want, changed
from clinprompt.backbone.masks import Attention, visibility
from clinprompt.backbone.quantised import unpacking
from clinprompt.backbone.sight import Unwritten
from clinprompt.backbone.template import Template, choose_template
from clinprompt.errors import ClinpromptError

_LOG = logging.getLogger(__name__)

_OTHER = "its layers give other values than the ones known by their name"


class Backbone:
    """A Hugging Face causal LM that never changes, seen through three functions.

    `embed` gives embeddings, `run` the last hidden states, `logits` the output head.

    Args:
        model: the causal LM; it is frozen and put into evaluation mode here.
        tokenizer: its tokenizer.
        name: what the user called it.
        template: literal text around instruction, input and answer.
        attention: "auto" is FlexAttention on CUDA where it works, else torch's fused attention or
            what the model has.

    Attributes:
        lean: the decoder that is used instead of the library's on a CPU, where there is one.
        compiled: the same on CUDA.
        unwritten: whether masks stay rules (`sight.Unwritten`), as FlexAttention takes them.
        why_standard: why neither decoder is used.
        beside: updates that rows may have of their own now (`updates.standing`).

    Raises:
        ClinpromptError: CP-BACK-010, CP-BACK-011, CP-BACK-050, CP-BACK-051.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        name: str,
        template: Template,
        attention: flex.Choice = "auto",
    ) -> None:
        model.requires_grad_(False)
        model.eval()
        self.model, self.tokenizer = model, tokenizer
        self.name, self.template = name, template
        self.config = model.config.get_text_config()
        reason = flex.choose(model, attention)
        if attention == "auto":
            use_on_cpu(model)
        self.attention = Attention.of(self.config, self.config._attn_implementation)
        self.unwritten = self.config._attn_implementation == flex.NAME
        self._softcap = getattr(self.config, "final_logit_softcapping", None)
        self.lean: Lean | None = None
        self.compiled: Compiled | None = None
        self.beside: Beside | None = None
        self.why_standard: str | None = reason
        if self.unwritten:
            self.compiled, self.why_standard = self._make_compiled()
        elif attention != "auto":
            self.why_standard = f"attention '{attention}' was asked for"
        elif reason is None:
            self.lean, self.why_standard = self._make_lean()
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

    @property
    def keyvalue_shape(self) -> tuple[int, int, int]:
        """N layers, G key heads, D size of a head."""
        heads = int(self.config.num_attention_heads)
        size = getattr(self.config, "head_dim", None) or self.hidden_size // heads
        key_heads = getattr(self.config, "num_key_value_heads", None) or heads
        return int(self.config.num_hidden_layers), int(key_heads), int(size)

    @property
    def keyvalue_width(self) -> int:
        """Numbers that one position has as keys and values in all layers: 2 N G D."""
        layers, heads, size = self.keyvalue_shape
        return 2 * layers * heads * size

    @cached_property
    def embedding_scale(self) -> float:
        """Standard deviation of what `embed` gives: the unit of learning rates."""
        ids = torch.arange(self.vocabulary, device=self.device)
        return float(torch.cat([self.embed(part).float() for part in ids.split(8192)]).std())

    def embed(self, ids: Tensor) -> Tensor:
        """Token ids [...] to embeddings [..., H], with the backbone's own scaling."""
        embeddings: Tensor = self.model.get_input_embeddings()(ids)
        return embeddings

    def run(
        self,
        embeddings: Tensor,
        positions: Tensor,
        mask: Any,
        cache: Any,
        *,
        valid: Tensor | None = None,
        want: Want = "all",
        changes: Tensor | None = None,
    ) -> Tensor:
        """Last hidden states, after the final norm.

        Args:
            embeddings: [B, Q, H].
            positions: [B, Q].
            mask: from `Attention.masks`; or `sight.Unwritten` where `unwritten` is true.
            cache: `PrefixKV`, `DecodeKV`, or what else has their ``update``.
            valid: [B, Q] false for padding, which need not be computed.
            want: "all" positions; "keys" alone, for the cache; or rows and columns [A] of the
                positions that are read: nothing else of the last layer need be computed.
            changes: [B] number of the update in `beside` that each row has; negative without one.

        Returns:
            [B, Q, H]; [A, H] for positions; nothing of use for "keys".
        """
        if changes is not None and self.beside is None:
            raise ValueError("rows name updates, and none stands beside the weights")
        if self.lean is not None and self._can_be_lean(cache):
            return self.lean.run(
                embeddings,
                positions,
                mask,
                cache,
                valid=valid,
                want=want,
                beside=self.beside,
                numbers=changes,
            )
        if self.beside is not None and changes is not None:
            with self.beside.reading(changes):
                return self._run_standard(embeddings, positions, mask, cache, want)
        return self._run_standard(embeddings, positions, mask, cache, want)

    def _run_standard(
        self, embeddings: Tensor, positions: Tensor, mask: Any, cache: Any, want: Want
    ) -> Tensor:
        """`run` by the library's layers, or by compiled ones."""
        if isinstance(mask, Unwritten):
            if type(cache) is PrefixKV:
                return self._run_packed(embeddings, positions, mask, cache, want)
            mask = mask.lined_up().masks(self.attention.window, self.attention.mixed)
        output = self.model.get_decoder()(
            inputs_embeds=embeddings,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
        )
        hidden: Tensor = output.last_hidden_state
        return hidden if isinstance(want, str) else hidden[want]

    def _run_packed(
        self, embeddings: Tensor, positions: Tensor, mask: Unwritten, cache: PrefixKV, want: Want
    ) -> Tensor:
        """`run` without padding, in layers that torch compiles where they are known."""
        decoder = self.model.get_decoder()
        if self.compiled is not None and changed(decoder) is None:
            return self.compiled.run(embeddings, positions, mask, cache, want=want)
        return packed.run(decoder, self.attention, embeddings, mask, cache, want)

    def _can_be_lean(self, cache: Any) -> bool:
        """Whether weights are frozen and in place now, and the cache can be differentiated."""
        assert self.lean is not None
        if torch.is_grad_enabled() and type(cache) is not PrefixKV:
            return False
        return changed(self.lean.decoder, adapters=True) is None

    def logits(self, hidden: Tensor) -> Tensor:
        """Hidden states [A, H] to float32 logits [A, V]."""
        logits: Tensor = self.model.get_output_embeddings()(hidden).float()
        if self._softcap is not None:
            logits = torch.tanh(logits / self._softcap) * self._softcap
        return logits

    def _make_lean(self) -> tuple[Lean | None, str | None]:
        """The lean decoder, if the layers are known to it and it gives what they give."""
        if self.device.type != "cpu":
            return None, f"it runs on {self.device.type}"
        found = Lean.of(self.model.get_decoder())
        if isinstance(found, str):
            return None, found
        columns = torch.arange(5, device=self.device)[None]
        mask = self.attention.masks(*visibility(columns, columns, columns >= 0), self.dtype)
        if not self._agrees(found, mask):
            return None, _OTHER
        return found, None

    def _make_compiled(self) -> tuple[Compiled | None, str | None]:
        """The same for the compiled decoder."""
        found = Compiled.of(self.model.get_decoder(), self.attention)
        if isinstance(found, str):
            return None, found
        columns = torch.arange(5, device=self.device)[None]
        mask = Unwritten(columns, columns, columns >= 0, tokens=5)
        try:
            agrees = self._agrees(found, mask)
        except Exception as raised:  # whatever a compiler finds to raise
            return None, f"its layers can't be compiled ({type(raised).__name__})"
        return (found, None) if agrees else (None, _OTHER)

    @torch.no_grad()
    def _agrees(self, decoder: Lean | Compiled, mask: Any) -> bool:
        """Whether a decoder gives what the library's gives, for five tokens."""
        columns = torch.arange(5, device=self.device)[None]
        ids = columns * 7 % self.vocabulary
        ours = decoder.run(self.embed(ids), columns, mask, PrefixKV()).float()
        theirs = self.model.get_decoder()(input_ids=ids).last_hidden_state.float()
        near = 1e-3 if self.dtype == torch.float32 else 0.1
        return float((ours - theirs).norm() / theirs.norm()) <= near

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
    attention: flex.Choice = "auto",
) -> Backbone:
    """Load a backbone by name, folder or hub id, frozen.

    Args:
        dtype: "auto" keeps the checkpoint's float type, as far as it can be trained in and the
            device computes it (`floats.float_type`).
        template: which text surrounds a row, or the pieces an artefact recorded.
        attention: as `Backbone` takes it.

    Raises:
        ClinpromptError: CP-BACK-004 to CP-BACK-007, CP-BACK-010, CP-BACK-011, CP-BACK-020,
            CP-BACK-021, CP-BACK-050, CP-BACK-051.
    """
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    place = locate(name)
    where = choose_device(device)
    try:
        tokenizer = AutoTokenizer.from_pretrained(place)
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            place,
            dtype=dtype if dtype == "auto" else getattr(torch, dtype),
            output_loading_info=True,
            **unpacking(AutoConfig.from_pretrained(place)),
        )
        model, missing = loaded[0], sorted(loaded[1]["missing_keys"])
        if missing:  # transformers would draw them at random and go on
            raise OSError(f"{len(missing)} weights are missing, such as '{missing[0]}'")
    except Exception as error:  # each library has its own errors for files it can't read
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ClinpromptError(
            "CP-BACK-007", f"backbone '{name}' can't be loaded ({first})"
        ) from error
    model = model.to(float_type(dtype, model.dtype, where))
    if not isinstance(template, Template):
        template = choose_template(tokenizer, template)
    backbone = Backbone(model.to(where), tokenizer, name, template, attention)
    if where.type == "cpu":  # only now: what loading needed goes back to the system
        keep_freed()
    if backbone.why_standard is not None:
        _LOG.warning("backbone '%s': layers of the library, %s", name, backbone.why_standard)
    return backbone
