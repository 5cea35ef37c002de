"""How long to wait before the next attempt. Pure: the jitter comes in."""

FIRST_DELAY_SECONDS = 0.25
FIRST_MINUTE_CAP_SECONDS = 4.0
CAP_SECONDS = 60.0
# The cap rises with age from 4 s after the first minute to 60 s after a quarter of an hour.
CAP_SHARE_OF_AGE = 1 / 15


def delay_seconds(*, attempts: int, age_seconds: float, jitter: float) -> float:
    """Give the wait after attempt number ``attempts`` (from 1) of something ``age_seconds`` old.

    ``jitter`` is from 0 to 1; the wait is spread over the upper half of what it may be.
    """
    cap = min(CAP_SECONDS, max(FIRST_MINUTE_CAP_SECONDS, age_seconds * CAP_SHARE_OF_AGE))
    longest = min(cap, FIRST_DELAY_SECONDS * 2.0 ** min(attempts - 1, 16))
    return longest * (1 + jitter) / 2
