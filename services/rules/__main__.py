"""Runs the rules service alone."""

from services.platform.process import run_process
from services.rules.app import build_service

run_process(build_service)
