"""Search for the smallest file of a wanted quality."""
