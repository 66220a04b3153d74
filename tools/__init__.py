"""The command line, extraction of tensors from networks, and runs of the RTL."""
