"""Kafka's door: batches of records in, one transaction each, offsets committed only after it.

Order of one batch: decode; in one transaction park what is unreadable and apply the rest; then the offsets. A crash
in between repeats the batch, so what a subscription applies has to be guarded against repetition.
"""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn

import structlog
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, TopicPartition
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.cloudevents import Unreadable, decode
from schemas.events import Event
from schemas.topics import consumer_group
from schemas.values import dataclass
from services.platform.clock import Clock
from services.platform.database import Database, is_permanent
from services.platform.messaging.claims import claimed_organization
from services.platform.messaging.compression import refuse_unreadable_batch, tolerate_unreadable_batches
from services.platform.messaging.dead_letters import DeadLetter, Record, park
from services.platform.messaging.gathering import Gathering
from services.platform.messaging.kafka_security import faststream_security
from services.platform.messaging.outbox import Outbox, RecordTooLarge
from services.platform.messaging.progress import Progress
from services.platform.settings import Settings
from services.platform.telemetry import BATCH_SECONDS, CONSUMED, PARKED, RETRIED

if TYPE_CHECKING:
    from services.platform.messaging.gate import Gate

MAX_RECORDS = 500
# A broker that does not answer so long when its consumers stop is taken to be away.
ANSWER_SECONDS = 0.5
# How long one look for records lasts where there are none: the embedded broker answers no earlier, even if some come.
WAIT_MS = 10
PATIENT_WAIT_MS = 50
# Apache Kafka answers as soon as some come; it says so late that there are none, since each answer costs.
LONG_POLL_MS = 2000
# The client asks for no more while what it has of a partition waits to be taken, by itself for a tenth of a second at
# most. Then it asks for the other partitions alone, and what comes on this one waits until that is answered.
UNTAKEN_SECONDS = 60.0
# How long a consumer waits for what its client fetches meanwhile, before it notes that it is alive and waits on.
POLL_MS = 1000
LOOK_SECONDS = 1.0
BACKOFF_SECONDS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0)

# Applies events in the transaction of the connection; what it raises decides whether they are tried again or parked.
Apply = Callable[[AsyncConnection, Sequence[Event], datetime], Awaitable[None]]

_log = structlog.get_logger()


