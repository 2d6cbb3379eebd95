"""Encoders with QP offsets: a file for each, what carries the offsets, and the proof that they arrived."""
