"""Runs the real RTL: Verilog compiled by Verilator into a library, with a memory model behind AXI."""
