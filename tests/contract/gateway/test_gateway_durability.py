"""What was answered is there after any crash; what cannot be made durable is never answered."""

import asyncio
import json
import resource
import signal
from pathlib import Path

import aiohttp
import pytest

from studio.gateway import ReferenceGateway, folded_state, read_log
from studio.gateway.journal import LogUnusableError
from studio.gateway.records import LogCorruptError, RequestReceived, Started
from tests.contract.gateway.gateways import ContractClient, connected, gateway_process


def gateway_on(log: Path) -> ReferenceGateway:
    return ReferenceGateway(log=log, gateway_id="gw-1", environment="staging")


async def ask_until_killed(client: ContractClient, worker: int, allowed: dict[str, set[int]]) -> None:
    """Put and fence without pause; `allowed` says what a look-up may answer, given what was answered."""
    try:
        for number in range(100_000):
            key = f"{client.organization_id}-{worker}-{number}"
            assert (await client.put(key, agent_id=f"agent-{worker}", token=1)).status == 201
            allowed[key] = {200}
            if number % 3 == 0:
                allowed[key] = {200, 410}
                assert (await client.delete(key, token=1)).status == 204
                allowed[key] = {410}
    except aiohttp.ClientError:
        return


async def test_a_gateway_killed_under_load_comes_back_with_everything_it_answered(tmp_path: Path) -> None:
    log = tmp_path / "g.log"
    allowed: dict[str, set[int]] = {}
    async with gateway_process(log) as (process, ready), connected(ready["url"]) as client:
        workers = [asyncio.create_task(ask_until_killed(client, number, allowed)) for number in range(32)]
        while len(allowed) < 500:
            await asyncio.sleep(0.01)
        process.kill()
        await asyncio.gather(*workers)

    async with gateway_on(log) as gateway, connected(gateway.url) as client:
        found = {key: (await client.get(key)).status for key in allowed}

    assert {key: status for key, status in found.items() if status not in allowed[key]} == {}
    assert {200, 410} == set(found.values())


async def test_a_restart_finds_the_same_state_and_goes_on_counting_requests(tmp_path: Path) -> None:
    log = tmp_path / "g.log"
    async with gateway_on(log) as gateway, connected(gateway.url) as client:
        organization_id = client.organization_id
        for key in ("p1", "p2", "p3"):
            await client.put(key, token=4)
        await client.delete("p3")
        before = (await client.page()).json

    async with gateway_on(log) as gateway, connected(gateway.url) as client:
        client.organization_id = organization_id
        after = (await client.page()).json
        answers = [(await client.put("p1", token=3)).code, (await client.put("p3")).code]

    assert after == before
    assert answers == ["stale_fencing_token", "fenced"]
    numbers = [record.request for record in read_log(log) if isinstance(record, RequestReceived)]
    assert numbers == list(range(1, 9))


@pytest.mark.parametrize("torn", [b"{", b'{"request":1,"effect":{"key":"p9"', b"\x00" * 5000, b"x" * 200_000])
async def test_a_torn_last_line_is_passed_over_and_cut_off_at_the_start(tmp_path: Path, torn: bytes) -> None:
    log = tmp_path / "g.log"
    async with gateway_on(log) as gateway, connected(gateway.url) as client:
        await client.put("p1")
    whole = log.read_bytes()
    log.write_bytes(whole + torn)

    read = folded_state(log)
    async with gateway_on(log) as gateway, connected(gateway.url) as client:
        created = await client.put("p2")

    assert set(read.deployments) == {"p1"}
    assert created.status == 201
    assert log.read_bytes().startswith(whole + b'{"gateway_id"')
    assert set(folded_state(log).deployments) == {"p1", "p2"}


async def test_a_log_that_is_nothing_but_a_torn_line_is_an_empty_gateway(tmp_path: Path) -> None:
    log = tmp_path / "g.log"
    log.write_bytes(b'{"gatew')

    async with gateway_on(log):
        pass

    assert [type(record) for record in read_log(log)] == [Started]


async def test_a_log_damaged_in_its_middle_is_refused_by_its_line(tmp_path: Path) -> None:
    log = tmp_path / "g.log"
    log.write_bytes(b"damaged\n" + b'{"record": "nothing"}\n')

    with pytest.raises(LogCorruptError, match="line 1"):
        await gateway_on(log).open()

    assert log.read_bytes().startswith(b"damaged\n")


async def test_two_gateways_never_write_one_log(tmp_path: Path) -> None:
    log = tmp_path / "g.log"
    async with gateway_on(log):
        with pytest.raises(LogUnusableError, match=r"g\.log"):
            await gateway_on(log).open()


async def test_a_log_can_be_read_while_its_gateway_runs(tmp_path: Path) -> None:
    async with gateway_on(tmp_path / "g.log") as gateway, connected(gateway.url) as client:
        await client.put("p1")

        assert set(folded_state(gateway.log).deployments) == {"p1"}


