"""Decoders in Amaranth behind an AXI4 memory interface."""