class Unprocessable(Exception):
    """One event is understood but cannot be accepted; park it with this ``code`` and message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class SomeUnprocessable(Exception):
    """Several events of one batch cannot be accepted; ``refused`` says why, by their place in the batch.

    The rest of the batch is applied anew without them.
    """

    def __init__(self, refused: Mapping[int, Unprocessable]) -> None:
        super().__init__(f"{len(refused)} events of the batch cannot be accepted")
        self.refused = dict(refused)


@dataclass(frozen=True, slots=True)
class Subscription:
    """One topic that a service consumes, in a group of its own, and what it does with the events.

    ``patient`` is a subscription whose events nobody waits for: it lets them gather while they come one by one, and
    asks the embedded broker for them less often.
    """

    topic: str
    apply: Apply
    patient: bool = False


@dataclass(frozen=True, slots=True)
class _Received:
    record: Record
    event: Event


class BatchProcessor:
    """Handles the batches of one subscription; knows PostgreSQL but not Kafka's client.

    ``committed`` is called after each transaction, to wake what waits for its effects.
    """

    def __init__(
        self,
        subscription: Subscription,
        *,
        service: str,
        database: Database,
        outbox: Outbox,
        clock: Clock,
        committed: Callable[[], None],
        gate: "Gate | None" = None,
    ) -> None:
        self._subscription = subscription
        self._service = service
        self._group = consumer_group(service, subscription.topic)
        self._database = database
        self._outbox = outbox
        self._clock = clock
        self._committed = committed
        self._gate = gate

    async def process(self, records: Sequence[Record]) -> None:
        """Apply or park every one of ``records``; raise what is worth another try, having done nothing halfway."""
        received: list[_Received] = []
        letters: list[DeadLetter] = []
        now = self._clock()
        await self._learn_signers(records, now)
        for record in records:
            try:
                refuse_unreadable_batch(record.headers)
                event = decode(topic=record.topic, key=record.key, headers=record.headers, value=record.value)
                if self._gate is not None:
                    event = self._gate.admit(record, event, now)
            except Unreadable as error:
                letters.append(DeadLetter(self._group, record, error.code, str(error), self._organization_of(record)))
            else:
                received.append(_Received(record, event))
        with BATCH_SECONDS.labels(self._service, self._subscription.topic).time():
            await self._apply_or_park(received, letters)
        CONSUMED.labels(self._service, self._subscription.topic).inc(len(records))
        self._committed()

    async def _learn_signers(self, records: Sequence[Record], now: datetime) -> None:
        unknown = self._gate.unknown(records, now) if self._gate is not None else []
        if self._gate is not None and unknown:
            async with self._database.begin() as connection:
                await self._gate.learn(connection, unknown, now)

    async def _apply_or_park(self, received: Sequence[_Received], letters: Sequence[DeadLetter]) -> None:
        try:
            await self._in_one_transaction(received, letters)
        except SomeUnprocessable as error:
            refused = [self._letter(received[place], reason) for place, reason in error.refused.items()]
            rest = [item for place, item in enumerate(received) if place not in error.refused]
            await self._apply_or_park(rest, [*letters, *refused])
        except Exception as error:
            if not received or not is_permanent(error):
                raise
            if len(received) == 1:
                await self._in_one_transaction([], [*letters, self._letter(received[0], error)])
                return
            middle = len(received) // 2
            await self._apply_or_park(received[:middle], letters)
            await self._apply_or_park(received[middle:], [])

    async def _in_one_transaction(self, received: Sequence[_Received], letters: Sequence[DeadLetter]) -> None:
        now = self._clock()
        organizations = {item.event.data.organization_id for item in received}
        async with self._database.begin(organizations=organizations, keeps_plans=True) as connection:
            if received:
                await self._subscription.apply(connection, [item.event for item in received], now)
            parked = await park(connection, letters, now=now)
            await self._outbox.append_records(connection, [letter.to_record() for letter in parked])
        for letter in parked:
            PARKED.labels(self._service, letter.record.topic, letter.reason).inc()
            _log.error(
                "record parked", group=letter.group, topic=letter.record.topic, offset=letter.record.offset,
                partition=letter.record.partition, reason=letter.reason,
            )  # fmt: skip

    def _organization_of(self, record: Record) -> str | None:
        # Behind the gate nobody is believed who did not prove it.
        return claimed_organization(record.value) if self._gate is None else None

    def _letter(self, received: _Received, error: Exception) -> DeadLetter:
        record, organization_id = received.record, received.event.data.organization_id
        if isinstance(error, Unprocessable):
            return DeadLetter(self._group, record, error.code, str(error), organization_id)
        if isinstance(error, RecordTooLarge):
            return DeadLetter(self._group, record, error.code, str(error), organization_id)
        _log.exception("event not processable", group=self._group, exc_info=error)
        detail = f"{type(error).__name__}: {error}"
        return DeadLetter(self._group, record, "unprocessable", detail, organization_id)


class ConsumersStalled(Exception):
    """Consumers poll no more although Kafka answers; the message names their topics. A new process is what helps."""


class Consumers:
    """All subscriptions of one service on one connection to Kafka; ``look_seconds`` is how often they are watched."""

    look_seconds = LOOK_SECONDS

    def __init__(
        self,
        subscriptions: Sequence[Subscription],
        *,
        service: str,
        settings: Settings,
        database: Database,
        outbox: Outbox,
        clock: Clock,
        committed: Callable[[], None],
        gate: "Gate | None" = None,
    ) -> None:
        self._service = service
        self._settings = settings
        self._clock = clock
        self._processors = {
            subscription.topic: BatchProcessor(
                subscription,
                service=service,
                database=database,
                outbox=outbox,
                clock=clock,
                committed=committed,
                gate=gate,
            )
            for subscription in subscriptions
        }
        self._patient = {each.topic: each.patient for each in subscriptions}
        self._failures = dict.fromkeys(self._processors, 0)
        self._progress = Progress(self._processors)
        self._broker: KafkaBroker | None = None
        self._subscribers: dict[str, Any] = {}

    async def start(self) -> None:
        """Connect and begin to consume; raises when Kafka is away or lacks a topic's partitions."""
        tolerate_unreadable_batches()
        broker = KafkaBroker(
            self._settings.bootstrap_servers().split(","),
            ack_policy=AckPolicy.NACK_ON_ERROR,
            allow_auto_create_topics=False,
            graceful_timeout=8.0,
            logger=None,
            # What a handler asks for by its annotations is looked up in a thread, for every batch.
            apply_types=False,
            client_id=f"{self._service}-{self._settings.instance}",
            security=faststream_security(self._settings),
        )
        self._broker = broker
        for topic in self._patient:
            self._subscribe(broker, topic)
        self._progress = Progress(self._processors)
        # The first of them look before the last has started.
        broker.config.broker_config.builder = functools.partial(self._build, await broker.connect())
        await broker.start()
        for subscriber in self._subscribers.values():
            subscriber.consumer._fetcher._prefetch_backoff = UNTAKEN_SECONDS

    async def stop(self) -> None:
        """Let the running batches finish and commit, then disconnect; without a broker nothing can be committed."""
        broker, self._broker = self._broker, None
        subscribers, self._subscribers = self._subscribers, {}
        if broker is None:
            return
        if not await broker.ping(timeout=ANSWER_SECONDS):
            # What runs is cut off, and delivered again.
            broker.config.broker_config.graceful_timeout = ANSWER_SECONDS
        await broker.stop()
        for subscriber in subscribers.values():
            if subscriber.consumer is not None:
                # A fetch that was under way has ended its stop early, and its client would ask for the broker for ever.
                await subscriber.consumer._client.close()

    async def lag(self) -> dict[str, int]:
        """Count the records of each topic that are known to wait and have not been fetched by this worker."""
        return {topic: await _lag(subscriber.consumer) for topic, subscriber in self._subscribers.items()}

    def failing(self) -> list[str]:
        """Name the topics whose last batch failed and is being tried again."""
        return [topic for topic, failures in self._failures.items() if failures]

    def quiet(self) -> list[str]:
        """Name the topics that are not polled now."""
        return self._progress.quiet()

    async def until_stalled(self) -> NoReturn:
        """Watch until a consumer polls no more although Kafka answers; raises ConsumersStalled then.

        The client's tasks may die, or repeat the same error for ever, without telling anybody.
        """
        while True:
            await asyncio.sleep(self.look_seconds)
            still = self._progress.look()
            if still and await self.ping():
                raise ConsumersStalled(f"{self._service} consumes no more from {', '.join(still)}")

    async def ping(self) -> bool:
        """Tell whether the broker answers within two seconds."""
        return self._broker is not None and await self._broker.ping(timeout=2.0)

    def _build(self, build: Callable[..., Any], *, group_id: str, **options: Any) -> Any:
        (topic,) = (topic for topic in self._patient if consumer_group(self._service, topic) == group_id)
        consumer = build(group_id=group_id, **options)
        gathering = Gathering(
            consumer.getmany,
            patient=self._patient[topic],
            crowds=self._settings.embedded,
            looked=functools.partial(self._progress.step, topic),
            pause=lambda: consumer.pause(*consumer.assignment()),
            resume=lambda: consumer.resume(*consumer.paused()),
        )
        consumer.getmany = gathering.getmany
        return consumer

    def _subscribe(self, broker: KafkaBroker, topic: str) -> None:
        options: dict[str, Any] = {
            "group_id": consumer_group(self._service, topic),
            "auto_offset_reset": "earliest",
            "batch": True,
            "max_records": MAX_RECORDS,
            "batch_timeout_ms": POLL_MS,
            "consumer_timeout_ms": LONG_POLL_MS,
            "no_reply": True,
            "decoder": _raw,
            "parser": _without_headers,
        }
        if self._settings.embedded:
            # No consumer group: the embedded broker cannot have two members in one.
            partitions = [TopicPartition(topic, number) for number in range(self._settings.kafka_partitions)]
            wait_ms = PATIENT_WAIT_MS if self._patient[topic] else WAIT_MS
            subscriber = broker.subscriber(partitions=partitions, fetch_max_wait_ms=wait_ms, **options)
        else:
            subscriber = broker.subscriber(
                topic,
                group_instance_id=f"{self._service}-{self._settings.instance}-{topic}",
                fetch_max_wait_ms=LONG_POLL_MS,
                session_timeout_ms=6000,
                heartbeat_interval_ms=2000,
                **options,
            )
        self._subscribers[topic] = subscriber

        async def on_batch(batch: Sequence[Any]) -> None:
            await self._on_batch(topic, batch)

        subscriber(on_batch)

    async def _on_batch(self, topic: str, batch: Sequence[Any]) -> None:
        records = [_record(item) for item in batch]
        self._progress.begin_batch(topic)
        try:
            await self._processors[topic].process(records)
        except Exception as error:
            failures = self._failures[topic] = self._failures[topic] + 1
            delay_seconds = BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS)) - 1]
            RETRIED.labels(self._service, topic).inc()
            _log.warning(
                "batch tried again", service=self._service, topic=topic, records=len(records),
                error=f"{type(error).__name__}: {error}", retry_seconds=delay_seconds,
            )  # fmt: skip
            await asyncio.sleep(delay_seconds)
            raise
        finally:
            self._progress.end_batch(topic)
        self._failures[topic] = 0


