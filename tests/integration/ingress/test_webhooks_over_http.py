"""Webhooks over HTTP: made, shown, changed and tried out by administrators, each organization's for itself."""

from typing import Any
from uuid import uuid4

import pytest

from tests.integration.ingress.conftest import Answer, Door

BODY: dict[str, Any] = {"name": "Approvers", "url": "https://hooks.example/promotion?channel=1"}


async def made(door: Door, **more: Any) -> dict[str, Any]:
    answer = await door.call("POST", "/api/v1/webhooks", {**BODY, **more})
    assert answer.status == 201, answer.body
    created: dict[str, Any] = answer.body
    return created


async def test_a_webhook_is_made_with_a_secret_that_is_shown_once(door: Door) -> None:
    answer = await door.call("POST", "/api/v1/webhooks", {**BODY, "filter": {"reasons": ["awaiting_approval"]}})
    one = await door.call("GET", f"/api/v1/webhooks/{answer.body['id']}")
    listed = await door.call("GET", "/api/v1/webhooks")

    assert answer.status == 201
    assert answer.headers["Location"] == f"/api/v1/webhooks/{answer.body['id']}"
    assert answer.body["secret"].startswith("whsec_")
    assert "secret" not in one.body
    assert [item["id"] for item in listed.items] == [answer.body["id"]]
    assert one.body["filter"]["reasons"] == ["awaiting_approval"]
    assert (one.body["status"], one.body["failures"], one.body["created_by"]) == ("active", 0, "admin-of-acme")
    (stored,) = await door.execute("SELECT secret FROM notifications.webhook")
    assert answer.body["secret"] not in stored["secret"]
    assert answer.body["secret"][6:] not in stored["secret"]


async def test_a_secret_may_be_brought_along(door: Door) -> None:
    own = "whsec_" + "a" * 43 + "="

    assert (await made(door, secret=own))["secret"].startswith("whsec_aaaa")


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"url": "ftp://hooks.example"}, "/url"),
        ({"url": "https://user:hunter2@hooks.example"}, "/url"),
        ({"url": "https://10.0.0.1/"}, "/url"),
        ({"url": "http://169.254.169.254/latest"}, "/url"),
        ({"url": "http://2130706433/"}, "/url"),
        ({"url": "https://hooks.example:5432/"}, "/url"),
        ({"url": "https://hooks.example/#part"}, "/url"),
        ({"secret": "whsec_short"}, "/secret"),
        ({"filter": {"statuses": ["done"]}}, "/filter/statuses/0"),
        ({"filter": {"colour": "red"}}, "/filter/colour"),
        ({"name": " "}, "/name"),
        ({"retries": 3}, "/retries"),
    ],
)
async def test_what_is_wrong_is_named_and_nothing_is_kept(door: Door, wrong: dict[str, Any], path: str) -> None:
    answer = await door.call("POST", "/api/v1/webhooks", {**BODY, **wrong})

    assert answer.status == 422
    assert [error["path"] for error in answer.body["errors"]] == [path]
    assert "hunter2" not in str(answer.body)
    assert "whsec_short" not in str(answer.body)
    assert (await door.call("GET", "/api/v1/webhooks")).items == []


async def test_a_filter_of_a_newer_version_is_shown_whole_and_not_taken_back_in_part(door: Door) -> None:
    webhook = await made(door)
    path = f"/api/v1/webhooks/{webhook['id']}"
    await door.execute("""UPDATE notifications.webhook SET filter = '{"statuses": ["paused"], "colours": ["red"]}'""")

    shown = await door.call("GET", path)
    listed = await door.call("GET", "/api/v1/webhooks")
    back = await door.call("PUT", path, {**BODY, "filter": shown.body["filter"]})

    assert (shown.body["filter"]["statuses"], shown.body["filter"]["colours"]) == (["paused"], ["red"])
    assert listed.items == [shown.body]
    assert (back.status, {error["path"] for error in back.body["errors"]}) == (
        422,
        {"/filter/statuses/0", "/filter/colours"},
    )


async def test_a_webhook_is_replaced_and_keeps_its_secret(door: Door) -> None:
    webhook = await made(door)
    before = await door.execute("SELECT secret FROM notifications.webhook")

    answer = await door.call("PUT", f"/api/v1/webhooks/{webhook['id']}", {**BODY, "name": "All", "status": "disabled"})

    assert (answer.status, answer.body["name"], answer.body["status"]) == (200, "All", "disabled")
    assert await door.execute("SELECT secret FROM notifications.webhook") == before


