"""Commands about webhooks, and the verb for emergencies: what they send and what they print."""

import json

import pytest

from studio.cli import run
from studio.services.promotion_service import PromotionService
from tests.unit.studio.fake_api import DELIVERY, KEY, PROMOTION_ID, WEBHOOK, FakeApi, problem, promotion

HERE = f"/webhooks/{WEBHOOK['id']}"
SENT = f"{HERE}/deliveries/{DELIVERY['id']}"
SECRET = "whsec_" + "a" * 43
Capture = pytest.CaptureFixture[str]


def test_creating_sends_the_filter_and_shows_the_secret(api_elsewhere: FakeApi, capsys: Capture) -> None:
    api_elsewhere.plan("POST", "/webhooks", WEBHOOK | {"secret": SECRET})

    status = run(
        ["webhooks", "create", "Approvers", "https://hooks.example/a", "--reason", "awaiting_approval",
         "--to", "staging", "--to", "production"]
    )  # fmt: skip

    assert status == 0
    assert f"secret\t{SECRET}" in capsys.readouterr().out
    assert api_elsewhere.asked[0].body == {
        "name": "Approvers",
        "url": "https://hooks.example/a",
        "filter": {"reasons": ["awaiting_approval"], "target_environments": ["staging", "production"]},
    }


def test_without_a_filter_it_is_told_of_everything(api_elsewhere: FakeApi) -> None:
    api_elsewhere.plan("POST", "/webhooks", WEBHOOK | {"secret": SECRET})

    run(["webhooks", "create", "All", "https://hooks.example/a"])
    run(["webhooks", "create", "Glass", "https://hooks.example/a", "--break-glass"])

    assert [asked.body["filter"] for asked in api_elsewhere.asked] == [{}, {"break_glass": True}]


def test_the_list_shows_what_each_wants_and_how_it_does(api_elsewhere: FakeApi, capsys: Capture) -> None:
    api_elsewhere.plan("GET", "/webhooks", {"items": [WEBHOOK], "next_cursor": None})

    run(["webhooks", "list"])

    fields = capsys.readouterr().out.rstrip("\n").split("\t")
    assert fields[0] == WEBHOOK["id"]
    assert (fields[3], fields[6]) == ("active", "reasons: awaiting_approval")


def test_one_is_shown_with_the_reason_for_which_it_is_disabled(api_elsewhere: FakeApi, capsys: Capture) -> None:
    api_elsewhere.plan("GET", HERE, WEBHOOK | {"status": "disabled", "status_reason": "it answered 410 Gone"})

    run(["webhooks", "show", str(WEBHOOK["id"])])

    assert "why disabled\tit answered 410 Gone" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "changed"),
    [
        (("enable",), {"status": "active"}),
        (("disable",), {"status": "disabled"}),
        (("update", "--name", "Others"), {"name": "Others"}),
        (("update", "--address", "https://other.example"), {"url": "https://other.example"}),
    ],
)
def test_a_change_keeps_the_rest(api_elsewhere: FakeApi, command: tuple[str, ...], changed: dict[str, str]) -> None:
    api_elsewhere.plan("GET", HERE, WEBHOOK)
    api_elsewhere.plan("PUT", HERE, WEBHOOK)

    status = run(["webhooks", command[0], str(WEBHOOK["id"]), *command[1:]])

    (sent,) = api_elsewhere.requests("PUT", HERE)
    kept = {name: WEBHOOK[name] for name in ("name", "url", "status")}
    assert status == 0
    assert {name: sent.body[name] for name in kept} == kept | changed
    assert sent.body["filter"]["reasons"] == ["awaiting_approval"]
    assert sent.headers["If-Match"] == '"3"'


def test_a_change_of_nothing_is_a_usage_error(api_elsewhere: FakeApi) -> None:
    assert run(["webhooks", "update", str(WEBHOOK["id"])]) == 2


def test_a_new_secret_is_shown(api_elsewhere: FakeApi, capsys: Capture) -> None:
    api_elsewhere.plan("POST", f"{HERE}/rotate-secret", WEBHOOK | {"secret": SECRET})

    run(["webhooks", "rotate-secret", str(WEBHOOK["id"]), "--overlap-seconds", "60"])

    assert SECRET in capsys.readouterr().out
    assert api_elsewhere.asked[0].body == {"overlap_seconds": 60}


