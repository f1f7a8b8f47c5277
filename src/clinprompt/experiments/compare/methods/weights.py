"""Methods that train weights: LoRA adapters (PEFT), and the backbone itself."""

from __future__ import annotations

import shutil
import warnings
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Literal

import safetensors.torch
import torch
from pydantic import Field
from torch import Tensor, nn

from clinprompt.backbone.model import Backbone
from clinprompt.backbone.template import Placement
from clinprompt.errors import ClinpromptError
from clinprompt.experiments.compare.cell import WEIGHTS
from clinprompt.experiments.compare.methods.base import (
    Entry,
    Fit,
    Given,
    Job,
    Method,
    Outline,
    Rates,
    TrainedSettings,
)
from clinprompt.training.loop import Stage, run
from clinprompt.training.modules import PromptModule
from clinprompt.training.prepare import data_counts, identity_of, prepare_tasks
from clinprompt.training.sampler import Sampler
from clinprompt.training.settings import Optimiser


def _flat(name: str) -> str:
    return name.replace(".", "/")  # names of parameters may hold no dots


class Weights(PromptModule):
    """Trained weights in the backbone, in the place of a prompt: rows have the bare instruction.

    Args:
        trained: parameters in use by the backbone, by name.
    """

    def __init__(self, trained: dict[str, nn.Parameter]) -> None:
        super().__init__()
        self.trained = nn.ParameterDict({_flat(name): p for name, p in trained.items()})

    def prompts(self, tasks: Sequence[int]) -> None:
        """None: no prompt."""

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """All of them at one rate."""
        return {"weights": list(self.trained.values())}

    def state_of(self, task: int) -> dict[str, Tensor]:
        """Nothing: weights belong to all tasks."""
        return {}


class Adapters(Weights):
    """A PEFT model's adapters.

    Args:
        peft: the model around the backbone's.
    """

    def __init__(self, peft: Any) -> None:
        super().__init__({n: p for n, p in peft.named_parameters() if p.requires_grad})
        self.peft = (peft,)  # in a tuple, so that the backbone is no part of this module


class Masters(Weights):
    """Float32 copies of weights that the backbone uses in a float type of fewer bits.

    The optimizer moves the copies; before every forward pass they are rounded into the backbone,
    and each gradient is added up in float32 as soon as it is there (mixed-precision training,
    Micikevicius et al., 2018). Bfloat16 weights alone would lose most updates to rounding.

    Args:
        used: the backbone's parameters by name; their `requires_grad` is switched on.
    """

    def __init__(self, used: dict[str, nn.Parameter]) -> None:
        super().__init__({n: nn.Parameter(p.detach().float().clone()) for n, p in used.items()})
        self._pairs = [(weight, self.trained[_flat(name)]) for name, weight in used.items()]
        self._hooks = []
        for weight, master in self._pairs:
            weight.requires_grad_(True)
            self._hooks.append(weight.register_post_accumulate_grad_hook(_into(master)))

    def prompts(self, tasks: Sequence[int]) -> None:
        """Round the copies into the backbone; there is no prompt."""
        self.write()

    @torch.no_grad()
    def write(self) -> None:
        """Round the copies into the backbone."""
        for weight, master in self._pairs:
            weight.copy_(master)

    def remove(self) -> None:
        """Stop collecting gradients."""
        for hook in self._hooks:
            hook.remove()
        for weight, _ in self._pairs:
            weight.requires_grad_(False)
            weight.grad = None


def _into(master: nn.Parameter) -> Any:
    def collect(weight: Tensor) -> None:
        assert weight.grad is not None
        gradient = weight.grad.float()
        master.grad = gradient.clone() if master.grad is None else master.grad.add_(gradient)
        weight.grad = None

    return collect


class WeightsSettings(TrainedSettings):
    """Where the instruction stands: there is no prompt to go with it."""

    placement: Placement | None = Field(
        None, description="of the instruction, before or after the text; default: before"
    )

    @property
    def place(self) -> Placement:
        """The placement that is used."""
        return self.placement or "before"


