"""Inventory's HTTP resources: deployments, gateways, environments. Each call is one transaction of a handler."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response

from schemas.resources import Deployment, Environments, Gateway, GatewayCreate, GatewayWrite, Page
from schemas.text import EnvironmentName, Identifier
from schemas.vocabulary import DeploymentStatus, Role
from services.inventory import handlers
from services.inventory.board import add_board_routes
from services.inventory.domain import environments as order
from services.inventory.domain.deployments import Deployment as KnownDeployment
from services.inventory.domain.gateway_urls import WrongUrl, gateway_url
from services.inventory.store import deployments, environments, gateways
from services.inventory.store.gateways import GatewayRow
from services.platform.clock import Clock
from services.platform.database import Database
from services.platform.http.authentication import require_in, requires
from services.platform.http.bodies import StrictRoute
from services.platform.http.cursors import read_cursor, write_cursor
from services.platform.http.problems import Problem, documented, invalid, not_found
from services.platform.identity import Principal
from services.platform.messaging.outbox import Outbox
from services.platform.outward import Forbidden, Network, check_url, read_networks
from services.platform.redaction import redacted_text
from services.platform.settings import Settings
from services.platform.vault import NoKeys, Place, Vault, vault_of

Viewer = Annotated[Principal, Depends(requires(Role.VIEWER))]
Admin = Annotated[Principal, Depends(requires(Role.ADMIN))]
# Of some environment; which one has to be asked again of the gateway.
SomeAdmin = Annotated[Principal, Depends(requires(Role.ADMIN, somewhere=True))]
Limit = Annotated[int, Query(ge=1, le=200, description="How many to list at most.")]
Cursor = Annotated[str | None, Query(description="`next_cursor` of the page before.")]
GatewayId = Annotated[Identifier, Path()]


def router(*, database: Database, outbox: Outbox, clock: Clock, settings: Settings) -> APIRouter:
    """Give the routes; inventory emits nothing over HTTP, so ``outbox`` stays unused."""
    routes = APIRouter(route_class=StrictRoute)
    _deployment_routes(routes, database)
    _gateway_routes(routes, database)
    _gateway_commands(routes, database, clock, settings)
    _environment_routes(routes, database, clock)
    add_board_routes(routes, database)
    return routes


def _deployment_routes(routes: APIRouter, database: Database) -> None:
    @routes.get("/deployments", tags=["deployments"])
    async def list_deployments(
        viewer: Viewer,
        agent_id: Annotated[Identifier | None, Query()] = None,
        environment: Annotated[EnvironmentName | None, Query()] = None,
        gateway_id: Annotated[Identifier | None, Query()] = None,
        status: Annotated[DeploymentStatus | None, Query()] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Page[Deployment]:
        """List what runs and ran where, newest first."""
        given = {"agent_id": agent_id, "environment": environment, "gateway_id": gateway_id, "status": status}
        filters = {name: value for name, value in given.items() if value is not None}
        before = None if cursor is None else read_cursor(cursor, datetime, str, str)
        async with database.begin() as connection:
            found = await deployments.page(
                connection, organization_id=viewer.organization_id, filters=filters, before=before, limit=limit + 1
            )
        following = None
        if len(found) > limit:
            last = found[limit - 1]
            following = write_cursor(last.deployed_at, last.deployment_id, last.gateway_id)
        return Page(items=[_deployment(item) for item in found[:limit]], next_cursor=following)

    @routes.get("/deployments/{deployment_id}", tags=["deployments"], responses=documented(404))
    async def get_deployment(
        viewer: Viewer,
        deployment_id: Annotated[Identifier, Path()],
        gateway_id: Annotated[Identifier | None, Query(description="Where an id is known on several.")] = None,
    ) -> Deployment:
        """Give one deployment; of those with this id on several gateways the active one, then the newest."""
        async with database.begin() as connection:
            found = await deployments.one(
                connection, organization_id=viewer.organization_id, deployment_id=deployment_id, gateway_id=gateway_id
            )
        if found is None:
            raise not_found("deployment", deployment_id)
        return _deployment(found)


def _gateway_routes(routes: APIRouter, database: Database) -> None:
    @routes.get("/gateways", tags=["gateways"])
    async def list_gateways(
        viewer: Viewer,
        environment: Annotated[EnvironmentName | None, Query()] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Page[Gateway]:
        """List the gateways by id."""
        after = "" if cursor is None else read_cursor(cursor, str)[0]
        async with database.begin() as connection:
            found = await gateways.page(
                connection,
                organization_id=viewer.organization_id,
                environment=environment,
                after=after,
                limit=limit + 1,
            )
        following = write_cursor(found[limit - 1].gateway_id) if len(found) > limit else None
        return Page(items=[_gateway(item) for item in found[:limit]], next_cursor=following)

    @routes.get("/gateways/{gateway_id}", tags=["gateways"], responses=documented(404))
    async def get_gateway(viewer: Viewer, gateway_id: GatewayId) -> Gateway:
        """Give one gateway; its credential is never shown."""
        async with database.begin() as connection:
            found = await gateways.one(connection, organization_id=viewer.organization_id, gateway_id=gateway_id)
        if found is None:
            raise not_found("gateway", gateway_id)
        return _gateway(found)


def _gateway_commands(routes: APIRouter, database: Database, clock: Clock, settings: Settings) -> None:
    vault, allowed = vault_of(settings), read_networks(settings.gateway_allowed_networks)

    def row(admin: Principal, gateway_id: str, body: GatewayWrite) -> GatewayRow:
        require_in(admin, body.environment, Role.ADMIN)
        return _row(admin, gateway_id, body, clock(), url=_url(body.url, allowed), vault=vault)

    @routes.post("/gateways", tags=["gateways"], status_code=201, responses=documented(409))
    async def register_gateway(admin: SomeAdmin, body: GatewayCreate, response: Response) -> Gateway:
        """Register a gateway; one that becomes the default takes the place of its environment's earlier default."""
        gateway = row(admin, body.gateway_id, body)
        try:
            async with database.begin() as connection:
                await handlers.register_gateway(connection, gateway)
        except handlers.UnknownEnvironment as error:
            raise _wrong_environment(error) from None
        except handlers.GatewayTaken as error:
            raise Problem(409, "gateway_exists", str(error)) from None
        response.headers["Location"] = f"/api/v1/gateways/{body.gateway_id}"
        return _gateway(gateway)

    @routes.put("/gateways/{gateway_id}", tags=["gateways"], responses=documented(404, 409))
    async def replace_gateway(admin: SomeAdmin, gateway_id: GatewayId, body: GatewayWrite) -> Gateway:
        """Replace a gateway.

        A body without `credential` keeps the one that is stored, `null` removes it; a credential is for the address
        that it was given with, so that another scheme, host or port needs it again: 422. A gateway on which
        deployments are active or promotions execute keeps its environment: 409. What was sent to the earlier address
        is looked up and fenced there; everything else goes to the new one.
        """
        gateway = row(admin, gateway_id, body)
        keep_credential = "credential" not in body.model_fields_set
        try:
            async with database.begin() as connection:
                replaced = await handlers.replace_gateway(
                    connection, gateway, keep_credential=keep_credential, permit=_permit(admin)
                )
        except handlers.UnknownEnvironment as error:
            raise _wrong_environment(error) from None
        except handlers.CredentialElsewhere as error:
            raise invalid("/credential", "credential_elsewhere", str(error), "give the credential again") from None
        except handlers.GatewayInUse as error:
            raise Problem(409, "gateway_in_use", str(error)) from None
        if replaced is None:
            raise not_found("gateway", gateway_id)
        return _gateway(replaced)

    @routes.delete("/gateways/{gateway_id}", tags=["gateways"], status_code=204, responses=documented(404, 409))
    async def delete_gateway(admin: SomeAdmin, gateway_id: GatewayId) -> None:
        """Forget a gateway; 409 while deployments are active or promotions execute on it, which the answer names."""
        try:
            async with database.begin() as connection:
                existed = await handlers.remove_gateway(
                    connection, organization_id=admin.organization_id, gateway_id=gateway_id, permit=_permit(admin)
                )
        except handlers.GatewayInUse as error:
            raise Problem(409, "gateway_in_use", str(error)) from None
        if not existed:
            raise not_found("gateway", gateway_id)