def test_deliveries_are_listed_and_one_is_shown_whole(api_elsewhere: FakeApi, capsys: Capture) -> None:
    api_elsewhere.plan("GET", f"{HERE}/deliveries", {"items": [DELIVERY], "next_cursor": "more"})
    api_elsewhere.plan("GET", SENT, DELIVERY | {"body": {"type": "promotion.changed"}})

    run(["webhooks", "deliveries", str(WEBHOOK["id"]), "--status", "waiting"])
    listed = capsys.readouterr()
    run(["webhooks", "deliveries", str(WEBHOOK["id"]), str(DELIVERY["id"])])
    shown = capsys.readouterr().out

    assert api_elsewhere.asked[0].query == {"status": "waiting", "limit": "50"}
    assert "the answer is 503" in listed.out
    assert "--cursor more" in listed.err
    assert 'body\t{"type": "promotion.changed"}' in shown


def test_a_test_and_a_redelivery_show_what_is_on_its_way(api_elsewhere: FakeApi, capsys: Capture) -> None:
    api_elsewhere.plan("POST", f"{HERE}/test", DELIVERY | {"event": "webhook.test", "promotion_id": None})
    api_elsewhere.plan("POST", f"{SENT}/redeliver", DELIVERY)

    statuses = [
        run(["webhooks", "test", str(WEBHOOK["id"])]),
        run(["webhooks", "redeliver", str(WEBHOOK["id"]), str(DELIVERY["id"]), str(DELIVERY["id"])]),
    ]

    assert statuses == [0, 0]
    assert [line.split("\t")[1] for line in capsys.readouterr().out.splitlines()] == [
        "webhook.test", "promotion.changed", "promotion.changed",
    ]  # fmt: skip


def test_deleting_says_so_and_a_missing_one_is_status_three(api_elsewhere: FakeApi, capsys: Capture) -> None:
    api_elsewhere.plan("DELETE", HERE, {})

    assert run(["webhooks", "delete", str(WEBHOOK["id"])]) == 0
    assert "is deleted" in capsys.readouterr().err
    assert run(["webhooks", "delete", "another"]) == 3


def test_breaking_the_glass_needs_a_reason_and_says_what_it_does(api_elsewhere: FakeApi, capsys: Capture) -> None:
    path = f"/promotions/{PROMOTION_ID}/break-glass"
    api_elsewhere.plan("POST", path, promotion(status="approved", status_reason="executing"))

    without = run(["break-glass", PROMOTION_ID])
    status = run(["break-glass", PROMOTION_ID, "--reason", "production is down"])

    assert (without, status) == (2, 0)
    assert [asked.body for asked in api_elsewhere.requests("POST", path)] == [{"reason": "production is down"}]
    assert "breaking the glass" in capsys.readouterr().err


def test_breaking_the_glass_without_the_role_is_status_four(api_elsewhere: FakeApi) -> None:
    api_elsewhere.plan(
        "POST",
        f"/promotions/{PROMOTION_ID}/break-glass",
        lambda: problem(403, "forbidden", "this needs the role admin"),
    )

    assert run(["break-glass", PROMOTION_ID, "--reason", "production is down"]) == 4


async def test_the_python_door_breaks_the_glass_as_its_own_key_alone(api: FakeApi) -> None:
    api.plan("POST", f"/promotions/{PROMOTION_ID}/break-glass", promotion(status="approved"))

    promoted = await PromotionService(api.url, KEY).break_glass(PROMOTION_ID, "production is down")

    assert promoted["status"] == "approved"
    assert api.asked[0].body == {"reason": "production is down"}
    assert "On-Behalf-Of" not in api.asked[0].headers


async def test_the_python_door_looks_after_webhooks(api: FakeApi) -> None:
    api.plan("POST", "/webhooks", WEBHOOK | {"secret": SECRET})
    api.plan("GET", "/webhooks", {"items": [WEBHOOK], "next_cursor": None})
    api.plan("GET", f"{HERE}/deliveries", {"items": [DELIVERY], "next_cursor": None})
    api.plan("POST", f"{HERE}/test", DELIVERY)
    api.plan("DELETE", HERE, {})
    service = PromotionService(api.url, KEY)

    made = await service.create_webhook({"name": "Approvers", "url": "https://hooks.example/a"})
    listed = await service.list_webhooks()
    log = await service.list_webhook_deliveries(made["id"])
    sent = await service.test_webhook(made["id"])
    await service.delete_webhook(made["id"])

    assert made["secret"] == SECRET
    assert [webhook["id"] for webhook in listed] == [WEBHOOK["id"]]
    assert json.dumps(log) == json.dumps([sent])
    assert api.asked[1].query == {"limit": "200"}
