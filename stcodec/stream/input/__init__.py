"""Sources of a live stream: opening, decoding, and their time."""
