"""Annotated documents, and the formats they are kept in, both ways.

Importing this package registers every format (see `formats`).
"""

from clinprompt.documents import (
    bigbio,  # noqa: F401
    bioc_formats,  # noqa: F401
    brat,  # noqa: F401
    conll,  # noqa: F401
    csvfile,  # noqa: F401
    fhir,  # noqa: F401
    htmlview,  # noqa: F401
    i2b2_2010,  # noqa: F401
    i2b2_2012,  # noqa: F401
    jsonl,  # noqa: F401
    omop,  # noqa: F401
    pubtator,  # noqa: F401
    textfolder,  # noqa: F401
)
