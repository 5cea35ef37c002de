"""The AsyncAPI 3.0 document of the topics, made from the same models as the code that reads and writes them."""

from typing import Any

from pydantic.json_schema import models_json_schema

from schemas import topics
from schemas.cloudevents import EXTENSIONS
from schemas.events import DATA_OF_TOPIC, event_type

VERSION = "1.0.0"
_REF = "#/components/schemas/{model}"
_KEYS = {
    topics.PROMOTION_REQUESTED: "the promotion's id",
    topics.RULES_EVALUATED: "the promotion's id",
    topics.PROMOTION_APPROVED: "the slot: organization/agent/gateway",
    topics.DEPLOYMENT_COMPLETED: "the deployment's id",
    topics.TESTS_COMPLETED: "the deployment's id",
    topics.METRICS_OBSERVED: "the deployment's id",
    topics.PROMOTION_CHANGED: "the promotion's id",
}
_HEADERS = {
    "type": "object",
    "required": ["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time"],
    "properties": {
        "ce_specversion": {"const": "1.0"},
        "ce_id": {"type": "string", "description": "Equal for repeats of the same event."},
        "ce_source": {"type": "string", "description": "The emitting service and organization."},
        "ce_type": {"type": "string"},
        "ce_subject": {"type": "string", "description": "The promotion or deployment."},
        "ce_time": {"type": "string", "format": "date-time"},
        **{f"ce_{name}": {"type": "string"} for name in EXTENSIONS},
    },
}


def asyncapi_document() -> dict[str, Any]:
    """Describe every topic, who consumes it and what it carries."""
    _, definitions = models_json_schema([(model, "validation") for model in DATA_OF_TOPIC.values()], ref_template=_REF)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Environment promotion",
            "version": VERSION,
            "description": "CloudEvents 1.0 on Kafka, written in binary mode and read in binary and structured mode. "
            "What cannot be read is kept whole on <topic>.dead.",
        },
        "defaultContentType": "application/json",
        "channels": {topic: _channel(topic) for topic in topics.EVENT_TOPICS},
        "operations": {name: operation for topic in topics.EVENT_TOPICS for name, operation in _operations(topic)},
        "components": {
            "messages": {DATA_OF_TOPIC[topic].__name__: _message(topic) for topic in topics.EVENT_TOPICS},
            "schemas": {**definitions["$defs"], "CloudEventHeaders": _HEADERS},
        },
    }


def _channel(topic: str) -> dict[str, Any]:
    name = DATA_OF_TOPIC[topic].__name__
    return {
        "address": topic,
        "messages": {name: {"$ref": f"#/components/messages/{name}"}},
        "bindings": {"kafka": {"topic": topic, "partitions": topics.DEFAULT_PARTITIONS, "bindingVersion": "0.5.0"}},
    }


def _message(topic: str) -> dict[str, Any]:
    model = DATA_OF_TOPIC[topic]
    return {
        "name": event_type(topic),
        "summary": (model.__doc__ or "").strip(),
        "contentType": "application/json",
        "headers": {"$ref": "#/components/schemas/CloudEventHeaders"},
        "payload": {"$ref": f"#/components/schemas/{model.__name__}"},
        "bindings": {"kafka": {"key": {"type": "string", "description": _KEYS[topic]}, "bindingVersion": "0.5.0"}},
    }


def _operations(topic: str) -> list[tuple[str, dict[str, Any]]]:
    channel = {"$ref": f"#/channels/{topic}"}
    consumers = [service for service, consumed in topics.CONSUMED_BY.items() if topic in consumed]
    received = [
        (
            topics.consumer_group(service, topic),
            {
                "action": "receive",
                "channel": channel,
                "bindings": {
                    "kafka": {
                        "groupId": {"type": "string", "const": topics.consumer_group(service, topic)},
                        "bindingVersion": "0.5.0",
                    }
                },
            },
        )
        for service in consumers
    ]
    return received or [(f"{topic}.emitted", {"action": "send", "channel": channel})]