class Trained(Method):
    """What both have in common: one stage of the one loop."""

    groups = ("weights",)
    small = True  # whether the trained weights are few

    def fit(self, job: Job, rates: Rates, out: Path) -> Fit:
        """Train on the same rows, in the same order, as any prompt."""
        recipe, place = job.recipe, job.settings.place
        prepared = job.prepared.placed(place)
        tasks = prepare_tasks(prepared, job.cards, job.splits, recipe.data, 0)
        if place == "after":  # what is known of a note changes with the weights: it is no prefix
            tasks = [task.whole() for task in tasks]
        training = recipe.training
        settings = Optimiser(
            steps=job.steps,
            rows=job.rows,
            warmup=training.warmup,
            clip=training.clip,
            weight_decay=training.weight_decay,
            evaluate_every=job.evaluate_every,
        )
        sampler = Sampler(
            [len(task.rows["train"]) for task in tasks],
            steps=settings.steps,
            rows=settings.rows,
            seed=job.seed,
        )
        identity = identity_of(
            prepared,
            {
                "method": self.name,
                "settings": job.settings.model_dump(mode="json"),
                "rates": rates,
                "training": settings.model_dump(),
                **({} if training.select == "loss" else {"select": training.select}),
                "seed": job.seed,
            },
            tasks,
        )
        with self.at_work(prepared.backbone, job.settings, job.seed) as module:
            stage = Stage("weights", module, tasks, rates, sampler, settings, recipe.engine)
            # All weights with their moments are several times the backbone's size on disk.
            stage.checkpoints = self.small or job.steps > recipe.engine.save_every
            if training.select == "metric":
                dev = [split["dev"] for split in job.splits]
                stage.judge = job.judging(prepared, job.cards, dev)
            outcome = run(
                prepared.backbone, stage, job.work, identity, job.progress, job.should_stop
            )
            stored = self._save(job, module, out / WEIGHTS)
            trainable = module.trainable
        return Fit(
            outcome=outcome,
            trainable=trainable,
            stored_bytes=stored,
            examples_seen=job.steps * training.rows,
            data=data_counts(tasks),
            details=self._details(job.settings)
            | ({} if place == "before" else {"placement": place}),
        )

    def average(self, tries: Sequence[Path], out: Path) -> int:
        """The mean of each tensor, of LoRA's two factors apart: it has their rank again."""
        folders = [one / WEIGHTS for one in tries]
        shutil.copytree(folders[0], out / WEIGHTS)
        (file,) = (out / WEIGHTS).glob("*.safetensors")
        learned = [safetensors.torch.load_file(one / file.name) for one in folders]
        mean = {
            name: torch.stack([one[name].float() for one in learned]).mean(0).to(first.dtype)
            for name, first in learned[0].items()
        }
        safetensors.torch.save_file(mean, file, metadata={"format": "pt"})
        return file.stat().st_size

    @abstractmethod
    def at_work(
        self, backbone: Backbone, settings: Any, seed: int
    ) -> AbstractContextManager[Weights]:
        """What is trained, at work in the backbone; afterwards the backbone is as it was."""

    @abstractmethod
    def _save(self, job: Job, module: Weights, folder: Path) -> int:
        """Write what was learned; how many bytes it takes."""

    def _details(self, settings: Any) -> dict[str, Any]:
        return {}


class LoraSettings(WeightsSettings):
    """Rank and layers of the adapters (Hu et al., 2022)."""

    rank: int = Field(16, ge=1)
    alpha: float = Field(32, gt=0, description="the update is scaled by alpha / rank")
    layers: list[str] | Literal["all-linear"] = Field(
        default_factory=lambda: ["q_proj", "v_proj"],
        description="last parts of the names of the layers with an adapter; or all-linear",
    )


