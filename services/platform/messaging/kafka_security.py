"""How Kafka knows who we are: TLS and SASL as the settings say, for each of the client libraries."""

import ssl
from typing import Any

from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from services.platform.settings import Settings

_SASL = {"PLAIN": SASLPlaintext, "SCRAM-SHA-256": SASLScram256, "SCRAM-SHA-512": SASLScram512}


def faststream_security(settings: Settings) -> BaseSecurity | None:
    """Give what a FastStream broker connects with, None where the connection is bare."""
    context = _tls(settings)
    if settings.kafka_username is None or settings.kafka_password is None:
        return None if context is None else BaseSecurity(ssl_context=context, use_ssl=True)
    return _SASL[settings.kafka_sasl_mechanism](
        username=settings.kafka_username,
        password=settings.kafka_password.get_secret_value(),
        ssl_context=context,
        use_ssl=context is not None,
    )


def aiokafka_security(settings: Settings) -> dict[str, Any]:
    """Give the options that a client of aiokafka connects with."""
    context = _tls(settings)
    options: dict[str, Any] = {"security_protocol": settings.kafka_security_protocol()}
    if context is not None:
        options["ssl_context"] = context
    if settings.kafka_username is not None and settings.kafka_password is not None:
        options["sasl_mechanism"] = settings.kafka_sasl_mechanism
        options["sasl_plain_username"] = settings.kafka_username
        options["sasl_plain_password"] = settings.kafka_password.get_secret_value()
    return options


def librdkafka_security(settings: Settings) -> dict[str, str]:
    """Give the options that a client of librdkafka connects with."""
    options = {"security.protocol": settings.kafka_security_protocol()}
    if settings.kafka_ca_file is not None:
        options["ssl.ca.location"] = str(settings.kafka_ca_file)
    if settings.kafka_username is not None and settings.kafka_password is not None:
        options["sasl.mechanism"] = settings.kafka_sasl_mechanism
        options["sasl.username"] = settings.kafka_username
        options["sasl.password"] = settings.kafka_password.get_secret_value()
    return options


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if not settings.kafka_tls:
        return None
    return ssl.create_default_context(cafile=settings.kafka_ca_file)
