"""Webhooks: made, looked at, changed, given a new secret, deleted."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID, uuid4

from fastapi import APIRouter, Response

from schemas.resources import Page
from schemas.webhooks import SecretRotation, Webhook, WebhookCreate, WebhookWithSecret, WebhookWrite
from services.notifications import commands
from services.notifications.commands import Wish
from services.notifications.domain.hook import TooManySecrets
from services.notifications.domain.signing import WrongSecret, read_secret, write_secret
from services.notifications.domain.urls import WrongUrl, webhook_url
from services.notifications.http import present
from services.notifications.http.parameters import Admin, Cursor, Limit, WebhookId, position
from services.notifications.sealing import SecretPlace, new_secret
from services.notifications.store import hooks
from services.platform.clock import Clock
from services.platform.database import Database
from services.platform.http.etags import IfMatch, accepted_versions, etag
from services.platform.http.problems import Problem, documented, invalid, not_found
from services.platform.identity import Principal
from services.platform.outward import WEBHOOK_NETWORKS, Forbidden, Network, check_url, read_networks
from services.platform.redaction import redacted_text
from services.platform.settings import Settings
from services.platform.vault import NoKeys, Vault, vault_of


def add_routes(routes: APIRouter, database: Database, clock: Clock, settings: Settings) -> None:
    """Add the routes."""
    vault = vault_of(settings)
    allowed = read_networks(settings.webhook_allowed_networks, setting=WEBHOOK_NETWORKS)
    _add_reading(routes, database, clock)
    _add_writing(routes, database, clock, vault, allowed)
    _add_secrets(routes, database, clock, vault)


def _add_reading(routes: APIRouter, database: Database, clock: Clock) -> None:
    @routes.get("/webhooks")
    async def list_webhooks(admin: Admin, limit: Limit = 50, cursor: Cursor = None) -> Page[Webhook]:
        """List the webhooks and how they do, oldest first."""
        after = position(cursor)
        async with database.begin() as connection:
            found = await hooks.page(connection, organization_id=admin.organization_id, after=after, limit=limit + 1)
        return present.page_of_webhooks(found, limit=limit, now=clock())

    @routes.get("/webhooks/{webhook_id}", responses=documented(404))
    async def get_webhook(admin: Admin, webhook_id: WebhookId, response: Response) -> Webhook:
        """Give one webhook; its version is the ETag, and its secret is never shown again."""
        async with database.begin() as connection:
            found = await hooks.one(connection, organization_id=admin.organization_id, webhook_id=webhook_id)
        if found is None:
            raise not_found("webhook", webhook_id)
        response.headers["ETag"] = etag(found.version)
        return present.webhook(found, now=clock())


def _add_writing(routes: APIRouter, database: Database, clock: Clock, vault: Vault, allowed: Sequence[Network]) -> None:
    def wish(admin: Principal, body: WebhookWrite) -> Wish:
        wanted = body.filter.model_dump(mode="json", exclude_none=True)
        return Wish(body.name, _url(body.url, allowed), wanted, body.status, admin.subject, clock())

    @routes.post("/webhooks", status_code=201, responses=documented(409))
    async def create_webhook(admin: Admin, body: WebhookCreate, response: Response) -> WebhookWithSecret:
        """Register an address that is told of changes of promotions; the answer alone shows its secret."""
        wanted, webhook_id, secret = wish(admin, body), uuid4(), _secret(body.secret)
        sealed = _sealed(vault, secret, admin, webhook_id)
        try:
            async with database.begin() as connection:
                hook = await commands.create(
                    connection, wanted, organization_id=admin.organization_id, webhook_id=webhook_id, secret=sealed
                )
        except commands.TooManyWebhooks as error:
            raise Problem(409, "too_many_webhooks", str(error)) from None
        response.headers["ETag"] = etag(hook.version)
        response.headers["Location"] = f"/api/v1/webhooks/{webhook_id}"
        return present.with_secret(hook, secret, now=wanted.now)

    @routes.put("/webhooks/{webhook_id}", responses=documented(404, 412))
    async def replace_webhook(
        admin: Admin, webhook_id: WebhookId, body: WebhookWrite, response: Response, if_match: IfMatch = None
    ) -> Webhook:
        """Replace a webhook; its secret stays.

        One that becomes `active` hears of what happens from then on; what waited for it and is not past its deadline
        is sent as well.
        """
        wanted = wish(admin, body)
        async with database.begin() as connection:
            hook = await commands.change(
                connection,
                wanted,
                organization_id=admin.organization_id,
                webhook_id=webhook_id,
                expected=accepted_versions(if_match),
            )
        if hook is None:
            raise not_found("webhook", webhook_id)
        response.headers["ETag"] = etag(hook.version)
        return present.webhook(hook, now=wanted.now)

    @routes.delete("/webhooks/{webhook_id}", status_code=204, responses=documented(404, 412))
    async def delete_webhook(admin: Admin, webhook_id: WebhookId, if_match: IfMatch = None) -> None:
        """Delete a webhook and the log of its deliveries."""
        async with database.begin() as connection:
            existed = await commands.delete(
                connection,
                organization_id=admin.organization_id,
                webhook_id=webhook_id,
                expected=accepted_versions(if_match),
                now=clock(),
            )
        if not existed:
            raise not_found("webhook", webhook_id)


def _add_secrets(routes: APIRouter, database: Database, clock: Clock, vault: Vault) -> None:
    @routes.post("/webhooks/{webhook_id}/rotate-secret", responses=documented(404, 409, 412))
    async def rotate_webhook_secret(
        admin: Admin, webhook_id: WebhookId, body: SecretRotation, response: Response, if_match: IfMatch = None
    ) -> WebhookWithSecret:
        """Give a webhook a new secret; until `overlap_seconds` are over the one before signs too.

        Those before that one keep the time that they were given; an overlap of 0 ends them all. Four old secrets may
        sign at a time: 409 where there would be more.
        """
        secret, now = _secret(body.secret), clock()
        sealed = _sealed(vault, secret, admin, webhook_id)
        try:
            async with database.begin() as connection:
                hook = await commands.rotate(
                    connection,
                    organization_id=admin.organization_id,
                    webhook_id=webhook_id,
                    secret=sealed,
                    overlap=timedelta(seconds=body.overlap_seconds),
                    expected=accepted_versions(if_match),
                    by=admin.subject,
                    now=now,
                )
        except TooManySecrets as error:
            raise Problem(409, "too_many_secrets", str(error)) from None
        if hook is None:
            raise not_found("webhook", webhook_id)
        response.headers["ETag"] = etag(hook.version)
        return present.with_secret(hook, secret, now=now)


def _url(text: str, allowed: Sequence[Network]) -> str:
    try:
        url = webhook_url(text)
        check_url(url, allowed, setting=WEBHOOK_NETWORKS)
    except (WrongUrl, Forbidden) as error:
        raise invalid(
            "/url", "wrong_url", f"{redacted_text(text[:80])!r} {error}", "for example https://hooks.example/promotion"
        ) from None
    return url


def _secret(given: str | None) -> str:
    if given is None:
        return new_secret()
    try:
        return write_secret(read_secret(given))
    except WrongSecret as error:
        raise invalid("/secret", "wrong_secret", str(error), "leave it out, and one is made up") from None


def _sealed(vault: Vault, secret: str, admin: Principal, webhook_id: UUID) -> str:
    try:
        return vault.seal(secret, SecretPlace(admin.organization_id, webhook_id))
    except NoKeys as error:
        raise Problem(503, "no_credential_key", str(error)) from None
