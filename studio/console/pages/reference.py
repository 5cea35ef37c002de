"""The reference of the API, made from its own description; it needs no key."""

from fastapi import Request, Response

from studio.console.pages.routes import page_routes
from studio.console.views import reference
from studio.console.visits import public_page
from studio.problems import NotFound

routes = page_routes()


@routes.get("/docs")
async def list_all(request: Request) -> Response:
    """List every call."""
    document = request.app.openapi()
    groups = reference.groups(document)
    return await public_page(request, "reference.html", info=document["info"], groups=groups)


@routes.get("/docs/{operation_id}")
async def show(request: Request, operation_id: str) -> Response:
    """Show one call."""
    document = request.app.openapi()
    operation = next((found for found in reference.operations(document) if found.id == operation_id), None)
    if operation is None:
        raise NotFound(404, {"detail": f"The API has no operation {operation_id[:80]!r}."})
    media_types, body = reference.body(operation, document)
    return await public_page(
        request,
        "operation.html",
        operation=operation,
        parameters=reference.parameters(operation),
        media_types=media_types,
        body=body,
        answers=reference.answers(operation),
        answered=reference.answered_fields(operation, document),
    )
