"""Whether consumers move: what has made no step for several looks in a row stands still. Knows no clock and no Kafka.

Looks count, not seconds, so that a process that was paused is not blamed for the time in which it could do nothing.
"""

from collections.abc import Iterable

# Longer than the client rests after an error of Kafka, and than any batch takes whose statements are bounded.
LOOKS_BETWEEN_POLLS = 15
LOOKS_IN_A_BATCH = 180
LOOKS_UNTIL_NOT_READY = 3


class Progress:
    """Steps of several consumers by topic; ``look`` is called at even intervals."""

    def __init__(self, topics: Iterable[str]) -> None:
        self._quiet_looks = dict.fromkeys(topics, 0)
        self._in_batch: set[str] = set()

    def step(self, topic: str) -> None:
        """Take note that the consumer of ``topic`` moved."""
        self._quiet_looks[topic] = 0

    def begin_batch(self, topic: str) -> None:
        """Take note that a batch is being handled, in which nothing is polled."""
        self._in_batch.add(topic)
        self.step(topic)

    def end_batch(self, topic: str) -> None:
        """Take note that the batch was handled, or failed and comes again."""
        self._in_batch.discard(topic)
        self.step(topic)

    def look(self) -> list[str]:
        """Count a look; name the topics whose consumers stand still."""
        for topic in self._quiet_looks:
            self._quiet_looks[topic] += 1
        return [topic for topic in self._quiet_looks if self._quiet_looks[topic] >= self._patience(topic)]

    def quiet(self) -> list[str]:
        """Name the topics that are not polled now."""
        return [
            topic
            for topic, looks in self._quiet_looks.items()
            if topic not in self._in_batch and looks > LOOKS_UNTIL_NOT_READY
        ]

    def _patience(self, topic: str) -> int:
        return LOOKS_IN_A_BATCH if topic in self._in_batch else LOOKS_BETWEEN_POLLS
