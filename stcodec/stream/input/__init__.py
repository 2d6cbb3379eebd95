"""Where a live stream comes from: sources, their frames and audio, and their time."""
