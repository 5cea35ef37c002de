"""Notifications as a process: ``python -m services.notifications``."""

from services.notifications.app import build_service
from services.platform.process import run_process

if __name__ == "__main__":
    run_process(build_service)
