"""Metrics of quality and of saliency maps."""
