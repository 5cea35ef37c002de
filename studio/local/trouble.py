"""What every local server raises when it cannot run: one sentence that a person can act on."""


class StartError(RuntimeError):
    """A local server could not be started; the message says what was wrong and what to do."""
