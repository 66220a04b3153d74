"""Quantised tensors out of networks: weights, activations and everything needed to believe them."""

import os

# torch's OpenMP threads spin at every barrier; on cores that others use too, that makes a second's work
# take minutes. OpenMP reads this once, when torch is imported, which nothing here does before this line.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
