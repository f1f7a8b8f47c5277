"""clinprompt: one frozen language model, one metaprompt, any number of clinical NLP tasks."""

__version__ = "0.1.0"
