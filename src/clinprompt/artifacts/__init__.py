"""What is saved: folders with a manifest, verified at load."""
