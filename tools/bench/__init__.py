"""Benchmarks that stay with the project: what is promised, measured by a command."""
