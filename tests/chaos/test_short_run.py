"""The short form of `make chaos`: the faults of the rare windows, once each, under a small load."""

import logging
from pathlib import Path

from tests.chaos.report import report
from tests.chaos.run import Options, run

OPTIONS = Options(promotions=60, faults=6, seed=1)


async def test_a_short_run_of_chaos_breaks_nothing_and_meets_what_it_is_for(tmp_path: Path) -> None:
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)

    came = report(OPTIONS, await run(OPTIONS, tmp_path, print))

    assert came.status == 0, came.as_text()
