"""`python -m studio.gateway`: the reference gateway from the command line."""

import sys

import cyclopts

from studio.gateway.run import run_gateway

app = cyclopts.App(name="python -m studio.gateway", result_action="return_value")
app.default(run_gateway)

if __name__ == "__main__":
    sys.exit(app())
