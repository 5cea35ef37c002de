"""Runs the ingress as a process of its own."""

from services.ingress.app import build_service
from services.platform.process import run_process

if __name__ == "__main__":
    run_process(build_service)
