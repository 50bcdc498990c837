"""Measure: how many connections a pool uses at the same time, which depends on the daemon and on what it is asked."""

from __future__ import annotations

__all__ = ["FEW", "MOST", "Measure"]

MOST = 32
"""Most calls of one proxy that are on their way at the same time, to a daemon that needs a connection for each."""
_MOMENT = 0.005
"""Seconds between two looks at whether more of them would help."""
_WINDOW = 0.02
"""Seconds over which is counted how many calls are begun: others may have the processor for a part of that."""
_QUICK = 0.001
"""Seconds that a call takes where calls are quick: then no more connections are needed."""
_PAYS = 1.5
"""How many times as much must be begun with twice as many, for that to pay."""
_FADES = 0.9
"""What is left of the best that was seen, with which that is compared, after each time."""
_TOO_LONG = 0.01
"""Seconds that a look may be late; else it tells nothing."""
_REST = 0.1
"""Seconds without a further try, after one that did not pay."""
FEW = 3
"""Connections that there may be at once, where many calls wait;"""
_SEVERAL = 6
"""and most of them where calls are quick."""
_ALL = 0.75
"""Part of the connections whose replies come at a time, on an average, where the daemon has nothing to do meanwhile;"""
_SOME = 0.25
"""and where more of them than a few are of no use."""
_TURNS = 8
"""Least turns of which there is an average."""


class Measure:
    """How many connections are used at the same time, those not counted on which a call takes long.

    There are a few at first. Where their replies come all at a time, the daemon is waited for by nobody: it has got
    its turn between ours, on the same processor, or is quicker than we are. Then there are several of them, so that
    more is done in each turn. Where the daemon is busy while we are, its threads would only be in each other's way.

    Where calls are not quick all the same, twice as many are tried, and kept if that pays: calls that wait for
    something over there come on better, those that keep a processor busy do not.
    """

    __slots__ = (
        "_best",
        "_few",
        "_first",
        "_rests",
        "_since",
        "_times",
        "_trying",
        "_turned",
        "begun",
        "look_at",
        "looked",
        "turns",
    )

    def __init__(self, begun: int, now: float) -> None:
        """Begin to count, when so many calls were begun."""
        self._few = FEW
        self._times = 1
        self.looked = False
        self._best = 0.0
        # Whether there are twice as many for a try; and until when there is none.
        self._trying = False
        self._rests = 0.0
        # In how many turns it was that calls were begun beyond so many.
        self.turns = 0
        self._turned = begun
        self.begin(begun, now)

    @property
    def connections(self) -> int:
        """How many there are to be."""
        return min(self._few * self._times, MOST)

    def begin(self, begun: int, now: float) -> None:
        """Count from here."""
        self.begun = self._first = begun
        self._since = now
        self.look_at = now + _MOMENT

    def look(self, begun: int, now: float) -> None:
        """See what has been begun, and go on."""
        late = now - self.look_at
        self.looked = True
        if self.turns >= _TURNS and not self._trying:
            self._weigh((begun - self._turned) / self.turns / self.connections)
            self.turns, self._turned = 0, begun
        self.begun, self.look_at = begun, now + _MOMENT
        if late > _TOO_LONG:
            # The whole program has stood still in between.
            self.begin(begun, now)
        elif now - self._since >= _WINDOW:
            self._judge((begun - self._first) / (now - self._since), now)
            self.begin(begun, now)

    def _weigh(self, part: float) -> None:
        """Make up its mind, when the replies of this part of the connections come at a time."""
        if part > _ALL:
            self._few = min(2 * self._few, _SEVERAL)
        elif part < _SOME:
            self._few = max(self._few // 2, FEW)

    def _judge(self, pace: float, now: float) -> None:
        """Make up its mind, when so many calls are begun in a second."""
        failed = self._trying and pace < self._best * _PAYS
        if self._trying:
            self._trying = False
            self.turns, self._turned = 0, self.begun
        if failed:
            self._times //= 2
            self._rests = now + _REST
            return
        self._best = max(pace, self._best * _FADES)
        if self.connections < MOST and now >= self._rests and pace * _QUICK < self.connections:
            self._trying = True
            self._times *= 2
