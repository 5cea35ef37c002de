"""Tests of the servers that a local run brings along."""
