"""Long notes: cut into windows by section and sentence, read, and the answers merged."""
