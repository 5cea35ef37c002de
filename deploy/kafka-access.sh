#!/bin/sh
# Says who may write and read which topic of Kafka at $1: each service what is its own, and "ci" what happens outside.
# To be run again at any time; it only adds.
set -eu
bootstrap=$1
acls=${KAFKA_ACLS:-/opt/kafka/bin/kafka-acls.sh}

writes() { # name topic...
    name=$1
    shift
    for topic in "$@"; do
        "$acls" --bootstrap-server "$bootstrap" --add --allow-principal "User:$name" --operation Write --topic "$topic"
    done
}

reads() { # name topic...
    name=$1
    shift
    "$acls" --bootstrap-server "$bootstrap" --add --allow-principal "User:$name" --operation Read \
        --group "$name." --resource-pattern-type prefixed
    for topic in "$@"; do
        "$acls" --bootstrap-server "$bootstrap" --add --allow-principal "User:$name" --operation Read --topic "$topic"
        # What cannot be read is parked beside its topic.
        writes "$name" "$topic.dead"
    done
}

outside="promotion.requested deployment.completed tests.completed metrics.observed"

# shellcheck disable=SC2086 # a list of topics
writes ingress $outside rules.evaluated promotion.approved promotion.changed
writes promotion promotion.requested promotion.approved promotion.changed
writes rules promotion.requested rules.evaluated
writes executor deployment.completed
reads promotion rules.evaluated deployment.completed
# shellcheck disable=SC2086
reads rules $outside
reads executor promotion.approved
reads inventory deployment.completed
reads notifications promotion.changed
# An upstream service: it announces and observes, and decides nothing.
writes ci deployment.completed tests.completed metrics.observed
