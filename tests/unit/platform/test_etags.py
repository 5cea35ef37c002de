"""Entity tags of versions."""

import pytest

from services.platform.http.etags import accepted_versions, etag, require_version
from services.platform.http.problems import Problem


def test_an_etag_names_versions_and_nothing_else_does() -> None:
    assert accepted_versions(None) is None
    assert accepted_versions("*") is None
    assert accepted_versions('"3"') == {3}
    assert accepted_versions('W/"3", "4"') == {3, 4}
    for wrong in ("3", '"0"', '"-1"', '"x"', "", '"3"x', '"' + "9" * 40 + '"'):
        with pytest.raises(Problem) as refused:
            accepted_versions(wrong)
        assert refused.value.code == "invalid_request"


def test_what_is_given_out_is_taken_back() -> None:
    assert accepted_versions(etag(12)) == {12}


def test_another_version_is_refused_with_the_one_that_there_is() -> None:
    require_version("rule", 3, accepted=None)
    require_version("rule", 3, accepted={2, 3})
    with pytest.raises(Problem, match="the rule is at version 3") as refused:
        require_version("rule", 3, accepted={2})

    assert (refused.value.status, dict(refused.value.headers)["ETag"]) == (412, '"3"')
