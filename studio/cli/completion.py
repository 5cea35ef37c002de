"""The command that teaches a shell to complete the others: completion."""

import sys
from typing import Literal


def completion(shell: Literal["bash", "zsh", "fish"], /) -> None:
    """Print what makes a shell complete commands and options.

    bash: promotion completion bash > ~/.local/share/bash-completion/completions/promotion.
    zsh: into a file _promotion in a folder of $fpath. fish: into ~/.config/fish/completions/promotion.fish.

    Parameters
    ----------
    shell
        The shell.
    """
    from studio.cli.app import app

    # Here `shell` names one; nothing is run.
    script = app.generate_completion(prog_name="promotion", shell=shell)  # nosec B604
    sys.stdout.write(script)
