"""Cycles, bytes and energy of decoders and memories, without simulating a netlist."""
