"""Models of a known shape with random weights, made on the device, and what they may cost."""

from __future__ import annotations

import json
import time
from pathlib import Path
from statistics import median
from typing import Any

import harness
import torch

SHAPES = Path(__file__).parent / "shapes"
# Dense bfloat16 by the vendors' datasheets, FLOP/s; a name is looked for in the device's own.
DATASHEET = {"H200": 989e12, "H100": 989e12, "A100": 312e12, "L40S": 362e12, "L4": 121e12}


def names() -> list[str]:
    """Shapes that are shipped."""
    return sorted(path.stem for path in SHAPES.glob("*.json"))


def built(name: str, device: str) -> Any:
    """A causal LM of that shape in bfloat16, frozen."""
    from transformers import AutoConfig, AutoModelForCausalLM

    shape = json.loads((SHAPES / f"{name}.json").read_text(encoding="utf-8"))
    config = AutoConfig.for_model(shape.pop("model_type"), **shape)
    torch.manual_seed(0)
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    return model.requires_grad_(False).eval()


def bytes_as_tokens() -> Any:
    """A tokenizer, which a backbone needs, of 256 bytes and three special tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    inner.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token="<bos>", eos_token="<eos>", pad_token="<pad>"
    )


def working(model: Any) -> dict[str, int]:
    """Weights that work for one token: N of all, and those of the layers alone.

    Of experts, those that a token is sent to. `layers` leaves out embeddings and head: a look-up
    costs nothing, and the `head` works for answer tokens alone.
    """
    config = model.config
    share = 1.0
    if getattr(config, "num_local_experts", None):
        share = config.num_experts_per_tok / config.num_local_experts
    total = layers = 0.0
    for name, parameter in model.named_parameters():
        works = parameter.numel() * (share if ".experts." in name else 1.0)
        total += works
        layers += works if ".layers." in name else 0.0
    head = model.get_output_embeddings().weight.numel()
    return {"all": int(total), "layers": int(layers), "head": head}


def sync(device: str) -> None:
    """Wait until the device has done what it was given."""
    if device == "cuda":
        torch.cuda.synchronize()


def matmul_peak(device: str) -> float:
    """What a bare bf16 matrix product reaches on random numbers, FLOP/s."""
    if device != "cuda":
        return harness.matmul_peak(0.2)
    size = 8192
    left, right = (torch.randn(size, size, device=device).bfloat16() for _ in range(2))
    rates = []
    for turn in range(13):
        sync(device)
        start = time.perf_counter()
        for _ in range(4):
            left @ right
        sync(device)
        if turn > 2:
            rates.append(4 * 2 * size**3 / (time.perf_counter() - start))
    return median(rates)


class Memory:
    """Peak memory since this was made, in MB; on CUDA of tensors, on a CPU of the process."""

    def __init__(self, device: str) -> None:
        self.device = device
        if device == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
            self.before = torch.cuda.memory_allocated() / 1e6
        else:
            harness.reset_peak()
            self.before = harness.resident()

    def peak(self) -> float:
        """Above what there was at the start."""
        if self.device == "cuda":
            return float(torch.cuda.max_memory_allocated() / 1e6 - self.before)
        return harness.peak() - self.before


def described(device: str) -> dict[str, Any]:
    """The device and what it promises."""
    if device != "cuda":
        return {"device": device}
    properties = torch.cuda.get_device_properties(0)
    promised = [rate for name, rate in DATASHEET.items() if name in properties.name]
    return {
        "device": properties.name,
        "device_memory_gib": round(properties.total_memory / 2**30, 1),
        "multiprocessors": properties.multi_processor_count,
        "datasheet_tflops": promised[0] / 1e12 if promised else None,
        "cuda": torch.version.cuda,
    }
