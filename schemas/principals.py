"""Who counts as whom: the one form under which every spelling of a subject is one person."""

import unicodedata


def principal_key(subject: str) -> str:
    """Give the form of ``subject`` that is compared; two subjects with one key are one person.

    Case, width, ligatures and composition make no second person. Folding may undo normalization, so that it is done
    until nothing changes any more.
    """
    folded = _folded(subject)
    while (again := _folded(folded)) != folded:
        folded = again
    return folded


def _folded(subject: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", subject).casefold())
