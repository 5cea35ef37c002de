"""The HTTP door: who may come in, which service answers, events from outside, and the stream of changes."""
