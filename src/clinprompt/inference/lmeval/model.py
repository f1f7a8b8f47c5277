"""The harness's model ``clinprompt``: a frozen backbone behind one of our prompts, or bare."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lm_eval import utils
from lm_eval.api.model import TemplateLM
from tqdm import tqdm

from clinprompt import metaprompts
from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.backbone import updates
from clinprompt.backbone.floats import Dtype, trained_in
from clinprompt.backbone.model import choose_device
from clinprompt.errors import ClinpromptError
from clinprompt.inference.lmeval.arguments import (
    Generation,
    batch_rows,
    chosen_around,
    decoding_settings,
    generation,
    usable_device,
)
from clinprompt.inference.lmeval.around import Around, Given
from clinprompt.inference.lmeval.reader import Reader
from clinprompt.inference.selection import Selection, select
from clinprompt.training.prepare import Prepared
from clinprompt.training.settings import BackboneSettings

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance

_log = logging.getLogger(__name__)


class ClinpromptLM(TemplateLM):
    """What ``--model clinprompt --model_args prompts=DIR,task=NAME`` builds.

    Args:
        prompts: folder of a prompt set; None for the bare backbone.
        task: which of the set's tasks, or a task or card whose instruction is wanted.
        like: use the set's prompt of this task for a task that it doesn't know.
        backbone: where the backbone is; by default as the prompts name it.
        dtype, device: as for ``clinprompt evaluate``; CUDA where there is none is taken for auto,
            since it is what the harness asks for by default.
        around: "card" puts template and instruction around a text, "none" nothing; "auto" is card
            with a prompt and none without.
        long_inputs: whether a text longer than the context is refused, or cut at its beginning
            (they are counted).
        batch_size: rows at a time, or "auto": as many as `batch_tokens` holds.
        batch_tokens: padded tokens of a batch; None chooses by the device.
        max_gen_toks: most new tokens where a task does not say.
        seed: of draws, where a task asks for sampling.

    Raises:
        ClinpromptError: CP-INF-401 to CP-INF-404 arguments that don't go together; what loading
            prompts and backbone raises.
    """

    def __init__(
        self,
        prompts: str | Path | None = None,
        task: str | None = None,
        like: str | None = None,
        backbone: str | None = None,
        dtype: Dtype | None = None,
        device: str = "auto",
        around: Literal["auto", "card", "none"] = "auto",
        long_inputs: Literal["refuse", "truncate"] = "refuse",
        batch_size: int | str = "auto",
        max_batch_size: int | None = None,
        batch_tokens: int | None = None,
        max_gen_toks: int = 256,
        seed: int = 0,
    ) -> None:
        super().__init__()
        rows = batch_rows(batch_size, max_batch_size)
        loaded = None if prompts is None else PromptSet.load(metaprompts.find(prompts))
        around = chosen_around(around, loaded, task, long_inputs)
        chosen = _selected(loaded, task, like, around)
        prompt = None
        if loaded is not None and chosen is not None and chosen.prompt is not None:
            prompt = loaded.task_prompt(chosen.prompt)
        self.prepared = _prepared(loaded, backbone, dtype, usable_device(device))
        if prompt is not None and loaded is not None and loaded.update is not None:
            updates.add(self.prepared.backbone, loaded.update)  # the backbone is this model's own
        self.prompts, self.chosen, self.seed = loaded, chosen, int(seed)
        self.max_gen_toks, self.long_inputs = int(max_gen_toks), long_inputs
        self.tokenizer = self.prepared.backbone.tokenizer
        self._device = self.prepared.backbone.device
        codec = self.prepared.codec
        card = None if chosen is None or around == "none" else chosen.card
        tokens = batch_tokens or (65_536 if self._device.type == "cuda" else 8_192)
        self.reader = Reader(self.prepared.backbone, Around(codec, prompt, card), rows, int(tokens))
        # Perplexity is of a text, not of an answer: nothing stands around it.
        self._rolling = Reader(self.prepared.backbone, Around(codec, prompt, None), rows, tokens)

    @property
    def eot_token_id(self) -> int:
        """The token that ends an answer."""
        return int(self.prepared.codec.end)

    @property
    def prefix_token_id(self) -> int:
        """What stands before a text that nothing else stands before."""
        bos = self.tokenizer.bos_token_id
        return self.eot_token_id if bos is None else int(bos)

    @property
    def max_length(self) -> int:
        """Positions that the backbone knows."""
        return self.prepared.backbone.context_length

    @property
    def tokenizer_name(self) -> str:
        """Names the tokenizer in the harness's request cache."""
        return f"clinprompt-{self.prepared.fingerprint.tokenizer[:16]}"

    def get_model_info(self) -> dict[str, Any]:
        """What the harness writes beside its results."""
        mark = self.prepared.fingerprint
        return {
            "model_num_parameters": mark.parameters,
            "model_dtype": str(self.prepared.backbone.dtype),
            "clinprompt": {
                "backbone": self.prepared.backbone.name,
                "fingerprint": mark.model_dump(),
                "prompts": None if self.prompts is None else self.prompts.digest,
                "prompt": None if self.chosen is None else self.chosen.prompt,
                "instruction_of": self.reader.around.card and self.reader.around.card.name,
            },
        }

    def tok_encode(
        self, string: str, add_special_tokens: bool | None = None, **_: object
    ) -> list[int]:
        """Token ids of a text."""
        if add_special_tokens is None or self.reader.around.card is not None:
            return self.reader.around.encode(string)
        ids = self.tokenizer(string, add_special_tokens=add_special_tokens).input_ids
        return list(ids)

    def apply_chat_template(
        self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
    ) -> str:
        """A conversation as the backbone's chat template writes it.

        Raises:
            ClinpromptError: CP-INF-405 if the prompt's own template stands around texts.
        """
        if self.reader.around.card is not None:
            raise ClinpromptError(
                "CP-INF-405",
                "a template stands around every text already: the one that the prompt was trained "
                "in",
                hint="leave out --apply_chat_template, or set around=none",
            )
        text = self.tokenizer.apply_chat_template(
            chat_history,
            tokenize=False,
            add_generation_prompt=add_generation_prompt,
            continue_final_message=not add_generation_prompt,
        )
        return str(text)

    def loglikelihood(
        self, requests: list[Instance], disable_tqdm: bool = False
    ) -> list[tuple[float, bool]]:
        """Log-probabilities of continuations, and whether greedy decoding would write them."""
        if self.reader.around.card is None:
            found: list[tuple[float, bool]] = super().loglikelihood(requests, disable_tqdm)
            return found
        # An answer begins where the template's tail ends, as in training: without a blank.
        pairs = [(str(r.args[0]), str(r.args[1])) for r in requests]
        encode = self.reader.around.encode
        tokens = [
            ((context, more), encode(context), encode(more.lstrip() or more))
            for context, more in pairs
        ]
        return self._loglikelihood_tokens(tokens, disable_tqdm=disable_tqdm)

    def _loglikelihood_tokens(
        self,
        requests: Sequence[tuple[tuple[str, str] | None, list[int], list[int]]],
        disable_tqdm: bool = False,
        reader: Reader | None = None,
    ) -> list[tuple[float, bool]]:
        """Scores of tokenised pairs; those of one context are read once."""
        reader = reader or self.reader
        fitted = self._fitted(
            reader.around, [(context, len(more) - 1) for _, context, more in requests]
        )
        groups: dict[Given, dict[tuple[int, ...], None]] = {}
        for given, (_, _, more) in zip(fitted, requests, strict=True):
            groups.setdefault(given, {})[tuple(more)] = None
        contexts = list(groups)
        continuations = [[list(one) for one in groups[context] if one] for context in contexts]
        total = sum(map(len, continuations))
        with tqdm(total=total, disable=disable_tqdm, desc="Scoring continuations") as bar:
            scores = reader.score(contexts, continuations, bar.update)
        known: dict[tuple[Given, tuple[int, ...]], tuple[float, bool]] = {}
        for context, texts, own in zip(contexts, continuations, scores, strict=True):
            known.update({(context, tuple(t)): s for t, s in zip(texts, own, strict=True)})
        found = []
        for given, (key, _, more) in zip(fitted, requests, strict=True):
            # Nothing to score: certain, as an empty product is.
            score = known[given, tuple(more)] if more else (0.0, True)
            if key is not None:
                self.cache_hook.add_partial("loglikelihood", key, score)
            found.append(score)
        return found

    def loglikelihood_rolling(
        self, requests: list[Instance], disable_tqdm: bool = False
    ) -> list[float]:
        """Log-probabilities of whole texts, read in windows behind the prompt alone.

        Raises:
            ClinpromptError: CP-INF-406 for a prompt that stands after the text.
        """
        if self.prepared.codec.placement == "after" and self.reader.around.prompt is not None:
            raise ClinpromptError(
                "CP-INF-406",
                "a prompt that stands after the text can't change how probable the text is",
                hint="measure perplexity with the bare backbone: leave out prompts",
            )
        room = self.max_length - self._rolling.around.length
        windows: list[tuple[None, list[int], list[int]]] = []
        counts = []
        for request in requests:
            tokens = self._rolling.around.encode(str(request.args[0]))
            pairs = utils.get_rolling_token_windows(
                token_list=tokens,
                prefix_token=self.prefix_token_id,
                max_seq_len=room,
                context_len=1,
            )
            own = [(None, *utils.make_disjoint_window(pair)) for pair in pairs]
            windows += own
            counts.append(len(own))
        scores = iter(
            self._loglikelihood_tokens(windows, disable_tqdm=disable_tqdm, reader=self._rolling)
        )
        found = []
        for request, count in zip(requests, counts, strict=True):
            found.append(sum(next(scores)[0] for _ in range(count)))
            self.cache_hook.add_partial("loglikelihood_rolling", request.args, found[-1])
        return found

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        """Answers, up to a stop text; drawn where a task asks for sampling.

        Raises:
            ClinpromptError: CP-INF-407 for settings of generation that are unknown here.
        """
        asked = [generation(request.args[1], self.max_gen_toks) for request in requests]
        encode = self.reader.around.encode
        given = self._fitted(
            self.reader.around,
            [
                (encode(str(request.args[0])), one.max_new - 1)
                for request, one in zip(requests, asked, strict=True)
            ],
        )
        found: dict[int, str] = {}
        with tqdm(total=len(requests), disable=disable_tqdm, desc="Generating") as bar:
            for alike, indices in _grouped(asked):
                generated = self.reader.generate(
                    [given[i] for i in indices],
                    [asked[i].max_new for i in indices],
                    [self.seed + i for i in indices],
                    decoding_settings(alike, self.prepared.codec),
                    partial(_show, bar, len(found)),
                )
                for i, new in zip(indices, generated, strict=True):
                    text = self.prepared.codec.decode(new.ids)
                    found[i] = text if new.characters is None else text[: new.characters]
                    self.cache_hook.add_partial("generate_until", requests[i].args, found[i])
        return [found[i] for i in range(len(requests))]

    def _fitted(self, around: Around, texts: Iterable[tuple[list[int], int]]) -> list[Given]:
        """Texts as rows that leave room for so many more tokens.

        Raises:
            ClinpromptError: CP-INF-410 one that is too long.
        """
        found, cut, most = [], 0, 0
        for ids, more in texts:
            room = self.max_length - around.length - more
            if len(ids) > room:
                cut += 1
                most = max(most, around.length + len(ids) + more)
                ids = ids[-room:] if room > 0 else []
            given = around.given(ids)
            # Something must be read for something to be predicted.
            empty = not given.row and not given.note
            found.append(Given((self.prefix_token_id,)) if empty else given)
        if cut and self.long_inputs == "refuse":
            raise ClinpromptError(
                "CP-INF-410",
                f"{cut} of {len(found)} rows are too long, with up to {most} tokens for the "
                f"backbone's {self.max_length} positions",
                hint="fewer examples (--num_fewshot), or long_inputs=truncate, which cuts the "
                "beginning of a text",
            )
        if cut:
            _log.warning("%d of %d texts were cut at their beginning", cut, len(found))
        return found