def _environment_routes(routes: APIRouter, database: Database, clock: Clock) -> None:
    @routes.get("/environments", tags=["environments"])
    async def get_environments(viewer: Viewer) -> Environments:
        """Give the environments in the order in which deployments move."""
        async with database.begin() as connection:
            own = await environments.names(connection, viewer.organization_id)
        return Environments(names=list(order.in_force(own)))

    @routes.put("/environments", tags=["environments"], responses=documented(409))
    async def replace_environments(admin: Admin, body: Environments) -> Environments:
        """Replace the ordered list; 409 where it leaves out an environment that has gateways."""
        repeated = order.repeated(body.names)
        if repeated:
            raise invalid("/names", "repeated", f"{', '.join(repeated)} stands twice", "name each environment once")
        try:
            async with database.begin() as connection:
                await handlers.replace_environments(
                    connection, admin.organization_id, names=body.names, by=admin.subject, now=clock()
                )
        except handlers.EnvironmentInUse as error:
            raise Problem(409, "environment_in_use", str(error)) from None
        return body


def _wrong_environment(error: handlers.UnknownEnvironment) -> Problem:
    return invalid("/environment", "unknown_environment", str(error), "GET /environments lists them")


def _permit(admin: Principal) -> Callable[[GatewayRow], None]:
    return lambda gateway: require_in(admin, gateway.environment, Role.ADMIN)


