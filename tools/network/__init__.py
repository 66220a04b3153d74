"""Whole networks through the simulator: configuration, workloads from files and YAML, results."""

from pathlib import Path

PRESET_FOLDER = Path(__file__).with_name("presets")


def presets() -> list[str]:
    """Names of the presets that come with the package."""
    return sorted(path.stem for path in PRESET_FOLDER.glob("*.yaml"))