def _show(bar: Any, before: int, done: int) -> None:
    bar.update(before + done - bar.n)


def _grouped(asked: Sequence[Generation]) -> list[tuple[Generation, list[int]]]:
    """Indices of rows that are decoded alike; lengths may differ."""
    groups: dict[Any, list[int]] = {}
    for i, one in enumerate(asked):
        groups.setdefault((one.until, one.sampling), []).append(i)
    return [(asked[indices[0]], indices) for indices in groups.values()]


def _selected(
    prompts: PromptSet | None, task: str | None, like: str | None, around: str
) -> Selection | None:
    """Card and prompt; None for the bare backbone with nothing around a text."""
    if prompts is None and around == "none":
        return None
    return select(prompts, task, like=like, bare=prompts is None, note=_log.warning)


def _prepared(prompts: PromptSet | None, backbone: str | None, dtype: Any, device: str) -> Prepared:
    """The backbone, with rows written as the prompts know them."""
    given: dict[str, Any] = {"dtype": dtype or "auto", "device": device}
    if prompts is None:
        return Prepared.of(BackboneSettings(**given, **({"name": backbone} if backbone else {})))
    meta = prompts.meta
    if dtype is None:
        given["dtype"] = trained_in(meta.configuration, choose_device(device))
    settings = BackboneSettings(**given, name=backbone or meta.backbone)
    prepared = Prepared.of(settings, meta.template, meta.placement)
    prompts.require_backbone(prepared.fingerprint)
    return prepared