def _record(raw: Any) -> Record:
    return Record(
        topic=raw.topic,
        partition=raw.partition,
        offset=raw.offset,
        timestamp_ms=raw.timestamp,
        key=raw.key,
        headers=tuple(raw.headers),
        value=raw.value,
    )


async def _raw(message: Any) -> Sequence[Any]:
    # Decoding here would fail a whole batch for one record; the processor decodes each by itself.
    raw: Sequence[Any] = message.raw_message
    return raw


async def _without_headers(message: Any, original: Callable[[Any], Awaitable[Any]]) -> Any:
    # A header that is null or not UTF-8 breaks the built-in parser outside of every acknowledgement policy, and nobody
    # reads what it makes of a batch. So it is shown the first and the last record, without their headers.
    parsed = await original((_Headerless(message[0]), _Headerless(message[-1])))
    parsed.raw_message = message
    return parsed


class _Headerless:
    """A consumer record as the built-in parser may see it."""

    headers: tuple[()] = ()

    def __init__(self, record: Any) -> None:
        self.topic = record.topic
        self.partition = record.partition
        self.offset = record.offset
        self.timestamp = record.timestamp
        self.key = record.key
        self.value = record.value


async def _lag(consumer: Any) -> int:
    if consumer is None:
        return 0
    waiting = 0
    for partition in consumer.assignment():
        high = consumer.highwater(partition)
        if high is not None:
            waiting += max(0, high - await consumer.position(partition))
    return waiting
