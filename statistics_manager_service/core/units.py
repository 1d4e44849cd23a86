"""The units, defined once.

Instants are integer microseconds since 1970-01-01 UTC (`_us`); quantities are integers of milli-units: milliwatt-hours,
milliwatts, millivolts, milliamperes, millidegrees Celsius (`_milli`, or `_milliwh` where only energy is meant).
"""

from __future__ import annotations

from typing import Final

US_PER_MS: Final = 1_000
US_PER_S: Final = 1_000_000
S_PER_MINUTE: Final = 60
S_PER_HOUR: Final = 3_600
S_PER_DAY: Final = 86_400
US_PER_HOUR: Final = S_PER_HOUR * US_PER_S
US_PER_DAY: Final = S_PER_DAY * US_PER_S

QUARTER_S: Final = 900
QUARTER_US: Final = QUARTER_S * US_PER_S
QUARTERS_PER_HOUR: Final = S_PER_HOUR // QUARTER_S
QUARTERS_PER_DAY: Final = S_PER_DAY // QUARTER_S

MILLI: Final = 1_000
MILLIWH_PER_KWH: Final = 1_000_000

#: Instants that a reading may have: from 2000-01-01 UTC on (the upper bound is a day ahead of now).
EARLIEST_READING_US: Final = 946_684_800 * US_PER_S
