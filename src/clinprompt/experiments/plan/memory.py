"""How much memory a step takes at its worst moment, part by part.

What the backward pass needs is kept for every token of the prefixes and of one micro-batch at a
time. How much that is depends on the code that runs a layer, so the constants stand here, in one
place (`KEPT`), in numbers per token and layer; a test compares them with what a step really
allocates. On the machine at hand a plan measures instead, and these formulas only divide up the
measured sum.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from clinprompt.experiments.plan.shapes import Shape
from clinprompt.experiments.plan.work import Method, Pass, Step
from clinprompt.training.microbatch import FEWEST, MOST

FLOAT32 = 4
SIZES = {"float32": 4, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True)
class Kept:
    """Numbers that one token keeps in one layer until its backward pass.

    Attributes:
        hidden: times H, in the backbone's float type.
        accurate: times H, in float32 (norms).
        inner: times the feed-forward's width.
        query: times heads * head_dim.
        keys: times 2 * key heads * head_dim, for every key that the token's row sees, divided
            among the row's tokens.
        scores: times heads, for every key that the token may see.
        linear_inputs: whether inputs of the linear maps come on top, where weights are trained.
        padding: whether padding is kept as well.
    """

    hidden: float
    accurate: float
    inner: float
    query: float
    keys: float
    scores: float
    linear_inputs: bool = True
    padding: bool = True


# On a CPU: the library's own layers, eager attention where a model has no other, and the layers
# written out for it (`backbone.lean`). On CUDA, as `training.microbatch.bytes_per_token` counts:
# the compiled decoder, and the library's layers, of which every operation keeps its own.
KEPT = {
    "library": Kept(hidden=0, accurate=2, inner=3, query=1, keys=1, scores=1),
    "eager": Kept(hidden=0, accurate=2, inner=4, query=1, keys=1, scores=1.5),
    "lean": Kept(
        hidden=2,
        accurate=0,
        inner=2,
        query=1,
        keys=1,
        scores=1,
        linear_inputs=False,
        padding=False,
    ),
    "compiled": Kept(hidden=2, accurate=0, inner=2, query=2, keys=1, scores=0, padding=False),
    "library-cuda": Kept(hidden=6, accurate=0, inner=4, query=4, keys=2, scores=0, padding=False),
}
LEAN_TYPES = ("llama", "mistral", "qwen2", "qwen3")

# What one layer's backward pass makes for itself, as a share of what it keeps.
PASSING = 1.0

# The output head at one answer position: V logits and what the loss makes of them, in bytes.
HEAD_BYTES = 16
HEAD_BYTES_TEACHER = 12  # the teacher's logits and the KL term's, on top
# A process that has torch and transformers loaded; not counted on GPUs.
RUNTIME = 550e6
# Blocks that the allocator holds and nobody uses, as a share of what comes and goes.
SLACK = 0.10


@dataclass(frozen=True)
class Memory:
    """Bytes at the worst moment of a stage, by what they are for.

    Attributes:
        weights: the backbone's.
        trained: what is trained: values, gradients, two moments, the best state so far.
        prefix: prefixes' keys and values with what their backward pass needs; the teachers' too.
        rows: the largest micro-batch, output head included.
        teachers: the teachers' cached answers.
        runtime: the process itself, and what the allocator holds unused.
    """

    weights: float = 0
    trained: float = 0
    prefix: float = 0
    rows: float = 0
    teachers: float = 0
    runtime: float = 0

    @property
    def total(self) -> float:
        """All of it."""
        return sum(vars(self).values())

    def scaled(self, total: float) -> Memory:
        """The same division of a sum that was measured: steps' parts take up the difference."""
        moving = self.prefix + self.rows
        rest = self.total - moving
        factor = max(0.0, total - rest) / moving if moving else 0.0
        parts = {**vars(self), "prefix": self.prefix * factor, "rows": self.rows * factor}
        return Memory(**(parts | {"runtime": self.runtime + min(0.0, total - rest)}))


