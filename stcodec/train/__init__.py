"""Training of the attention network."""