async def test_the_log_shows_repeats_with_one_body_and_every_token(tmp_path: Path) -> None:
    traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    async with gateway_on(tmp_path / "g.log") as gateway, connected(gateway.url) as client:
        await client.put("p1", token=1)
        await client.put("p1", token=2)
        await client.ask("GET", "/deployments/p1", headers={"traceparent": traceparent})

    requests = [record for record in read_log(gateway.log) if isinstance(record, RequestReceived)]
    assert [(record.method, record.key, record.fencing_token) for record in requests] == [
        ("PUT", "p1", 1), ("PUT", "p1", 2), ("GET", "p1", None)
    ]  # fmt: skip
    assert requests[0].body_sha256 == requests[1].body_sha256 != requests[2].body_sha256
    assert requests[2].traceparent == traceparent


async def test_a_full_disk_ends_the_gateway_and_what_it_answered_before_is_kept(tmp_path: Path) -> None:
    log = tmp_path / "g.log"
    created: list[str] = []

    async def create_many(client: ContractClient) -> None:
        for number in range(1000):
            assert (await client.put(f"p{number}")).status == 201
            created.append(f"p{number}")

    async with gateway_process(log) as (process, ready), connected(ready["url"]) as client:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (50_000, 50_000))
        with pytest.raises(aiohttp.ClientError):
            await create_many(client)
        _, errors = await asyncio.wait_for(process.communicate(), 10)

    assert process.returncode == 1
    assert b"cannot be written" in errors
    assert b"Traceback" not in errors
    assert len(created) > 10
    assert set(created) <= set(folded_state(log).deployments)


async def test_a_disk_that_is_full_from_the_start_is_said_at_the_start(tmp_path: Path) -> None:
    def fill_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))

    async with gateway_process(tmp_path / "g.log", before_start=fill_disk) as (process, ready):
        _, errors = await asyncio.wait_for(process.communicate(), 10)

    assert (process.returncode, ready) == (2, {})
    assert b"cannot be written" in errors
    assert b"Traceback" not in errors


async def test_a_log_that_is_no_file_is_refused() -> None:
    with pytest.raises(LogUnusableError, match="regular file"):
        await gateway_on(Path("/dev/full")).open()


async def test_sigterm_answers_what_is_under_way_and_exits_with_0(tmp_path: Path) -> None:
    log, script = tmp_path / "g.log", tmp_path / "script.json"
    script.write_text(json.dumps({"rules": [{"match": {"key": "slow"}, "do": {"fault": "slow", "delay_ms": 500}}]}))
    async with gateway_process(log, "--script", str(script)) as (process, ready), connected(ready["url"]) as client:
        putting = asyncio.create_task(client.put("slow"))
        await client.put("quick")
        await asyncio.sleep(0.1)

        process.send_signal(signal.SIGTERM)

        assert (await putting).status == 201
        assert await asyncio.wait_for(process.wait(), 5) == 0
    assert set(folded_state(log).deployments) == {"slow", "quick"}


async def test_sigterm_does_not_wait_for_who_hangs_or_idles(tmp_path: Path) -> None:
    log, script = tmp_path / "g.log", tmp_path / "script.json"
    script.write_text(json.dumps({"rules": [{"match": {"method": "PUT"}, "do": {"fault": "hang"}}]}))
    async with gateway_process(log, "--script", str(script)) as (process, ready), connected(ready["url"]) as client:
        hanging = asyncio.create_task(client.put("p1"))
        await asyncio.sleep(0.2)

        process.send_signal(signal.SIGTERM)

        assert await asyncio.wait_for(process.wait(), 3) == 0
        with pytest.raises(aiohttp.ClientError):
            await hanging


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--credential-file", "nowhere"), b"nowhere"),
        (("--credential-file", "/dev/null"), b"one line"),
        (("--script", "nowhere"), b"nowhere"),
        (("--host", "203.0.113.1"), b"cannot start"),
    ],
)
async def test_a_gateway_that_cannot_start_says_why(tmp_path: Path, arguments: tuple[str, str], said: bytes) -> None:
    async with gateway_process(tmp_path / "g.log", *arguments) as (process, ready):
        _, errors = await asyncio.wait_for(process.communicate(), 10)

    assert (process.returncode, ready) == (2, {})
    assert said in errors
    assert b"Traceback" not in errors


async def test_without_fsync_the_start_and_health_say_so(tmp_path: Path) -> None:
    async with gateway_process(tmp_path / "g.log", "--no-fsync") as (process, ready), connected(ready["url"]) as client:
        health = await client.ask("GET", "/healthz")
        process.terminate()
        _, errors = await asyncio.wait_for(process.communicate(), 10)

    assert (ready["fsync"], health.json["fsync"]) == (False, False)
    assert b"--no-fsync" in errors
