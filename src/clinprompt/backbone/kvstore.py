"""Keys and values of tasks' prefixes on disk, so that a new process need not compute them.

A file belongs to one backbone, soft prompt, list of token ids, float type and version of the
program. All of that stands in it, the first three as digests, and its name is a digest of it. It
holds what the backbone makes of a prompt and an instruction and no text of any input. A prompt that
was trained on patients' notes is derived from them, and so is this: files can be read by their
owner alone.

Size: 2 x layers x key heads x D numbers a token. Nothing is ever deleted here.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import secrets
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from clinprompt import __version__
from clinprompt.backbone import engine
from clinprompt.backbone.engine import Prefix
from clinprompt.backbone.keyvalues import LayerKV
from clinprompt.backbone.model import Backbone
from clinprompt.errors import ClinpromptError

FORMAT = "clinprompt-kv-1"
SUFFIX = ".kv.safetensors"
_LOG = logging.getLogger(__name__)


class KVStore:
    """A folder of prefixes' keys and values for one backbone.

    A file that is broken, or not what its name says, is never used: the prefix is computed again,
    the file replaced and a line logged. So is a file that can't be written, and the run goes on.

    Args:
        folder: is made if it is missing, readable by its owner alone.
        backbone: computes what is missing.
        fingerprint: identity of the backbone's weights, configuration and tokenizer.

    Attributes:
        read: how many prefixes came from files.
        computed: how many were computed.

    Raises:
        ClinpromptError: CP-BACK-110 the folder can't be made or written to.
    """

    def __init__(self, folder: Path, backbone: Backbone, fingerprint: str) -> None:
        self.folder, self.backbone, self.fingerprint = folder, backbone, fingerprint
        self.read = self.computed = 0
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise _no_folder(folder, error.strerror) from error
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            raise _no_folder(folder, "it can't be read and written")

    @torch.no_grad()
    def prefix(
        self,
        prompt: Tensor | None,
        fixed: Sequence[int],
        update: str | None = None,
        change: int | None = None,
    ) -> Prefix:
        """Keys and values of one prefix, as `engine.prefix` gives them.

        Args:
            prompt: the soft prompt [P, H], or None.
            fixed: token ids that follow it.
            update: `Update.digest` of the update that it is computed with, if any.
            change: number of that update where it stands beside the weights (`Prefix.changes`).
        """
        changes = None if change is None else (change,)
        identity = self._identity(prompt, fixed, update)
        path = self.folder / _name(identity)
        length = len(fixed) + (0 if prompt is None else len(prompt))
        if path.exists():
            found = self._load(path, identity, length)
            if found is not None:
                self.read += 1
                found.changes = changes
                return found
        computed = engine.prefix(self.backbone, [prompt], [fixed], changes)
        self.computed += 1
        self._save(path, identity, computed)
        return computed

    def _identity(
        self, prompt: Tensor | None, fixed: Sequence[int], update: str | None
    ) -> dict[str, str]:
        """All that keys and values depend on."""
        return {
            "format": FORMAT,
            "versions": _versions(),
            "backbone": self.fingerprint,
            "prompt": "none" if prompt is None else _digest([prompt.float()]),
            "text": hashlib.sha256(json.dumps(list(fixed)).encode()).hexdigest(),
            "dtype": str(self.backbone.dtype).removeprefix("torch."),
            **({} if update is None else {"update": update}),
        }

    def _load(self, path: Path, identity: dict[str, str], length: int) -> Prefix | None:
        """A file's prefix; None, and a line, if it can't be used."""
        try:
            with safetensors.safe_open(path, framework="pt") as file:
                told = dict(file.metadata() or {})
                tensors = {name: file.get_tensor(name) for name in sorted(file.keys())}
        except (SafetensorError, OSError, ValueError, KeyError) as error:
            _useless(path, f"can't be read ({type(error).__name__})")
            return None
        content = told.pop("content", None)
        if told != identity:
            _useless(path, "was made by another version or for another prompt")
            return None
        layers: list[LayerKV] = []
        while f"{len(layers):04d}.k" in tensors and f"{len(layers):04d}.v" in tensors:
            number = len(layers)
            layers.append((tensors[f"{number:04d}.k"], tensors[f"{number:04d}.v"]))
        count = int(self.backbone.config.num_hidden_layers)
        every = [tensor for pair in layers for tensor in pair]
        fits = len(layers) == count and len(tensors) == 2 * count
        fits = fits and all(
            tensor.ndim == 4
            and (tensor.shape[0], tensor.shape[2]) == (1, length)
            and tensor.dtype == self.backbone.dtype
            for tensor in every
        )
        if not fits or content != _digest(every):
            _useless(path, "holds other numbers than were written")
            return None
        device = self.backbone.device
        return Prefix(
            [(k.to(device), v.to(device)) for k, v in layers],
            torch.tensor([length], device=device),
        )

    def _save(self, path: Path, identity: dict[str, str], prefix: Prefix) -> None:
        """Write a file beside its place and move it there; two writers write the same."""
        tensors = {}
        for number, (k, v) in enumerate(prefix.layers):
            tensors[f"{number:04d}.k"] = k.detach().cpu().contiguous()
            tensors[f"{number:04d}.v"] = v.detach().cpu().contiguous()
        content = _digest([tensors[name] for name in sorted(tensors)])
        raw = safetensors.torch.save(tensors, {**identity, "content": content})
        temporary = self.folder / f".{path.name}.{secrets.token_hex(4)}.tmp"
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(raw)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            _LOG.warning(
                "kv cache: %s can't be written (%s); going on without", path, error.strerror
            )


def _versions() -> str:
    """Another version may round in another way, or have mended a fault."""
    names = ("torch", "transformers")
    return " ".join([__version__, *(f"{name}={metadata.version(name)}" for name in names)])


def _name(identity: dict[str, str]) -> str:
    told = json.dumps(identity, sort_keys=True).encode()
    return hashlib.sha256(told).hexdigest()[:40] + SUFFIX


def _digest(tensors: Sequence[Tensor]) -> str:
    """SHA-256 over shapes and bytes."""
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(f"{tensor.dtype} {list(tensor.shape)}\n".encode())
        flat = tensor.detach().cpu().contiguous().flatten()
        digest.update(flat.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _useless(path: Path, reason: str) -> None:
    _LOG.warning("kv cache: %s %s; its prefix is computed again", path, reason)


def _no_folder(folder: Path, reason: str | None) -> ClinpromptError:
    return ClinpromptError(
        "CP-BACK-110", f"keys and values can't be kept there: {reason}", file=folder
    )
