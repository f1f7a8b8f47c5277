"""The frozen language model: load, embed, prefix, hidden states, answer logits, decode."""
