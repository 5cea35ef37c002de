"""The whole system in one process, step by step under one seed: unchanged services, and a world that lies."""
