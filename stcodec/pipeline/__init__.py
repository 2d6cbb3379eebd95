"""One video from end to end."""
