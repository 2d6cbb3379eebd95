"""Targets of a live stream, each at work on a thread of its own."""
