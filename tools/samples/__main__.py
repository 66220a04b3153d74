"""Make the sample tensors and their manifest again."""

import json
from dataclasses import asdict

from atalanta.tools.extract.api import extract
from atalanta.tools.extract.tensors import TensorFile
from atalanta.tools.samples import manifest_path, sample_path

IMAGES = ("chelsea", "coffee")
"""Photos whose authors gave up all rights (CC0), so that what derives from them may be passed on."""

KEYS = (
    # the first convolution: few weights, a large activation
    "activations.000", "weights.000", "activations.001",
    # a block from the middle: pointwise, depthwise 3x3, pointwise without a clamp, sum with the input
    "activations.020", "weights.018", "activations.021", "weights.019", "activations.022",
    "weights.020", "activations.023", "activations.024",
    # depthwise 5x5
    "weights.028",
    # pointwise near the end, 221,184 weights
    "activations.054", "weights.045", "activations.055",
    # the last convolution: 409,600 weights
    "activations.057", "weights.048", "activations.058",
    # the mean of every channel, and the classifier: 1,280,000 weights
    "activations.059", "weights.049", "activations.060",
)  # fmt: skip


def manifest(sample: TensorFile) -> dict[str, object]:
    """What `manifest.json` holds: the provenance, and shape and hash of every tensor."""
    provenance = asdict(sample.provenance)
    fields = ("kind", "layer", "dtype", "shape", "layout", "bits", "images", "sha256")
    tensors = {key: {f: asdict(info)[f] for f in fields} for key, info in sample.tensors.items()}
    return {"file": sample.path.name, **provenance, "tensors": tensors}


def main() -> None:
    """Extract the sample tensors and write both files."""
    sample = extract("efficientnet_lite0", sample_path(), keep=IMAGES, only=KEYS)
    manifest_path().write_text(json.dumps(manifest(sample), indent=1) + "\n")


if __name__ == "__main__":
    main()
