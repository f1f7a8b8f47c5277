"""How files are read: one module a format, registered by name (see `registry`).

Importing this package registers every reader; `names` lists them and `read` calls one.
"""

from clinprompt.corpora import (  # noqa: F401  (importing a reader registers it)
    annotated,
    concept_relations,
    conll,
    emrqa,
    evidence_inference,
    headqa,
    json_spans,
    marked,
    mediqa2019,
    mediqa_mas,
    medquad,
    mimic_cxr,
    pair_table,
    phee,
    primock57,
    pubmedqa,
    rqe,
    squad,
    synthetic,
    table,
)
from clinprompt.corpora.registry import Options, Problem, Report, Source, names, read, reader

__all__ = ["Options", "Problem", "Report", "Source", "names", "read", "reader"]
