"""The pure core of the executor: values in, next steps out; no clock, store, session or log."""
