"""The language that the services share: events, topics, resources, vocabulary and published views."""