class Lora(Trained):
    """Low-rank adapters by PEFT, in float32 beside frozen weights, without dropout."""

    name, title = "lora", "LoRA"
    settings = LoraSettings

    def complaints(self, entry: Entry, outline: Outline) -> Iterator[ClinpromptError]:
        """PEFT missing; layer names that match nothing."""
        settings = entry.settings
        assert isinstance(settings, LoraSettings)
        try:
            import peft  # noqa: F401
        except ImportError:
            yield ClinpromptError(
                "CP-EXP-121",
                f"method '{entry.id}' needs the library peft",
                hint="pip install 'clinprompt[lora]'",
            )
        if settings.layers == "all-linear":
            return
        for name in settings.layers:
            if not any(layer == name or layer.endswith(f".{name}") for layer in outline.layers):
                known = sorted({layer.split(".")[-1] for layer in outline.layers})
                yield ClinpromptError(
                    "CP-EXP-122",
                    f"method '{entry.id}': no layer of the backbone is named '{name}'",
                    hint=f"its layers: {', '.join(known)}",
                )

    @contextmanager
    def at_work(self, backbone: Backbone, settings: LoraSettings, seed: int) -> Iterator[Weights]:
        """Adapters with random A and B = 0, drawn from the seed."""
        from peft import LoraConfig, get_peft_model

        config = LoraConfig(
            r=settings.rank,
            lora_alpha=settings.alpha,  # type: ignore[arg-type]  # a float does as well
            lora_dropout=0.0,
            target_modules=settings.layers,
            task_type="CAUSAL_LM",
        )
        model = backbone.model
        with torch.random.fork_rng(), _quiet():
            torch.manual_seed(seed)
            adapted = get_peft_model(model, config)  # type: ignore[arg-type]
        try:
            for parameter in adapted.parameters():
                if parameter.requires_grad:
                    parameter.data = parameter.data.float()
            yield Adapters(adapted)
        finally:
            _unload(adapted, model)

    def _save(self, job: Job, module: Weights, folder: Path) -> int:
        """As PEFT saves it; the tables of embeddings are not asked about, so nothing is fetched."""
        assert isinstance(module, Adapters)
        with _quiet():
            module.peft[0].save_pretrained(str(folder), save_embedding_layers=False)
        return (folder / "adapter_model.safetensors").stat().st_size

    @contextmanager
    def answering(self, job: Job, out: Path) -> Iterator[dict[str, Given]]:
        """The saved adapter at work."""
        from peft import PeftModel

        model = job.prepared.backbone.model
        with _quiet():
            adapted = PeftModel.from_pretrained(model, str(out / WEIGHTS))
        try:
            adapted.requires_grad_(False)
            adapted.eval()
            yield {card.name: Given(placement=job.settings.place) for card in job.cards}
        finally:
            _unload(adapted, model)

    def _details(self, settings: LoraSettings) -> dict[str, Any]:
        return settings.model_dump(mode="json", include={"rank", "alpha", "layers"})


def _unload(adapted: Any, model: Any) -> None:
    """Take adapters out of the model again."""
    adapted.unload()
    if hasattr(model, "peft_config"):
        del model.peft_config
    model.requires_grad_(False)


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class FineTuningSettings(WeightsSettings):
    """Full fine-tuning."""

    keep: bool = Field(False, description="keep each cell's weights (as large as the backbone)")


class FineTuning(Trained):
    """All weights of the backbone, with float32 copies for the optimizer (see `Masters`)."""

    name, title = "fine-tuning", "full fine-tuning"
    settings = FineTuningSettings
    small = False

    @contextmanager
    def at_work(
        self, backbone: Backbone, settings: FineTuningSettings, seed: int
    ) -> Iterator[Weights]:
        """The backbone's own weights, as they are."""
        with _restored(backbone) as used:
            module = Masters(used)
            try:
                yield module
            finally:
                module.remove()

    def _save(self, job: Job, module: Weights, folder: Path) -> int:
        """The weights in the backbone's float type; tied ones once."""
        assert isinstance(module, Masters)
        module.write()  # the best state
        folder.mkdir(parents=True, exist_ok=True)
        used = dict(job.prepared.backbone.model.named_parameters())
        tensors = {name: p.detach().contiguous() for name, p in used.items()}
        safetensors.torch.save_file(tensors, folder / "model.safetensors")
        return sum(t.numel() * t.element_size() for t in tensors.values())

    @contextmanager
    def answering(self, job: Job, out: Path) -> Iterator[dict[str, Given]]:
        """The trained weights in the backbone's place."""
        with _restored(job.prepared.backbone) as used:
            tensors = safetensors.torch.load_file(out / WEIGHTS / "model.safetensors")
            with torch.no_grad():
                for name, weight in used.items():
                    weight.copy_(tensors[name])
            yield {card.name: Given(placement=job.settings.place) for card in job.cards}


@contextmanager
def _restored(backbone: Backbone) -> Iterator[dict[str, nn.Parameter]]:
    """The backbone's parameters by name; afterwards they have their values back, bit by bit."""
    used = dict(backbone.model.named_parameters())
    before = {name: p.detach().clone() for name, p in used.items()}
    try:
        yield used
    finally:
        with torch.no_grad():
            for name, weight in used.items():
                weight.copy_(before[name])
                weight.requires_grad_(False)
