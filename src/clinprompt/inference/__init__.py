"""Documents to typed answers."""
