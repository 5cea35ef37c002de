"""Commands that move a promotion: approve, reject, execute, cancel, break-glass."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from studio.cli.following import follow, progress_line
from studio.cli.options import HERE, Api, Output, Timeout, Wait
from studio.cli.output import note, show_rows
from studio.cli.promotions import COLUMNS

if TYPE_CHECKING:
    from schemas.resources import Promotion
    from studio.client import PromotionClient

Ids = Annotated[list[str], Parameter(negative="", help="The promotions' ids.")]
Act = Callable[["PromotionClient", str], Awaitable["Promotion"]]


async def approve(
    promotions: Ids,
    /,
    *,
    reason: str | None = None,
    override_conditions: Annotated[bool, Parameter(negative="")] = False,
    wait: Wait = False,
    timeout_seconds: Timeout = 600.0,
    output: Output = "table",
    api: Api = HERE,
) -> int:
    """Vote for promotions.

    Parameters
    ----------
    reason
        Why; needed with --override-conditions.
    override_conditions
        Vote for it even though its conditions do not hold.
    """

    async def act(client: "PromotionClient", promotion_id: str) -> "Promotion":
        return await client.approve(promotion_id, reason=reason, override_conditions=override_conditions)

    return await _each(promotions, act, wait=wait, timeout_seconds=timeout_seconds, output=output, api=api)


async def reject(promotions: Ids, /, *, reason: str, output: Output = "table", api: Api = HERE) -> int:
    """Vote against promotions: they end.

    Parameters
    ----------
    reason
        Why; people will read it.
    """

    async def act(client: "PromotionClient", promotion_id: str) -> "Promotion":
        return await client.reject(promotion_id, reason=reason)

    return await _each(promotions, act, wait=False, timeout_seconds=0, output=output, api=api)


async def execute(
    promotions: Ids,
    /,
    *,
    wait: Wait = False,
    timeout_seconds: Timeout = 900.0,
    output: Output = "table",
    api: Api = HERE,
) -> int:
    """Execute approved promotions."""

    async def act(client: "PromotionClient", promotion_id: str) -> "Promotion":
        return await client.execute(promotion_id)

    return await _each(promotions, act, wait=wait, timeout_seconds=timeout_seconds, output=output, api=api)


async def break_glass(
    promotion: Annotated[str, Parameter(help="The promotion's id.")],
    /,
    *,
    reason: str,
    wait: Wait = False,
    timeout_seconds: Timeout = 600.0,
    output: Output = "table",
    api: Api = HERE,
) -> int:
    """Approve a promotion alone, whatever its rules ask for, in an emergency; needs the role admin.

    It stands out wherever it is told: in the history, in events, in metrics, in the log.

    Parameters
    ----------
    reason
        Why nobody else could be asked; people will read it.
    """

    async def act(client: "PromotionClient", promotion_id: str) -> "Promotion":
        return await client.break_glass(promotion_id, reason=reason)

    note("breaking the glass: this is marked in the history with your name and your reason")
    return await _each([promotion], act, wait=wait, timeout_seconds=timeout_seconds, output=output, api=api)


async def cancel(promotions: Ids, /, *, reason: str | None = None, output: Output = "table", api: Api = HERE) -> int:
    """Take promotions back before they execute.

    Parameters
    ----------
    reason
        Why.
    """

    async def act(client: "PromotionClient", promotion_id: str) -> "Promotion":
        return await client.cancel(promotion_id, reason=reason)

    return await _each(promotions, act, wait=False, timeout_seconds=0, output=output, api=api)


async def _each(
    promotions: list[str], act: Act, *, wait: bool, timeout_seconds: float, output: Output, api: Api
) -> int:
    """Act on each in turn and stop at the first that is refused; the exit status is the worst of all."""
    rows, status = [], 0
    async with api.client() as client:
        for promotion_id in promotions:
            row = (await act(client, promotion_id)).model_dump(mode="json")
            if wait:
                row, ended = await follow(client, row["id"], timeout_seconds=timeout_seconds, through_waiting=False)
                status = max(status, ended)
            else:
                note(progress_line(row))
            rows.append(row)
    show_rows(rows, COLUMNS, output)
    return status