async def test_what_was_changed_meanwhile_is_not_overwritten(door: Door) -> None:
    webhook = await made(door)
    path = f"/api/v1/webhooks/{webhook['id']}"
    read = await door.call("GET", path)
    seen = {"If-Match": read.headers["ETag"]}
    renamed = await door.call("PUT", path, {**BODY, "name": "Others"}, headers=seen)

    refused = [
        await door.call("PUT", path, BODY, headers=seen),
        await door.call("POST", f"{path}/rotate-secret", {}, headers=seen),
        await door.call("DELETE", path, headers=seen),
    ]

    assert (read.headers["ETag"], read.body["version"]) == ('"1"', 1)
    assert (renamed.status, renamed.headers["ETag"], renamed.body["version"]) == (200, '"2"', 2)
    assert [(answer.status, answer.headers["ETag"]) for answer in refused] == [(412, '"2"')] * 3
    assert (await door.call("GET", path)).body == renamed.body
    assert (await door.call("PUT", path, BODY, headers={"If-Match": "2"})).status == 422
    rotated = await door.call("POST", f"{path}/rotate-secret", {}, headers={"If-Match": '"2"'})
    assert (rotated.status, rotated.headers["ETag"]) == (200, '"3"')
    assert (await door.call("DELETE", path, headers={"If-Match": '"3"'})).status == 204


async def test_one_that_was_disabled_begins_anew(door: Door) -> None:
    webhook = await made(door)
    await door.execute(
        "UPDATE notifications.webhook SET status = 'disabled', status_reason = 'it took nothing', failures = 12, "
        "failing_since = now(), rests_until = now()"
    )
    shown = await door.call("GET", f"/api/v1/webhooks/{webhook['id']}")

    renamed = await door.call(
        "PUT", f"/api/v1/webhooks/{webhook['id']}", {**BODY, "name": "Other", "status": "disabled"}
    )
    awake = await door.call("PUT", f"/api/v1/webhooks/{webhook['id']}", BODY)

    assert (shown.body["status_reason"], shown.body["failures"]) == ("it took nothing", 12)
    assert renamed.body["status_reason"] == "it took nothing"
    assert (awake.body["status"], awake.body["status_reason"], awake.body["failures"]) == ("active", None, 0)
    (row,) = await door.execute("SELECT active_since > created_at AS anew FROM notifications.webhook")
    assert row["anew"]


async def test_a_secret_is_rotated_with_an_overlap_or_at_once(door: Door) -> None:
    webhook = await made(door)
    path = f"/api/v1/webhooks/{webhook['id']}/rotate-secret"

    overlapping = await door.call("POST", path, {})
    at_once = await door.call("POST", path, {"overlap_seconds": 0})

    assert overlapping.status == 200
    assert len({webhook["secret"], overlapping.body["secret"], at_once.body["secret"]}) == 3
    assert overlapping.body["previous_secret_until"] is not None
    assert at_once.body["previous_secret_until"] is None
    assert (await door.call("POST", path, {"overlap_seconds": 10**9})).status == 422


async def test_no_more_secrets_sign_than_may_and_none_is_dropped_before_its_time(door: Door) -> None:
    webhook = await made(door)
    path = f"/api/v1/webhooks/{webhook['id']}"

    rotated = [await door.call("POST", f"{path}/rotate-secret", {"overlap_seconds": 3600 * n}) for n in (4, 1, 2, 3)]
    refused = await door.call("POST", f"{path}/rotate-secret", {})
    shown = await door.call("GET", path)

    assert [answer.status for answer in rotated] == [200] * 4
    assert (refused.status, refused.body["type"]) == (409, "urn:promotion:problem:too_many_secrets")
    assert "overlap_seconds 0" in refused.body["detail"]
    assert shown.body["previous_secret_until"] == rotated[0].body["previous_secret_until"]
    at_once = await door.call("POST", f"{path}/rotate-secret", {"overlap_seconds": 0})
    assert (at_once.status, at_once.body["previous_secret_until"]) == (200, None)


async def test_a_test_is_sent_and_shown_in_the_log(door: Door) -> None:
    webhook = await made(door, filter={"reasons": ["awaiting_approval"]})
    path = f"/api/v1/webhooks/{webhook['id']}"

    sent = await door.call("POST", f"{path}/test")
    log = await door.call("GET", f"{path}/deliveries")
    whole = await door.call("GET", f"{path}/deliveries/{sent.body['id']}")

    assert (sent.status, sent.body["event"], sent.body["status"]) == (202, "webhook.test", "waiting")
    assert log.items == [sent.body]
    assert sent.body["next_attempt_at"] is not None
    assert whole.body["body"]["type"] == "webhook.test"
    assert whole.body["body"]["data"]["sent_by"] == "admin-of-acme"