def path_of(shape: Shape, device: str, method: Method = "prompt") -> str:
    """Which code runs the layers, a key of `KEPT`.

    Trained weights stand in the library's; low-rank adapters also in those written out for a CPU.
    """
    written = shape.model_type in LEAN_TYPES
    written = written and (method == "prompt" or (method == "lora" and device == "cpu"))
    if device != "cpu":
        return "compiled" if written else "library-cuda"
    if shape.keeps_scores:
        return "eager"
    return "lean" if written else "library"


def layers_bytes(
    shape: Shape, kept: Kept, one: Pass, keys: int, size: int, method: Method = "prompt"
) -> float:
    """What all layers keep of one micro-batch, and one makes in passing.

    Args:
        keys: columns that a row sees.
        size: bytes of a number of the backbone's float type.
    """
    tokens = one.tokens if kept.padding else one.text
    width = shape.heads * shape.head_dim
    each = kept.hidden * shape.hidden + kept.inner * shape.inner + kept.query * width
    if method in ("lora", "full") and kept.linear_inputs:
        each += 2 * shape.hidden + width + shape.inner
    whole = size * tokens * each + FLOAT32 * tokens * kept.accurate * shape.hidden
    whole += size * kept.keys * 2 * shape.kv_heads * shape.head_dim * one.rows * keys
    whole += size * kept.scores * shape.heads * one.tokens * keys
    return (shape.layers + PASSING) * whole


def keyvalue_bytes(shape: Shape, tokens: float, size: int) -> float:
    """Keys and values of so many tokens in all layers."""
    return 2.0 * shape.layers * shape.kv_heads * shape.head_dim * size * tokens


def trained_bytes(trainable: int, method: Method, size: int) -> float:
    """Values, gradients, AdamW's two moments and the best state so far, all in float32.

    Full fine-tuning also keeps the weights as they were, to put them back.
    """
    return trainable * (FLOAT32 * 5.0 + (size if method == "full" else 0))


def step_memory(
    shape: Shape,
    steps: Iterable[Step],
    *,
    trainable: int,
    dtype: str,
    device: str,
    method: Method = "prompt",
    teachers: int = 0,
    teacher_prefix: int = 0,
    cached_tokens: int = 0,
) -> Memory:
    """The worst of some steps.

    Args:
        trainable: trained parameters.
        dtype: the backbone's float type.
        device: "cpu" or "cuda".
        teachers: tasks whose teachers' keys and values are held, 0 without distillation.
        teacher_prefix: S of them.
        cached_tokens: answer tokens whose teacher states are cached instead.
    """
    size = SIZES[dtype]
    kept = KEPT[path_of(shape, device, method)]
    prefix = rows = 0.0
    for step in steps:
        before = Pass(step.tasks, step.prefix, 0, step.prompt)
        own = layers_bytes(shape, kept, before, step.prefix, size, method) if step.prefix else 0.0
        # Gradients are collected at the keys and values.
        own += keyvalue_bytes(shape, step.tasks * step.prefix, size)
        head = HEAD_BYTES + (HEAD_BYTES_TEACHER if teachers or cached_tokens else 0)
        worst = max(
            (
                layers_bytes(shape, kept, one, step.prefix + one.columns, size, method)
                + head * shape.vocabulary * one.answers
                for one in step.passes
            ),
            default=0.0,
        )
        if own + worst > prefix + rows:
            prefix, rows = own, worst
    held = keyvalue_bytes(shape, teachers * teacher_prefix, size)
    moving = prefix + rows
    return Memory(
        weights=float(shape.parameters * size),
        trained=trained_bytes(trainable, method, size),
        prefix=prefix + held,
        rows=rows,
        teachers=float(cached_tokens * shape.hidden * size),
        runtime=(RUNTIME if device == "cpu" else 0.0) + SLACK * moving,
    )


def microbatch_tokens(shape: Shape, memory: float, dtype: str) -> int:
    """What `engine.microbatch_tokens: auto` will be on a GPU of so many bytes.

    The rule of `training.microbatch`: 0.6 of what weights leave, by what layers keep of a token.
    """
    size, kept = SIZES[dtype], KEPT[path_of(shape, "cuda")]
    free = 0.97 * memory - shape.parameters * size
    each = layers_bytes(shape, kept, Pass(1, 1, 0, 1), 1, size)
    tokens = int(0.6 * free / each) // FEWEST * FEWEST
    return min(MOST, max(FEWEST, tokens))
