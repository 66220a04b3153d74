"""From lanes to one sequential stream of beats, and back.

Every lane has its own string of bits. The decoder takes all lanes forward in lockstep, slot by slot,
and the stream holds the lanes' beats in the order in which that decoder asks for them. The order
depends on the data alone:

- Words. A lane's bits are cut into 32-bit words and beats. Before slot t, with `used` bits behind
  it, a lane holds its words up to `held_word(used)`: the one its next bit lies in and one more.
- Asking. A lane has places for `lane_depth` beats, all asked for at the start. When the last word
  of a beat is held, the beat's place is free, and in that slot the lane asks for its next beat.
- Order. First the beats asked for at the start: every lane's first, every lane's second, and so on.
  Then by slot, and within a slot by lane. A lane never asks for beats it does not have.

A lane's last beat ends with the lane's last byte; all others are whole.
"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from atalanta.golden.format import LOOKAHEAD_WORDS, WORD_BITS

WORD_BYTES = WORD_BITS // 8
AT_START = -1
"""`Schedule.ask` of the beats that are asked for before the first slot."""

Int = NDArray[np.int64]
IntOrArray = TypeVar("IntOrArray", int, Int)


def held_word(used: IntOrArray) -> IntOrArray:
    """Index of the last word held by a lane that has used `used` bits."""
    return used // WORD_BITS + LOOKAHEAD_WORDS


@dataclass(frozen=True)
class Schedule:
    """The beats of a payload in stream order, and when a decoder asks for and needs each.

    This is the per-step record that hardware tests and the simulator share: the cycle in which a
    slot runs depends on the memory, the slots themselves do not.

    slots: steps of the decoder, from the first initial code to the last value.
    lane: the lane of each beat.
    nbytes: bytes of each beat.
    ask: the slot in which the lane asks for it, or AT_START.
    need: the first slot that cannot run without it.
    free: the slot after which its place in the lane is free, or AT_START.
    """

    slots: int
    lane: Int
    nbytes: Int
    ask: Int
    need: Int
    free: Int | None = None

    @property
    def beats(self) -> int:
        """Number of beats."""
        return len(self.lane)


def lane_bytes(used: Int) -> Int:
    """Bytes of each lane. used: bits taken, shape (slots, lanes)."""
    return np.asarray(-(-used.sum(axis=0) // 8))


def schedule(used: Int, beat_bytes: int, lane_depth: int) -> Schedule:
    """The order of beats. used: bits that each lane takes in each slot, shape (slots, lanes)."""
    slots, lanes = used.shape
    words = beat_bytes // WORD_BYTES
    before = np.vstack([np.zeros((1, lanes), np.int64), np.cumsum(used, axis=0)])
    held = held_word(before)
    nbytes = lane_bytes(used)
    beats: list[tuple[int, int, int, int, int, int]] = []
    for lane in range(lanes):
        for beat in range(-(-int(nbytes[lane]) // beat_bytes)):
            need = int(np.searchsorted(held[:, lane], beat * words))
            if beat < lane_depth:
                ask, round_ = AT_START, beat
            else:
                last_word = (beat - lane_depth) * words + words - 1
                ask, round_ = int(np.searchsorted(held[:, lane], last_word)) - 1, 0
            size = min(beat_bytes, int(nbytes[lane]) - beat * beat_bytes)
            last_word = beat * words + (size - 1) // WORD_BYTES
            free = int(np.searchsorted(held[:, lane], last_word)) - 1
            beats.append((ask, round_, lane, size, need, free))
    beats.sort()
    columns = np.array(beats, np.int64).reshape(-1, 6).T
    order = dict(zip(("ask", "lane", "nbytes", "need", "free"), columns[[0, 2, 3, 4, 5]], strict=True))
    return Schedule(slots=slots, **order)


def interleave(lanes: list[bytes], order: Schedule) -> bytes:
    """The payload: every lane's beats in stream order."""
    taken = [0] * len(lanes)
    payload = bytearray()
    for lane, size in zip(order.lane.tolist(), order.nbytes.tolist(), strict=True):
        payload += lanes[lane][taken[lane] : taken[lane] + size]
        taken[lane] += size
    return bytes(payload)


class Router:
    """The decoder's side: hands a payload's beats to lanes in the order of their asking."""

    def __init__(self, payload: bytes, nbytes: list[int], beat_bytes: int, lane_depth: int) -> None:
        self._payload = payload
        self._taken = 0
        self._beat_bytes = beat_bytes
        self._words = beat_bytes // WORD_BYTES
        self._left = list(nbytes)
        self._used = [0] * len(nbytes)
        self.lanes = [bytearray() for _ in nbytes]
        """What each lane has been given so far."""
        for _ in range(lane_depth):
            for lane in range(len(nbytes)):
                self._give(lane)

    def _give(self, lane: int) -> None:
        size = min(self._beat_bytes, self._left[lane])
        self.lanes[lane] += self._payload[self._taken : self._taken + size]
        self._taken += size
        self._left[lane] -= size

    def advance(self, lane: int, used: int) -> None:
        """Note that `lane` took `used` bits in this slot; call it for the lanes in order."""
        before = held_word(self._used[lane]) + 1
        self._used[lane] += used
        after = held_word(self._used[lane]) + 1
        if after // self._words > before // self._words:
            self._give(lane)