def _url(text: str, allowed: Sequence[Network]) -> str:
    try:
        url = gateway_url(text)
        check_url(url, allowed)
    except (WrongUrl, Forbidden) as error:
        raise invalid(
            "/url", "wrong_url", f"{redacted_text(text[:80])!r} {error}", "for example https://gateway:8443"
        ) from None
    return url


def _row(admin: Principal, gateway_id: str, body: GatewayWrite, now: datetime, *, url: str, vault: Vault) -> GatewayRow:
    credential = body.credential
    if credential is not None:
        try:
            credential = vault.seal(credential, Place(admin.organization_id, gateway_id, url))
        except NoKeys as error:
            raise Problem(503, "no_credential_key", str(error)) from None
    return GatewayRow(
        organization_id=admin.organization_id,
        gateway_id=gateway_id,
        name=body.name or gateway_id,
        environment=body.environment,
        url=url,
        credential=credential,
        is_default=body.is_default,
        max_concurrency=body.max_concurrency,
        created_at=now,
        created_by=admin.subject,
        updated_at=now,
        updated_by=admin.subject,
    )


def _gateway(row: GatewayRow) -> Gateway:
    return Gateway(
        gateway_id=row.gateway_id,
        organization_id=row.organization_id,
        name=row.name,
        environment=row.environment,
        url=row.url,
        has_credential=row.credential is not None,
        is_default=row.is_default,
        max_concurrency=row.max_concurrency,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _deployment(known: KnownDeployment) -> Deployment:
    return Deployment(
        deployment_id=known.deployment_id,
        organization_id=known.organization_id,
        agent_id=known.agent_id,
        gateway_id=known.gateway_id,
        environment=known.environment,
        version=known.version,
        digest=known.digest,
        status=known.status,
        deployed_at=known.deployed_at,
        active_since=known.active_since,
        retired_at=known.retired_at,
        promotion_id=known.promotion_id,
        error=known.error if known.status is DeploymentStatus.FAILED else None,
    )
