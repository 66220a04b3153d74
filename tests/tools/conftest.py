"""One extraction of the whole network serves all tests, whichever worker asks first."""

import pytest
from filelock import FileLock

from atalanta.tools.extract.api import extract
from atalanta.tools.extract.tensors import TensorFile


@pytest.fixture(scope="session")
def lite0(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> TensorFile:
    """EfficientNet-Lite0, 8 bits, calibrated on all sample photos; activations of one photo."""
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    path = shared / "lite0.npz"
    with FileLock(shared / "lite0.lock"):
        if not path.exists():
            extract("efficientnet_lite0", path, keep=["coffee"])
    return TensorFile.open(path)
