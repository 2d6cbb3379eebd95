"""Control of what gives way under load, in a fixed order, and comes back in reverse. No clocks, no threads."""

from __future__ import annotations

from stcodec.stream.observe.snapshot import Pressure, PressureCounts

ENGAGE = {
    Pressure.OLDER_MAPS: 0.1,
    Pressure.FEWER_MAPS: 0.2,
    Pressure.EASIER_PRESET: 0.3,
    Pressure.DROPPED_FRAMES: 0.6,
}
"""Load at which each comes in: the age of the oldest frame that waits, as a share of the latency allowed."""
RELEASE = 0.5
"""Load below this share of what brought a level in lets it go again, after a time."""
_DWELL_SHARE = 0.1
"""Shares of the latency allowed between one step and the next."""
_HOLD_SECONDS = 1.0
"""Quiet before a level is let go."""
_PRESET_HOLD_SECONDS = 4.0
"""Quiet before a harder preset is tried again; doubled each time that was too early."""
_LONGEST_HOLD_SECONDS = 128.0


class PressureControl:
    """Takes the load frame by frame and says what gives way.

    Levels come in one at a time and only in order. The preset is eased step by step, as far as there are easier ones,
    before frames are dropped. Each level is let go after a time of quiet, the last first.
    """

    def __init__(self, max_latency_seconds: float, easier_presets: int) -> None:
        self.level = Pressure.NONE
        self.eased = 0
        """Steps by which the preset is easier than asked for."""
        self._dwell = _DWELL_SHARE * max_latency_seconds
        self._most_eased = easier_presets
        self._counts = [0] * len(Pressure)
        self._changed = -1e9
        self._quiet_since: float | None = None
        self._preset_hold = _PRESET_HOLD_SECONDS
        self._restored = -1e9

    @property
    def counts(self) -> PressureCounts:
        """Times that each level came in; for presets, steps eased."""
        return PressureCounts(*self._counts[1:])

    def step(self, load: float, now: float, maps_late: bool = False) -> Pressure:
        """The level from now on. load: see `ENGAGE`; now: seconds; maps_late: attention by itself doesn't keep up."""
        wanted = self._wanted(load, maps_late)
        if wanted:
            self._quiet_since = None
            if load >= 1 or now - self._changed >= self._dwell:
                self._engage(now)
        elif self.level and load < RELEASE * ENGAGE[self.level] and not (maps_late and self.level == Pressure.OLDER_MAPS):
            self._rest(now)
        else:
            self._quiet_since = None
        return self.level

    def _wanted(self, load: float, maps_late: bool) -> bool:
        """Whether something more must give way."""
        if self.level == Pressure.EASIER_PRESET and self.eased < self._most_eased and load >= ENGAGE[self.level]:
            return True
        if self.level == Pressure.DROPPED_FRAMES:
            return False
        return load >= ENGAGE[Pressure(self.level + 1)] or (maps_late and self.level < Pressure.OLDER_MAPS)

    def _engage(self, now: float) -> None:
        self._changed = now
        if self.level != Pressure.EASIER_PRESET or self.eased >= self._most_eased:
            self.level = Pressure(self.level + 1)
            if self.level != Pressure.EASIER_PRESET:
                self._counts[self.level] += 1
                return
        if self.eased < self._most_eased:
            self.eased += 1
            self._counts[Pressure.EASIER_PRESET] += 1
            if now - self._restored < self._preset_hold:  # it was too early
                self._preset_hold = min(2 * self._preset_hold, _LONGEST_HOLD_SECONDS)

    def _rest(self, now: float) -> None:
        if self._quiet_since is None:
            self._quiet_since = now
        easing = self.level == Pressure.EASIER_PRESET and self.eased > 0
        if now - self._quiet_since < (self._preset_hold if easing else _HOLD_SECONDS):
            return
        self._quiet_since, self._changed = now, now
        if easing:
            self.eased -= 1
            self._restored = now
        if not easing or self.eased == 0:
            self.level = Pressure(self.level - 1)
