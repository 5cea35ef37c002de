"""The pure core of the rules service: values in, decisions out; no clock, store, broker or log."""
