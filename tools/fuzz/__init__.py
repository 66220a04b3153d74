"""Malformed streams: made, decoded, and held against what the package promises about them."""
