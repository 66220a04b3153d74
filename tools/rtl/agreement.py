"""Whether the RTL and its models say the same."""

from atalanta.golden.errors import AtalantaError
from atalanta.sim.decoder import DecoderRun
from atalanta.tools.rtl.core import CoreRun


class MismatchError(AtalantaError):
    """The RTL and its models disagree."""


def difference(rtl: CoreRun, model: DecoderRun) -> str:
    """What the RTL and the simulator count, if it is not the same; empty if it is."""
    if rtl.counters == model.counters and rtl.cycles == model.cycles:
        return ""
    return f"the RTL counts {rtl.counters}, the simulator {model.counters}"
