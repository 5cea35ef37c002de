"""Of how many records a batch is made."""

import pytest

from services.platform.messaging.gathering import CROWD_PAUSE_MS, CROWD_RECORDS, CROWD_SECONDS, Gathering, Polled

MOST = 500
TIMEOUT_MS = 1000.0


class Broker:
    """Answers looks with as many records of one partition as it was told, one look after another; 0 takes its time."""

    def __init__(self, *counts: int | Exception, look_seconds: float = 0.001) -> None:
        self.counts = list(counts)
        self.look_seconds = look_seconds
        self.given = 0
        self.seconds = 0.0
        self.told: list[str] = []

    def now(self) -> float:
        return self.seconds

    async def poll(self, *, timeout_ms: float, max_records: int) -> Polled:
        self.told.append("look")
        count = self.counts.pop(0)
        if isinstance(count, Exception):
            raise count
        self.seconds += self.look_seconds if count else timeout_ms / 1000
        taken = min(count, max_records)
        if count > taken:
            self.counts.insert(0, count - taken)
        records = list(range(self.given, self.given + taken))
        self.given += taken
        return {"partition": records} if records else {}


def gathering_of(broker: Broker, *, crowds: bool = True, patient: bool = False) -> Gathering:
    return Gathering(
        broker.poll,
        patient=patient,
        crowds=crowds,
        looked=lambda: None,
        pause=lambda: broker.told.append("pause"),
        resume=lambda: broker.told.append("resume"),
        now=broker.now,
    )


async def batches(broker: Broker, count: int) -> list[list[int]]:
    gathering = gathering_of(broker)
    return [(await gathering.getmany(timeout_ms=TIMEOUT_MS, max_records=MOST))["partition"] for _ in range(count)]


MANY, FEW = CROWD_RECORDS, CROWD_RECORDS - 1


@pytest.mark.parametrize(
    ("looks", "sizes"),
    [
        ([MANY, MANY, MANY, 0], [MANY, 2 * MANY]),
        ([MANY, MANY, 1, 0], [MANY, MANY + 1]),
        ([FEW, MANY, MANY], [FEW, MANY]),
        ([MANY, FEW, MANY], [MANY, FEW]),
        ([MANY, 0, MANY, MANY], [MANY, MANY]),
        ([MANY, MOST + MANY, MANY], [MANY, MOST]),
    ],
    ids=[
        "many behind many bring those behind them",
        "however few these are",
        "the first many wait for nobody",
        "a few behind many wait for nobody",
        "nor do many after a pause",
        "there are never more than fit",
    ],
)
async def test_a_crowd_is_one_batch_and_nobody_else_waits_for_it(looks: list[int], sizes: list[int]) -> None:
    assert [len(batch) for batch in await batches(Broker(*looks), len(sizes))] == sizes


async def test_nothing_is_lost_or_turned_around_in_a_crowd() -> None:
    broker = Broker(MANY, MANY, 3, 1, 0, 7, 20)

    found = await batches(broker, 4)

    assert [number for batch in found for number in batch] == list(range(broker.given))


async def test_each_partition_keeps_its_order_in_a_crowd() -> None:
    looks: list[Polled] = [
        {"one": list(range(MANY))},
        {"one": list(range(MANY, 2 * MANY))},
        {"two": [0, 1]},
        {"two": [2], "one": [2 * MANY]},
        {},
    ]

    async def poll(*, timeout_ms: float, max_records: int) -> Polled:
        return looks.pop(0)

    broker = Broker()
    broker.poll = poll  # type: ignore[method-assign]
    gathering = gathering_of(broker)
    await gathering.getmany(timeout_ms=TIMEOUT_MS, max_records=MOST)

    crowd = await gathering.getmany(timeout_ms=TIMEOUT_MS, max_records=MOST)

    assert crowd == {"one": list(range(MANY, 2 * MANY + 1)), "two": [0, 1, 2]}


async def test_nothing_is_fetched_while_a_patient_subscription_rests_or_handles_a_few() -> None:
    broker = Broker(FEW, MOST, FEW, look_seconds=60.0)
    gathering = gathering_of(broker, patient=True)

    for _ in range(3):
        await gathering.getmany(timeout_ms=TIMEOUT_MS, max_records=MOST)
        broker.told.append("batch")
        broker.seconds += 60.0

    few = ["resume", "look", "pause", "batch"]
    assert broker.told == [*few, "resume", "look", "batch", *few]


async def test_where_partitions_are_shared_a_batch_is_of_one_look() -> None:
    gathering = gathering_of(Broker(MANY, MANY, MANY), crowds=False)

    found = [len((await gathering.getmany(timeout_ms=TIMEOUT_MS, max_records=MOST))["partition"]) for _ in range(3)]

    assert found == [MANY, MANY, MANY]


async def test_a_crowd_that_does_not_end_is_handled_in_time() -> None:
    broker = Broker(MANY, *[MANY] * 20, look_seconds=0.1)

    _, crowd = await batches(broker, 2)

    assert len(crowd) == MANY * (1 + round(CROWD_SECONDS / 0.1))
    assert broker.seconds < CROWD_SECONDS + 0.3


async def test_the_end_of_a_crowd_is_waited_for_only_a_moment() -> None:
    broker = Broker(MANY, MANY, 0)

    await batches(broker, 2)

    assert broker.seconds == pytest.approx(2 * broker.look_seconds + CROWD_PAUSE_MS / 1000)


async def test_what_was_taken_is_given_although_the_broker_fails_behind_it() -> None:
    broker = Broker(MANY, MANY, ConnectionError("away"), ConnectionError("away"))
    gathering = gathering_of(broker)

    found = [len((await gathering.getmany(timeout_ms=TIMEOUT_MS, max_records=MOST))["partition"]) for _ in range(2)]

    assert found == [MANY, MANY]
    with pytest.raises(ConnectionError):
        await gathering.getmany(timeout_ms=TIMEOUT_MS, max_records=MOST)
