"""What is asked: cards, the catalogue, suites, splits, shots and the leakage check."""
