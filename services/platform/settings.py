"""Configuration from the environment, read once at start; what is unknown or contradictory is refused there."""

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas import topics
from services.platform.credential_keys import read_keys
from services.platform.outward import WEBHOOK_NETWORKS, reached_safely, read_networks

# Read by the Python facade and the command line, not by services.
CLIENT_VARIABLES = frozenset({"PROMOTION_URL", "PROMOTION_API_KEY", "PROMOTION_CONFIG"})
PREFIX = "PROMOTION_"


class ConfigurationError(Exception):
    """The environment does not make a configuration; the message names each wrong variable."""


class Settings(BaseSettings):
    """What a service process takes from its environment; each field names its variable."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    database_url: SecretStr = Field(validation_alias="DATABASE_URL")
    database_pool_size: int = Field(8, ge=1, le=100, validation_alias="PROMOTION_DATABASE_POOL_SIZE")
    kafka_bootstrap_servers: str = Field("", validation_alias="KAFKA_BOOTSTRAP_SERVERS")
    # A file that holds the bootstrap address; services follow a broker that moves, as soon as it says so.
    kafka_bootstrap_file: Path | None = Field(None, validation_alias="PROMOTION_KAFKA_BOOTSTRAP_FILE")
    kafka_flavour: Literal["apache", "embedded"] = Field("apache", validation_alias="PROMOTION_KAFKA_FLAVOUR")
    kafka_trust: Literal["broker", "signed"] = Field("broker", validation_alias="KAFKA_TRUST")
    # Whether Kafka is reached over TLS, by which authorities it is known, and as whom we come (SASL).
    kafka_tls: bool = Field(False, validation_alias="PROMOTION_KAFKA_TLS")
    kafka_ca_file: Path | None = Field(None, validation_alias="PROMOTION_KAFKA_CA_FILE")
    kafka_username: str | None = Field(None, min_length=1, validation_alias="PROMOTION_KAFKA_USERNAME")
    kafka_password: SecretStr | None = Field(None, min_length=1, validation_alias="PROMOTION_KAFKA_PASSWORD")
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", validation_alias="PROMOTION_KAFKA_SASL_MECHANISM"
    )
    kafka_partitions: int = Field(
        topics.DEFAULT_PARTITIONS, ge=1, le=1000, validation_alias="PROMOTION_KAFKA_PARTITIONS"
    )
    kafka_replication_factor: int = Field(1, ge=1, le=9, validation_alias="PROMOTION_KAFKA_REPLICATION_FACTOR")
    # Stable per worker: a restart within the session time-out does not rebalance its group.
    instance: str = Field(default_factory=socket.gethostname, validation_alias="PROMOTION_INSTANCE")
    key_pepper: SecretStr = Field(validation_alias="PROMOTION_KEY_PEPPER", min_length=16)
    # Keys of 32 bytes in base64 for gateways' credentials and webhooks' secrets, by comma: the first closes, all open.
    credential_keys: SecretStr | None = Field(None, validation_alias="PROMOTION_CREDENTIAL_KEYS")
    # Networks beside the public ones in which gateways may be, as CIDR, by comma.
    gateway_allowed_networks: str = Field("", validation_alias="PROMOTION_GATEWAY_ALLOWED_NETWORKS")
    # The same for webhooks, which other people register.
    webhook_allowed_networks: str = Field("", validation_alias=WEBHOOK_NETWORKS)
    # An OIDC issuer whose bearer tokens are taken beside API keys: all three, or none.
    oidc_issuer: str | None = Field(None, min_length=1, validation_alias="PROMOTION_OIDC_ISSUER")
    oidc_audience: str | None = Field(None, min_length=1, validation_alias="PROMOTION_OIDC_AUDIENCE")
    oidc_jwks_url: str | None = Field(None, validation_alias="PROMOTION_OIDC_JWKS_URL")
    # Claims by name, or by JSON Pointer where it begins with a slash.
    oidc_organization_claim: str = Field(
        "organization_id", min_length=1, validation_alias="PROMOTION_OIDC_ORGANIZATION_CLAIM"
    )
    oidc_subject_claim: str = Field("sub", min_length=1, validation_alias="PROMOTION_OIDC_SUBJECT_CLAIM")
    oidc_roles_claim: str = Field("roles", min_length=1, validation_alias="PROMOTION_OIDC_ROLES_CLAIM")
    # As which client people are signed in to the console at that issuer, and where the console is; both, or neither.
    oidc_client_id: str | None = Field(None, min_length=1, validation_alias="PROMOTION_OIDC_CLIENT_ID")
    oidc_client_secret: SecretStr | None = Field(None, min_length=1, validation_alias="PROMOTION_OIDC_CLIENT_SECRET")
    oidc_scope: str = Field("openid", min_length=1, validation_alias="PROMOTION_OIDC_SCOPE")
    console_url: str | None = Field(None, validation_alias="PROMOTION_CONSOLE_URL")
    # How long such a session lasts, and so how long a role that was taken away at the issuer still holds in it.
    oidc_session_seconds: float = Field(3600.0, gt=0, le=43200, validation_alias="PROMOTION_OIDC_SESSION_SECONDS")
    # How many requests a second one principal and one organization may make, ten seconds' worth at once; 0: no limit.
    # Each ingress process counts for itself.
    principal_requests_per_second: float = Field(
        1000.0, ge=0, validation_alias="PROMOTION_PRINCIPAL_REQUESTS_PER_SECOND"
    )
    organization_requests_per_second: float = Field(
        2000.0, ge=0, validation_alias="PROMOTION_ORGANIZATION_REQUESTS_PER_SECOND"
    )
    # So many records may wait in an outbox, and so many of a topic for a service, before nothing new is accepted (429);
    # by default 100,000 and 200,000, and for the embedded broker 20,000 and 2,000.
    max_outbox_rows: int | None = Field(None, ge=1, le=100_000, validation_alias="PROMOTION_MAX_OUTBOX_ROWS")
    max_lag: int | None = Field(None, ge=1, validation_alias="PROMOTION_MAX_LAG")
    http_host: str = Field("127.0.0.1", validation_alias="PROMOTION_HTTP_HOST")
    http_port: int = Field(8080, ge=0, le=65535, validation_alias="PROMOTION_HTTP_PORT")
    # Where a service other than the ingress answers /healthz, /readyz and /metrics.
    health_port: int | None = Field(None, ge=0, le=65535, validation_alias="PROMOTION_HEALTH_PORT")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", validation_alias="PROMOTION_LOG_LEVEL")
    log_format: Literal["json", "text"] = Field("json", validation_alias="PROMOTION_LOG_FORMAT")
    # How long a request for an unknown deployment is held before it is refused.
    hold_seconds: float = Field(300.0, gt=0, validation_alias="PROMOTION_HOLD_SECONDS")
    # How long what is unfinished may stay quiet before it is sent again.
    redrive_after_seconds: float = Field(5.0, gt=0, validation_alias="PROMOTION_REDRIVE_AFTER_SECONDS")
    # How long an execution is tried before it is fenced and given up.
    execution_deadline_seconds: float = Field(900.0, gt=0, validation_alias="PROMOTION_EXECUTION_DEADLINE_SECONDS")
    gateway_timeout_seconds: float = Field(10.0, gt=0, validation_alias="PROMOTION_GATEWAY_TIMEOUT_SECONDS")
    # How long what nobody needs any more is kept: executions after their end, facts and evaluations after their
    # deployment was replaced and their promotions ended, dead letters after somebody dealt with them.
    executions_kept_days: float = Field(90.0, ge=1, validation_alias="PROMOTION_EXECUTIONS_KEPT_DAYS")
    evidence_kept_days: float = Field(180.0, ge=1, validation_alias="PROMOTION_EVIDENCE_KEPT_DAYS")
    dead_letters_kept_days: float = Field(90.0, ge=1, validation_alias="PROMOTION_DEAD_LETTERS_KEPT_DAYS")
    # How long a webhook may take to answer, and how long a delivery to it is tried.
    webhook_timeout_seconds: float = Field(15.0, gt=0, le=60, validation_alias="PROMOTION_WEBHOOK_TIMEOUT_SECONDS")
    webhook_deadline_seconds: float = Field(86400.0, gt=0, validation_alias="PROMOTION_WEBHOOK_DEADLINE_SECONDS")

    @model_validator(mode="after")
    def _one_source_of_bootstrap(self) -> Self:
        if bool(self.kafka_bootstrap_servers) == (self.kafka_bootstrap_file is not None):
            raise ValueError("give exactly one of KAFKA_BOOTSTRAP_SERVERS and PROMOTION_KAFKA_BOOTSTRAP_FILE")
        return self

    @model_validator(mode="after")
    def _whole_kafka_user(self) -> Self:
        if (self.kafka_username is None) != (self.kafka_password is None):
            raise ValueError("give both of PROMOTION_KAFKA_USERNAME and PROMOTION_KAFKA_PASSWORD, or neither")
        if self.kafka_ca_file is not None and not self.kafka_tls:
            raise ValueError("PROMOTION_KAFKA_CA_FILE says nothing without PROMOTION_KAFKA_TLS=true")
        return self

    @model_validator(mode="after")
    def _whole_issuer(self) -> Self:
        named = (self.oidc_issuer, self.oidc_audience, self.oidc_jwks_url)
        if any(named) and not all(named):
            raise ValueError(
                "give all of PROMOTION_OIDC_ISSUER, PROMOTION_OIDC_AUDIENCE and PROMOTION_OIDC_JWKS_URL, or none"
            )
        if self.oidc_jwks_url is not None and not reached_safely(self.oidc_jwks_url):
            raise ValueError("PROMOTION_OIDC_JWKS_URL has to begin with https://, or to lead to this machine itself")
        return self

    @model_validator(mode="after")
    def _whole_sign_in(self) -> Self:
        if (self.oidc_client_id is None) != (self.console_url is None):
            raise ValueError("give both of PROMOTION_OIDC_CLIENT_ID and PROMOTION_CONSOLE_URL, or neither")
        if self.oidc_client_id is None:
            if self.oidc_client_secret is not None:
                raise ValueError("PROMOTION_OIDC_CLIENT_SECRET says nothing without PROMOTION_OIDC_CLIENT_ID")
            return self
        if self.oidc_issuer is None:
            raise ValueError("PROMOTION_OIDC_CLIENT_ID needs PROMOTION_OIDC_ISSUER and what belongs to it")
        for name, url in (("PROMOTION_OIDC_ISSUER", self.oidc_issuer), ("PROMOTION_CONSOLE_URL", self.console_url)):
            if url is None or not reached_safely(url):
                raise ValueError(f"{name} has to begin with https://, or to lead to this machine itself")
        if "openid" not in self.oidc_scope.split():
            raise ValueError("PROMOTION_OIDC_SCOPE has to include openid")
        return self

    @model_validator(mode="after")
    def _readable_networks_and_keys(self) -> Self:
        read_networks(self.gateway_allowed_networks)
        read_networks(self.webhook_allowed_networks, setting=WEBHOOK_NETWORKS)
        if self.credential_keys is not None:
            read_keys(self.credential_keys.get_secret_value())
        return self

    def bootstrap_servers(self) -> str:
        """Give the broker's address as it is now."""
        if self.kafka_bootstrap_file is None:
            return self.kafka_bootstrap_servers
        return self.kafka_bootstrap_file.read_text(encoding="ascii").strip()

    def outbox_limit(self) -> int:
        """Give how many records may wait in one outbox."""
        return self.max_outbox_rows or (20_000 if self.embedded else 100_000)

    def lag_limit(self) -> int:
        """Give how many records of one topic may wait for one service."""
        # The embedded broker keeps 5 MiB of a partition and drops what is older without a word.
        return self.max_lag or (2_000 if self.embedded else 200_000)

    def kafka_security_protocol(self) -> str:
        """Name, as Kafka does, how it is reached."""
        transport = "SSL" if self.kafka_tls else "PLAINTEXT"
        return transport if self.kafka_username is None else f"SASL_{transport}"

    @property
    def embedded(self) -> bool:
        """Tell whether the broker is the embedded one, which has no groups of several members."""
        return self.kafka_flavour == "embedded"


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from ``environment``, by default the process's own.

    Raises ConfigurationError with one line for each wrong variable.
    """
    variables = dict(os.environ if environment is None else environment)
    _refuse_unknown(variables)
    known = {str(field.validation_alias): name for name, field in Settings.model_fields.items()}
    values = {alias: variables[alias] for alias in known if alias in variables}
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        lines = [f"{_variable(detail['loc'])}: {detail['msg']}" for detail in error.errors(include_url=False)]
        raise ConfigurationError("\n".join(lines)) from None


def _variable(location: tuple[int | str, ...]) -> str:
    return str(location[0]) if location else "settings"


def _refuse_unknown(variables: Mapping[str, str]) -> None:
    known = {str(field.validation_alias) for field in Settings.model_fields.values()} | CLIENT_VARIABLES
    unknown = sorted(name for name in variables if name.startswith(PREFIX) and name not in known)
    if unknown:
        raise ConfigurationError(f"unknown variables: {', '.join(unknown)}; known are: {', '.join(sorted(known))}")
