"""Runs the promotion service as a process of its own."""

from services.platform.process import run_process
from services.promotion.app import build_service

run_process(build_service)
