"""How alike the source tasks are: heat maps of their task vectors, from the metaprompt itself."""

from __future__ import annotations

from pathlib import Path

from clinprompt import metaprompts
from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.errors import ClinpromptError
from clinprompt.experiments.compare.cell import Source
from clinprompt.experiments.report.heatmap import heat_map
from clinprompt.experiments.report.reading import Results
from clinprompt.experiments.report.similarity import centred, cosines, gram
from clinprompt.experiments.report.tables import AnyBlock, Section, Text


def metaprompt(results: Results, backbone: str) -> PromptSet | str | None:
    """The backbone's metaprompt; why it can't be read; or None if the comparison has none."""
    source = results.sources.get(backbone)
    if source is None:
        return None
    try:
        found = PromptSet.load(_place(results.folder, source))
    except (ClinpromptError, OSError) as error:
        return error.message if isinstance(error, ClinpromptError) else str(error.strerror)
    if found.meta.form != "decomposed":
        return f"a '{found.meta.kind}' has no task vectors"
    return found if found.digest == source.digest else "it is another one than the cells used"


def _place(folder: Path, source: Source) -> Path:
    """Where it lies: in the comparison's folder, or where the recipe's path leads from here (the
    digest tells whether that is the same one)."""
    inside = folder / source.metaprompt
    return inside if inside.is_dir() else metaprompts.find(source.metaprompt)


def source_types(found: PromptSet | str | None) -> dict[str, str]:
    """Type of each source task; empty without a metaprompt."""
    return (
        {card.name: card.type for card in found.meta.tasks} if isinstance(found, PromptSet) else {}
    )


def similarity_section(results: Results) -> Section | None:
    """Two heat maps a backbone: of the updates, and of what sets them apart. None without any."""
    blocks: list[AnyBlock] = []
    for number, backbone in enumerate(results.backbones):
        found = metaprompt(results, backbone)
        if isinstance(found, str):
            blocks.append(Text(f"The metaprompt of {backbone} can't be shown: {found}.", "warning"))
        if not isinstance(found, PromptSet):
            continue
        tasks = [(card.name, card.type) for card in found.meta.tasks]
        products = gram(found.tensors["u"].numpy(), found.tensors["v"].numpy())
        blocks += [
            heat_map(
                f"similarity-{number + 1}",
                f"Task vectors, {backbone}",
                "Cosines of the source tasks' updates u v, ordered by average linkage; the tree is "
                "that of the distances 1 − cosine. All updates start at the same point (1), so all "
                "are alike; the colours span what is there.",
                tasks,
                cosines(products),
            ),
            heat_map(
                f"similarity-centred-{number + 1}",
                f"What sets the tasks apart, {backbone}",
                "The same after the mean update is taken off: 1 if two tasks differ from the mean "
                "in the same direction, −1 if in opposite ones.",
                tasks,
                cosines(centred(products)),
            ),
        ]
    return Section("similarity", "Similarity of source tasks", tuple(blocks)) if blocks else None
