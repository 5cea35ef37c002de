"""The words of the gateway contract: what a PUT carries, what a deployment shows, every problem's status.

The OpenAPI document is generated from here, so nothing that a caller can see may be made up elsewhere.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from studio.gateway.state import Content, Deployment

Name = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]
KEY_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:~-]{0,199}$"
MAX_FENCING_TOKEN = 2**63 - 1


class DeploymentRequest(BaseModel):
    """What is to run in the slot (organization, agent, this gateway); byte-identical in every repeat."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    organization_id: Name
    agent_id: Name
    version: Name
    digest: Name | None
    environment: Name
    gateway_id: Name
    source_deployment_id: Name

    def content(self) -> Content:
        """The same, as the state machine compares it."""
        return Content(
            organization_id=self.organization_id,
            agent_id=self.agent_id,
            version=self.version,
            digest=self.digest,
            environment=self.environment,
            gateway_id=self.gateway_id,
            source_deployment_id=self.source_deployment_id,
        )


class DeploymentResource(BaseModel):
    """A deployment on this gateway. Its id is the promotion id under which it was put."""

    deployment_id: str
    organization_id: str
    agent_id: str
    version: str
    digest: str | None
    environment: str
    gateway_id: str
    source_deployment_id: str
    status: Literal["live", "retired"]
    deployed_at: datetime
    retired_at: datetime | None

    @classmethod
    def of(cls, deployment: Deployment) -> "DeploymentResource":
        """How a deployment is shown."""
        content = deployment.content
        return cls.model_construct(
            deployment_id=deployment.deployment_id,
            organization_id=content.organization_id,
            agent_id=content.agent_id,
            version=content.version,
            digest=content.digest,
            environment=content.environment,
            gateway_id=content.gateway_id,
            source_deployment_id=content.source_deployment_id,
            status=deployment.status,
            deployed_at=deployment.deployed_at,
            retired_at=deployment.retired_at,
        )


class DeploymentList(BaseModel):
    """A page of deployments, oldest first; `next_cursor` is null on the last."""

    items: list[DeploymentResource]
    next_cursor: str | None


class Health(BaseModel):
    """The gateway answers, and says which one it is."""

    status: Literal["ok"]
    gateway_id: str
    environment: str
    fsync: bool = Field(description="false: answers may be lost with the machine; for benchmarks only")


class ProblemDetail(BaseModel):
    """Where in a body or a query the trouble is."""

    path: str
    message: str


class Problem(BaseModel):
    """RFC 9457. `code` is stable; `detail` names the wrong value and what to do."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    errors: list[ProblemDetail] = []


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """A stable code with the status and title it always has."""

    code: str
    status: int
    title: str


MALFORMED_REQUEST = ProblemKind("malformed_request", 400, "The request is not HTTP/1.1 that can be read")
UNAUTHENTICATED = ProblemKind("unauthenticated", 401, "A valid bearer credential is needed")
FAULTS_NOT_ALLOWED = ProblemKind("faults_not_allowed", 403, "Faults cannot be scripted at run time")
UNKNOWN_PATH = ProblemKind("unknown_path", 404, "There is nothing at this path")
UNKNOWN_KEY = ProblemKind("unknown_key", 404, "No deployment has this key")
METHOD_NOT_ALLOWED = ProblemKind("method_not_allowed", 405, "This path does not know the method")
REQUEST_TIMEOUT = ProblemKind("request_timeout", 408, "The request did not arrive in time")
CONTENT_MISMATCH = ProblemKind("content_mismatch", 409, "The key exists with other content")
STALE_FENCING_TOKEN = ProblemKind("stale_fencing_token", 409, "A later holder of the key has been here")
FENCED = ProblemKind("fenced", 410, "The key was fenced and will never be deployed")
BODY_TOO_LARGE = ProblemKind("body_too_large", 413, "The body is too large")
UNSUPPORTED_MEDIA_TYPE = ProblemKind("unsupported_media_type", 415, "The body must be application/json")
MALFORMED_KEY = ProblemKind("malformed_key", 422, "The key is not one that a deployment can have")
MALFORMED_BODY = ProblemKind("malformed_body", 422, "The body is not what this path takes")
MALFORMED_QUERY = ProblemKind("malformed_query", 422, "The query is not what this path takes")
MALFORMED_FENCING_TOKEN = ProblemKind("malformed_fencing_token", 422, "The Fencing-Token is not an integer epoch")
WRONG_GATEWAY = ProblemKind("wrong_gateway", 422, "The deployment is meant for another gateway or environment")
HEADERS_TOO_LARGE = ProblemKind("headers_too_large", 431, "The headers are too large")
INTERNAL_ERROR = ProblemKind("internal_error", 500, "The gateway failed")
