"""The options that client commands share: whom to speak to, as whom, and how to show the answer."""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from studio.cli.configuration import KEY, ON_BEHALF_OF, URL, read_configuration
from studio.problems import Unconfigured

if TYPE_CHECKING:
    from studio.client import PromotionClient

Format = Literal["table", "json", "yaml"]
Output = Annotated[Format, Parameter(name=["--output", "-o"], help="How to show the answer.")]
Wait = Annotated[bool, Parameter(name="--wait", negative="", help="Follow the promotion until it ends or waits.")]
Timeout = Annotated[float, Parameter(name="--timeout", help="Follow it for this many seconds at most.")]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Api:
    """Whom to speak to; the key is never an option, since others can read a command line."""

    url: Annotated[
        str | None, Parameter(help="The API's address; by default that of PROMOTION_URL, else of login.")
    ] = None
    on_behalf_of: Annotated[
        str | None, Parameter(name="--as", help="The person to act for; needs a key with the role delegate.")
    ] = None

    def address(self) -> tuple[str | None, str | None]:
        """Give the API's address and the key for it, each None where nothing says it."""
        kept = read_configuration()
        url = self.url or os.environ.get("PROMOTION_URL") or kept.get(URL)
        # What is remembered for one address is never sent to another.
        key = os.environ.get("PROMOTION_API_KEY") or (kept.get(KEY) if url == kept.get(URL) else None)
        return url, key

    def client(self) -> "PromotionClient":
        """Give a client; raises Unconfigured where the address or the key is missing."""
        from studio.client import PromotionClient

        url, key = self.address()
        if not url:
            raise Unconfigured(
                "PROMOTION_URL is not set: set it to the API's address, such as http://127.0.0.1:8080, "
                "or run: promotion login --url …"
            )
        if not key:
            raise Unconfigured(
                f"PROMOTION_API_KEY is not set: set it to your API key, or run: promotion login --url {url}"
            )
        return PromotionClient(url, key, on_behalf_of=self.on_behalf_of or read_configuration().get(ON_BEHALF_OF))


HERE = Api()
