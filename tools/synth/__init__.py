"""Synthesis of the decoder and its parts: area, clock and critical path."""
