"""The algebra on soft prompts: pure functions on [P, H]; no model, no files.

Shapes: P prompt length, H hidden size, R rank of task vectors, K tasks.
"""

from clinprompt.prompts.decompose import compose, mean_update, unit_vectors
from clinprompt.prompts.initialise import from_embeddings, vocabulary_ids

__all__ = ["compose", "from_embeddings", "mean_update", "unit_vectors", "vocabulary_ids"]
