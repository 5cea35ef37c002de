"""The published views: what each service lets the others read, and nothing else of its schema.

A view's columns are part of the language: they are added to, never renamed. The owner's migrations create them.
"""

from sqlalchemy import ARRAY, BigInteger, Boolean, Column, DateTime, Integer, MetaData, Table, Text, Uuid

metadata = MetaData()


def _moment(name: str) -> Column[object]:
    return Column(name, DateTime(timezone=True))


# What runs where. One row for each (organization_id, gateway_id, deployment_id) ever announced.
deployments = Table(
    "published_deployment",
    metadata,
    Column("organization_id", Text),
    Column("deployment_id", Text),
    Column("agent_id", Text),
    Column("gateway_id", Text),
    Column("environment", Text),
    Column("version", Text),
    Column("digest", Text),
    # DeploymentStatus
    Column("status", Text),
    _moment("deployed_at"),
    # Start of the current uninterrupted active period; NULL when it is not active.
    _moment("active_since"),
    _moment("retired_at"),
    Column("promotion_id", Uuid),
    # Rises with every change of the row, by order of commit within one organization.
    _moment("changed_at"),
    schema="inventory",
)

# All of it for the executor; for the others without url and credential.
gateways = Table(
    "published_gateway",
    metadata,
    Column("organization_id", Text),
    Column("gateway_id", Text),
    Column("name", Text),
    Column("environment", Text),
    Column("url", Text),
    # What the executor presents as a bearer token; NULL where the gateway asks for none.
    Column("credential", Text),
    Column("is_default", Boolean),
    Column("max_concurrency", Integer),
    schema="inventory",
)

# Only organizations that replaced the default order have a row.
environments = Table(
    "published_environments",
    metadata,
    Column("organization_id", Text),
    Column("names", ARRAY(Text)),
    schema="inventory",
)

promotions = Table(
    "published_promotion",
    metadata,
    Column("organization_id", Text),
    Column("promotion_id", Uuid),
    Column("agent_id", Text),
    Column("source_deployment_id", Text),
    Column("source_environment", Text),
    Column("target_gateway_id", Text),
    Column("target_environment", Text),
    Column("deployment_version", Text),
    Column("digest", Text),
    Column("origin", Text),
    Column("status", Text),
    Column("status_reason", Text),
    Column("status_message", Text),
    Column("evaluation_number", Integer),
    Column("required_approvers", Integer),
    # Distinct people who voted to approve so far.
    Column("approvals", Integer),
    # Whether a person, not the clock or a later promotion, ended it with a no.
    Column("rejected_by_person", Boolean),
    Column("created_by", Text),
    _moment("created_at"),
    _moment("completed_at"),
    Column("target_deployment_id", Text),
    schema="promotion",
)

# Every transition; chain_seq rises within an organization in the order of commits.
history = Table(
    "published_history",
    metadata,
    Column("organization_id", Text),
    Column("chain_seq", BigInteger),
    Column("promotion_id", Uuid),
    Column("version", Integer),
    Column("previous_status", Text),
    Column("status", Text),
    Column("status_reason", Text),
    Column("status_message", Text),
    Column("actor", Text),
    _moment("at"),
    # Whether an administrator approved alone in this very step.
    Column("break_glass", Boolean),
    schema="promotion",
)

executions = Table(
    "published_execution",
    metadata,
    Column("organization_id", Text),
    Column("promotion_id", Uuid),
    Column("status", Text),
    Column("attempts", Integer),
    _moment("next_attempt_at"),
    _moment("deadline_at"),
    Column("last_error", Text),
    schema="executor",
)

evaluations = Table(
    "published_evaluation",
    metadata,
    Column("organization_id", Text),
    Column("promotion_id", Uuid),
    Column("number", Integer),
    _moment("evaluated_at"),
    Column("conditions", Text),
    Column("summary", Text),
    schema="rules",
)
