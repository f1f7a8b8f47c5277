"""The one artefact type: soft prompts for K tasks on one backbone.

Shapes: K tasks, P virtual tokens, H hidden size, R rank of the task vectors. A saved set is a
folder with ``prompts.safetensors``, ``meta.json``, ``manifest.json`` and a ``README.md`` that may
be edited. Nothing is ever unpickled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from clinprompt.artifacts import card
from clinprompt.artifacts.fingerprint import BackboneFingerprint, require_same
from clinprompt.artifacts.folder import write_folder
from clinprompt.artifacts.manifest import Manifest, read_verified, record, verify_folder
from clinprompt.artifacts.meta import PromptMeta, parse_meta
from clinprompt.artifacts.staging import located
from clinprompt.backbone.updates import Update
from clinprompt.errors import ClinpromptError, did_you_mean

KIND = "prompt-set"
META, TENSORS, README = "meta.json", "prompts.safetensors", "README.md"


@dataclass(frozen=True, eq=False)
class PromptSet:
    """Soft prompts for K tasks.

    Args:
        meta: all there is to know but the numbers; it says which tensors there are.
        tensors: float32; ``shared`` [P, H], ``u`` [K, P, R] and ``v`` [K, R, H], or ``prompts``
            [K, P, H]; and ``update`` [N] of the backbone's layers. They are copied to the CPU.
        file: the file they come from, for messages.

    Raises:
        ClinpromptError: CP-ART-033 names, shapes or float types differ from what `meta` says,
            CP-ART-034 a value is NaN or infinite.
    """

    meta: PromptMeta
    tensors: Mapping[str, Tensor] = field(repr=False)
    file: Path | None = field(default=None, repr=False)
    _digest: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        _check(self.meta, self.tensors, self.file)
        copies = {
            name: self.tensors[name].detach().to("cpu", copy=True).contiguous()
            for name in self.meta.shapes()
        }
        object.__setattr__(self, "tensors", copies)
        files = {name: record(content) for name, content in self._contents().items()}
        object.__setattr__(self, "_digest", Manifest(kind=KIND, files=files).digest)

    @property
    def digest(self) -> str:
        """Identity of the content: `Manifest.digest` of its folder, saved or not yet."""
        return self._digest

    def task_prompt(self, name: str) -> Tensor:
        """The prompt of one task, P* ∘ (u v) if decomposed: [P, H].

        Raises:
            ClinpromptError: CP-ART-035 for a task that is not in the set.
        """
        if name not in self.meta.names:
            raise ClinpromptError(
                "CP-ART-035",
                f"no prompt for task '{name}' in this set",
                file=self.file,
                hint=did_you_mean(name, self.meta.names),
            )
        k = self.meta.names.index(name)
        if "prompts" in self.tensors:
            return self.tensors["prompts"][k].clone()
        return self.tensors["shared"] * (self.tensors["u"][k] @ self.tensors["v"][k])

    @property
    def update(self) -> Update | None:
        """What is added to the backbone's weights while the set's tasks are asked."""
        if self.meta.update is None:
            return None
        return Update(self.meta.update, self.tensors["update"])

    def require_backbone(self, found: BackboneFingerprint) -> None:
        """Refuse any backbone but the one that the prompts were trained on.

        Raises:
            ClinpromptError: CP-ART-020, with both fingerprints.
        """
        require_same(self.meta.fingerprint, found)

    def save(self, path: str | Path, overwrite: bool = False) -> Manifest:
        """Write the folder, atomically; equal sets give equal bytes.

        Raises:
            ClinpromptError: those of `folder.write_folder`.
        """

        def write(folder: Path) -> None:
            for name, content in self._contents().items():
                (folder / name).write_bytes(content)
            (folder / README).write_text(
                card.readme(self.meta, self.digest), encoding="utf-8", newline="\n"
            )

        return write_folder(path, write, kind=KIND, overwrite=overwrite, free=(README,))

    @classmethod
    def load(cls, path: str | Path) -> PromptSet:
        """Read a folder back, checking all of it.

        Raises:
            ClinpromptError: those of `manifest.verify_folder`, of `meta.parse_meta` and of this
                class; CP-ART-032 if the tensors are not in safetensors format or a file is not
                in the manifest.
        """
        manifest = verify_folder(path, kind=KIND)
        folder = located(Path(path))
        file = Path(path) / TENSORS
        if set(manifest.files) != {META, TENSORS}:
            raise _unreadable(file, f"the folder must hold {META} and {TENSORS} and no more")
        meta = parse_meta(read_verified(folder, manifest, META), Path(path) / META)
        try:
            tensors = safetensors.torch.load(read_verified(folder, manifest, TENSORS))
        except (SafetensorError, ValueError, KeyError) as error:  # KeyError: an unknown float type
            raise _unreadable(file, f"not readable as safetensors: {error}") from error
        loaded = cls(meta, tensors, file)
        # Written by an older version, the same content may have had other bytes.
        object.__setattr__(loaded, "_digest", manifest.digest)
        return loaded

    def _contents(self) -> dict[str, bytes]:
        return {META: self.meta.to_bytes(), TENSORS: safetensors.torch.save(dict(self.tensors))}


def _unreadable(file: Path, message: str) -> ClinpromptError:
    return ClinpromptError("CP-ART-032", message, file=file)


def _check(meta: PromptMeta, tensors: Mapping[str, Tensor], file: Path | None) -> None:
    """Compare tensors with what `meta` says about them."""
    expected = {name: f"float32 {list(shape)}" for name, shape in meta.shapes().items()}
    found = {
        name: f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"
        for name, tensor in tensors.items()
    }
    wrong = sorted(n for n in {*found, *expected} if found.get(n) != expected.get(n))
    if wrong:
        parts = [f"{n}: {found.get(n, 'missing')}, not {expected.get(n, 'wanted')}" for n in wrong]
        raise ClinpromptError(
            "CP-ART-033", f"tensors don't fit the description: {'; '.join(parts)}", file=file
        )
    for name, tensor in tensors.items():
        bad = int((~torch.isfinite(tensor)).sum())
        if bad:
            raise ClinpromptError(
                "CP-ART-034",
                f"tensor '{name}' holds {bad} values that are NaN or infinite",
                file=file,
                hint="a prompt like this answers nothing: train it again from the last good state",
            )