async def test_the_log_is_paged_newest_first_and_filtered(door: Door) -> None:
    webhook = await made(door)
    path = f"/api/v1/webhooks/{webhook['id']}"
    sent = [(await door.call("POST", f"{path}/test")).body["id"] for _ in range(5)]
    await door.execute(
        "UPDATE notifications.delivery SET status = 'failed', ended_at = now(), last_status = 500 WHERE id = $1",
        sent[0],
    )

    first = await door.call("GET", f"{path}/deliveries?limit=3")
    second = await door.call("GET", f"{path}/deliveries?limit=3&cursor={first.body['next_cursor']}")
    failed = await door.call("GET", f"{path}/deliveries?status=failed")

    assert [item["id"] for item in [*first.items, *second.items]] == sent[::-1]
    assert second.body["next_cursor"] is None
    assert [(item["id"], item["last_status"], item["next_attempt_at"]) for item in failed.items] == [
        (sent[0], 500, None)
    ]
    assert (await door.call("GET", f"{path}/deliveries?cursor=x")).status == 422


async def test_a_delivery_is_sent_again(door: Door) -> None:
    webhook = await made(door)
    path = f"/api/v1/webhooks/{webhook['id']}"
    sent = (await door.call("POST", f"{path}/test")).body
    await door.execute("UPDATE notifications.delivery SET status = 'failed', ended_at = now(), attempts = 7")

    again = await door.call("POST", f"{path}/deliveries/{sent['id']}/redeliver")

    assert (again.status, again.body["status"], again.body["attempts"]) == (202, "waiting", 0)
    assert again.body["event_id"] == sent["event_id"]
    assert (await door.call("POST", f"{path}/deliveries/{uuid4()}/redeliver")).status == 404


async def test_nothing_is_sent_to_a_disabled_webhook(door: Door) -> None:
    webhook = await made(door)
    path = f"/api/v1/webhooks/{webhook['id']}"
    sent = (await door.call("POST", f"{path}/test")).body
    await door.call("PUT", path, {**BODY, "status": "disabled"})

    answers = [
        await door.call("POST", f"{path}/test"),
        await door.call("POST", f"{path}/deliveries/{sent['id']}/redeliver"),
    ]

    assert [answer.status for answer in answers] == [409, 409]
    assert "make it active first" in answers[0].body["detail"]


async def test_a_deleted_webhook_is_gone_with_its_log(door: Door) -> None:
    webhook = await made(door)
    path = f"/api/v1/webhooks/{webhook['id']}"
    sent = (await door.call("POST", f"{path}/test")).body

    deleted = await door.call("DELETE", path)

    assert deleted.status == 204
    after = [
        await door.call("GET", path),
        await door.call("DELETE", path),
        await door.call("GET", f"{path}/deliveries"),
        await door.call("GET", f"{path}/deliveries/{sent['id']}"),
        await door.call("POST", f"{path}/test"),
    ]
    assert {answer.status for answer in after} == {404}
    assert (await door.call("GET", "/api/v1/webhooks")).items == []


async def test_another_organizations_webhook_is_as_one_that_there_never_was(door: Door) -> None:
    webhook = await made(door)
    sent = (await door.call("POST", f"/api/v1/webhooks/{webhook['id']}/test")).body

    async def tried(identifier: str) -> list[Answer]:
        path = f"/api/v1/webhooks/{identifier}"
        return [
            await door.call(method, f"{path}{rest}", body, organization="globex")
            for method, rest, body in (
                ("GET", "", None), ("PUT", "", BODY), ("DELETE", "", None), ("POST", "/test", None),
                ("POST", "/rotate-secret", {}), ("GET", "/deliveries", None),
                ("GET", f"/deliveries/{sent['id']}", None),
                ("POST", f"/deliveries/{sent['id']}/redeliver", None),
            )
        ]  # fmt: skip

    foreign, random = await tried(webhook["id"]), str(uuid4())
    unknown = await tried(random)

    assert {answer.status for answer in foreign} == {404}
    assert [str(answer.body).replace(webhook["id"], random) for answer in foreign] == [
        str(answer.body) for answer in unknown
    ]
    assert (await door.call("GET", "/api/v1/webhooks", organization="globex")).items == []


async def test_there_are_so_many_and_no_more(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.notifications.commands.MOST_WEBHOOKS", 3)
    for _ in range(3):
        await made(door)

    refused = await door.call("POST", "/api/v1/webhooks", BODY)
    page = await door.call("GET", "/api/v1/webhooks?limit=2")
    rest = await door.call("GET", f"/api/v1/webhooks?limit=2&cursor={page.body['next_cursor']}")

    assert (refused.status, refused.body["type"]) == (409, "urn:promotion:problem:too_many_webhooks")
    assert len({item["id"] for item in [*page.items, *rest.items]}) == 3
