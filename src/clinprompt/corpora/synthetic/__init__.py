"""The built-in synthetic clinical corpus: exact labels for all five task types, no files needed.

`draw` holds all chance and the split rules, `fragment` text that knows its labels, `grammar` the
sentence patterns, `lexicon` the vocabulary, `phrases` and `scene` what documents share,
`statements` what notes say of a thing.  Every other module makes one kind of example and says
exactly what its labels mean; `reader` puts them behind the reader ``synthetic``.
"""

from clinprompt.corpora.synthetic.reader import KINDS, SyntheticOptions, example

__all__ = ["KINDS", "SyntheticOptions", "example"]
