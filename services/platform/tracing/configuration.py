"""Whether traces are on: as the variables that every OpenTelemetry program reads say."""

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager

from services.platform.settings import ConfigurationError
from services.platform.tracing import Export, exporting

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def tracing_from_environment(
    *, instance: str, environment: Mapping[str, str] | None = None
) -> AbstractContextManager[None]:
    """Give what exports spans meanwhile, where ``environment`` (by default the process's own) names an endpoint.

    Raises ConfigurationError where the libraries for it are not installed.
    """
    return exporting(_export(instance, os.environ if environment is None else environment))


def _export(instance: str, environment: Mapping[str, str]) -> Export | None:
    endpoint = next((name for name in ENDPOINTS if environment.get(name)), None)
    if endpoint is None or environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    try:
        from services.platform.tracing.otlp import OtlpExport
    except ImportError as error:
        raise ConfigurationError(
            f"{endpoint} asks for traces, but {error.name} is not installed; install environment-promotion[tracing]"
        ) from None
    return OtlpExport(instance=instance)
