"""What people do with the console, in a real browser on the running stack."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import SignIn, apart
from tests.browser.office import Office, announcement, ask

Waiting = Callable[[str], str]


@pytest.fixture
def waiting(office: Office) -> Waiting:
    """Have an agent of one's own wait for two approvals into production; give the promotion's id."""

    async def prepare(agent: str) -> str:
        admin, requester = office.caller("admin"), office.caller("requester")
        event = announcement(agent, "1.0.0", "staging")
        await admin.post("/events", event, {"Content-Type": "application/cloudevents+json"})
        await admin.until(f"/deployments/{agent}-1.0.0-staging", status="active")
        promotion = await ask(requester, f"{agent}-1.0.0-staging", agent, "production")
        await requester.until(f"/promotions/{promotion}", status_reason="awaiting_approval")
        return promotion

    return lambda agent: apart(prepare(agent))


def test_the_board_leads_to_what_is_under_way(sign_in: SignIn) -> None:
    page = sign_in("viewer")

    page.get_by_label("Agent", exact=True).fill("invoice")
    page.get_by_role("button", name="Filter").click()
    expect(page).to_have_url(re.compile(r"agent=invoice"))
    expect(page.get_by_role("rowheader")).to_have_text(["invoice-reader"])
    page.get_by_role("link", name="2.4.0, waits for 2 approvals").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("invoice-reader 2.4.0 to production")
    expect(page.get_by_role("button", name="Approve")).to_be_disabled()
    expect(page.get_by_text("Your key does not have the role approver for production.").first).to_be_visible()


def test_a_request_is_approved_in_one_click_and_no_more_is_said_than_is_known(
    sign_in: SignIn, waiting: Waiting
) -> None:
    waiting("one-click")
    page = sign_in("approver")
    page.goto("/inbox")

    page.get_by_role("button", name="Approve one-click 1.0.0").click()

    expect(page.get_by_role("status").first).to_contain_text(
        "Your approval of one-click 1.0.0 for production is recorded; it waits for 1 more approval."
    )
    shown = page.get_by_role("article", name="one-click 1.0.0")
    expect(shown).to_contain_text("1 of 2 approvals: approver")
    expect(shown.get_by_role("button", name="Approve")).to_be_disabled()
    expect(shown).to_contain_text("You have voted already.")


def test_rejecting_asks_for_its_reason(sign_in: SignIn, waiting: Waiting) -> None:
    promotion = waiting("rejected-one")
    page = sign_in("approver")
    page.goto("/inbox")

    page.get_by_role("button", name="Reject rejected-one 1.0.0").click()
    dialog = page.get_by_role("dialog", name="Reject rejected-one 1.0.0")
    expect(dialog.get_by_label("Reason")).to_be_focused()
    dialog.get_by_role("button", name="Reject", exact=True).click()
    expect(dialog).to_be_visible()
    dialog.get_by_label("Reason").fill("Not on a <b>Friday</b>")
    dialog.get_by_role("button", name="Reject", exact=True).click()

    expect(page.get_by_role("status").first).to_contain_text("rejected-one 1.0.0 will not go to production")
    page.goto(f"/promotions/{promotion}")
    expect(page.get_by_text("Not on a <b>Friday</b>").first).to_be_visible()


def test_several_are_decided_at_once(sign_in: SignIn, waiting: Waiting) -> None:
    waiting("several-a")
    waiting("several-b")
    page = sign_in("approver2")
    page.goto("/inbox")

    page.get_by_label("Choose several-a 1.0.0").check()
    page.get_by_label("Choose several-b 1.0.0").check()
    page.get_by_role("button", name="Approve what is checked").click()

    expect(page.get_by_role("status").first).to_contain_text("Your vote to approve is recorded for 2 promotions.")


def test_conditions_are_overridden_with_a_reason_alone(sign_in: SignIn, office: Office) -> None:
    page = sign_in("approver")
    page.goto(f"/promotions/{office.promotions['unmet']}")

    page.get_by_role("button", name="Override…").click()
    page.get_by_role("dialog").get_by_label("Reason").fill("Rolled back by hand if it fails")
    page.get_by_role("dialog").get_by_role("button", name="Approve with override").click()

    expect(page.get_by_text("“Rolled back by hand if it fails”")).to_be_visible()
    expect(page.get_by_role("region", name="Votes")).to_contain_text("override")


def test_what_changes_is_shown_in_another_browser_and_what_is_being_written_stays(
    sign_in: SignIn, waiting: Waiting
) -> None:
    promotion = waiting("live-one")
    watching, acting = sign_in("approver2"), sign_in("approver")
    watching.goto("/inbox")
    title = watching.title()
    watching.get_by_role("button", name="Reject live-one 1.0.0").click()
    reason = watching.get_by_role("dialog", name="Reject live-one 1.0.0").get_by_label("Reason")
    reason.fill("I am still think")

    acting.goto(f"/promotions/{promotion}")
    acting.get_by_role("button", name="Approve", exact=True).click()
    expect(acting.get_by_text("1 of 2 approvals: approver").first).to_be_visible()

    expect(watching.get_by_role("article", name="live-one 1.0.0")).to_contain_text("1 of 2 approvals: approver")
    expect(reason).to_be_focused()
    expect(reason).to_have_value("I am still think")
    reason.press_sequentially("ing")
    expect(reason).to_have_value("I am still thinking")
    assert re.match(r"\(\d+\+?\) Inbox", title)


def test_two_tabs_of_one_browser_share_one_stream(sign_in: SignIn, waiting: Waiting, office: Office) -> None:
    promotion = waiting("two-tabs")
    first = sign_in("viewer")
    second = first.context.new_page()
    streams: list[str] = []
    # Signing in led to a page that follows the changes too, and may only now be about to begin.
    first.goto("about:blank")
    for page in (first, second):
        page.on("request", lambda request: streams.append(request.url) if "/console/changes" in request.url else None)
        page.goto(f"/promotions/{promotion}")
        expect(page.get_by_text("0 of 2 approvals").first).to_be_visible()

    apart(office.caller("approver").post(f"/promotions/{promotion}/approve", {}))

    for page in (first, second):
        expect(page.get_by_text("1 of 2 approvals: approver").first).to_be_visible()
    assert len(streams) == 1


def test_a_rule_is_written_with_its_errors_beside_the_line_and_tested_while_it_is_written(sign_in: SignIn) -> None:
    page = sign_in("admin")
    page.goto("/rules/new")
    page.get_by_label("Name").fill("Latency")
    page.get_by_role("combobox", name="From").select_option("staging")
    page.get_by_role("combobox", name="To", exact=True).select_option("production")
    page.get_by_role("combobox", name="Status").select_option("shadow")
    conditions = page.get_by_role("textbox", name="Conditions")

    conditions.fill('{"all": [\n  {"field": "tests.pass_rat", "op": "gte", "value": 95}\n]}')
    expect(page.get_by_text(re.compile("^Line 2: .*tests.pass_rat"))).to_be_visible()
    expect(conditions).to_be_focused()

    page.get_by_role("combobox", name="Deployment").select_option("invoice-reader-2.4.0-staging")
    conditions.fill('{"all": [\n  {"field": "tests.pass_rate", "op": "gte", "value": 99.5}\n]}')
    expect(page.locator("#tested")).to_contain_text("tests.pass_rate ≥ 99.5")
    expect(page.locator("#tested")).to_contain_text("is 99")

    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").first).to_contain_text("Latency is saved as version 1.")
    page.get_by_role("spinbutton", name="Approvers").fill("3")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Version 2", exact=True)).to_be_visible()
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("status").first).to_contain_text("The rule is deleted.")


def test_a_promotion_is_asked_for_on_the_agents_page(sign_in: SignIn, office: Office) -> None:
    event = announcement("asked-here", "1.0.0", "development")
    admin = office.caller("admin")
    apart(admin.post("/events", event, {"Content-Type": "application/cloudevents+json"}))
    apart(admin.until("/deployments/asked-here-1.0.0-development", status="active"))
    page = sign_in("requester")
    page.goto("/agents/asked-here")

    page.get_by_role("button", name="Promote 1.0.0 to staging").click()

    expect(page.get_by_role("heading", level=1)).to_contain_text("asked-here")
    expect(page.get_by_text("Deployed", exact=True).first).to_be_visible()


def test_everything_works_without_a_script(sign_in: SignIn, waiting: Waiting) -> None:
    waiting("no-script")
    page = sign_in("approver", java_script_enabled=False)
    page.goto("/inbox")

    page.get_by_role("button", name="Reject no-script 1.0.0").click()
    dialog = page.get_by_role("dialog", name="Reject no-script 1.0.0")
    dialog.get_by_label("Reason").fill("By hand")
    dialog.get_by_role("button", name="Reject", exact=True).click()

    expect(page.get_by_role("status").first).to_contain_text("no-script 1.0.0 will not go to production")


def test_a_link_from_elsewhere_finds_who_is_signed_in(sign_in: SignIn, office: Office) -> None:
    page = sign_in("viewer")
    address = f"{office.ready['api']}/promotions/{office.promotions['waiting']}"
    page.route("http://chat.example/", lambda route: route.fulfill(
        content_type="text/html", body=f'<a href="{address}">look</a>'
    ))  # fmt: skip
    page.goto("http://chat.example/")

    page.get_by_role("link").click()

    expect(page.get_by_role("heading", level=1)).to_contain_text("invoice-reader")


def test_another_sites_form_changes_nothing(sign_in: SignIn, office: Office) -> None:
    page = sign_in("approver")
    action = f"{office.ready['api']}/promotions/{office.promotions['waiting']}/approve"
    page.route("http://evil.example/", lambda route: route.fulfill(
        content_type="text/html", body=f'<form method="post" action="{action}"><button>win</button></form>'
    ))  # fmt: skip
    page.goto("http://evil.example/")

    page.get_by_role("button").click()

    expect(page.get_by_text("This did not come from a page of this console.")).to_be_visible()
    promotion = apart(office.caller("viewer").get(f"/promotions/{office.promotions['waiting']}"))
    assert promotion["votes"] == []


def test_nobody_sees_anything_without_signing_in(browser: Browser, office: Office) -> None:
    context = browser.new_context(base_url=office.ready["api"])
    page = context.new_page()

    page.goto("/inbox")
    expect(page).to_have_url(re.compile(r"/sign-in\?next=/inbox$"))
    page.get_by_label("API key").fill(office.ready["tokens"]["viewer"])
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile(r"/inbox$"))
    [session] = [cookie for cookie in context.cookies() if cookie["name"] == "session"]
    page.get_by_role("button", name="Sign out").click()
    page.goto("/")

    expect(page).to_have_url(re.compile(r"/sign-in"))
    assert (session["httpOnly"], session["sameSite"]) == (True, "Strict")
    context.close()


def test_what_others_wrote_is_text_and_never_code(sign_in: SignIn, office: Office) -> None:
    alerts: list[str] = []
    page = sign_in("admin")
    page.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))
    name = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    rule = {
        "name": name, "source_environment": "development", "target_environment": "staging", "status": "disabled",
    }  # fmt: skip
    apart(office.caller("admin").post("/promotions/rules", rule))

    page.goto("/rules")

    expect(page.get_by_role("link", name=name)).to_be_visible()
    assert alerts == []


def test_another_organization_sees_nothing_of_this_one(sign_in: SignIn, office: Office) -> None:
    page = sign_in("outsider")

    for path in ("/", "/inbox", "/promotions", "/rules", "/audit", "/charts", "/dead-letters", "/webhooks", "/health"):
        page.goto(path)
        content = page.content()
        assert not [canary for canary in ("invoice-reader", "Into production", "requester") if canary in content], path
    foreign = page.goto(f"/promotions/{office.promotions['waiting']}")
    random = page.request.get("/promotions/6f1d3c0e-6d0c-4c0b-9b0a-8a2f4e1c7d53")

    assert foreign is not None
    assert (foreign.status, random.status) == (404, 404)


def test_a_dead_letter_is_looked_at_and_dealt_with(sign_in: SignIn) -> None:
    page = sign_in("admin")
    page.goto("/dead-letters")

    page.get_by_role("link", name="id_reuse").first.click()
    expect(page.get_by_role("region", name="The record")).to_contain_text("invoice-reader-2.4.0-staging")
    page.get_by_role("button", name="Discard…").click()
    page.get_by_role("dialog").get_by_label("Reason").fill("Sent twice by mistake")
    page.get_by_role("dialog").get_by_role("button", name="Discard").click()

    expect(page.get_by_text("“Sent twice by mistake”")).to_be_visible()
    page.goto("/dead-letters")
    expect(page.get_by_role("main")).not_to_contain_text("id_reuse")


def test_dead_letters_say_for_whom_they_are(sign_in: SignIn) -> None:
    page = sign_in("viewer")

    page.goto("/dead-letters")

    expect(page.get_by_text("They are for administrators and operators")).to_be_visible()


def test_an_administrator_breaks_the_glass_with_a_reason_alone(sign_in: SignIn, waiting: Waiting) -> None:
    promotion = waiting("emergency")
    approver, page = sign_in("approver"), sign_in("admin")
    approver.goto(f"/promotions/{promotion}")
    page.goto(f"/promotions/{promotion}")

    page.get_by_role("button", name="Break the glass…").click()
    dialog = page.get_by_role("dialog", name="Break the glass")
    dialog.get_by_role("button", name="Break the glass").click()
    expect(dialog).to_be_visible()
    dialog.get_by_label("Reason").fill("Production is down and it is Sunday")
    dialog.get_by_role("button", name="Break the glass").click()

    expect(page.get_by_role("status").first).to_contain_text("You broke the glass for emergency 1.0.0 to production.")
    expect(page.get_by_role("region", name="Votes")).to_contain_text("broke the glass")
    expect(page.get_by_text("“Production is down and it is Sunday”")).to_be_visible()
    expect(approver.get_by_role("button", name="Break the glass…")).to_have_count(0)


def test_a_webhook_is_registered_tried_out_given_a_new_secret_and_deleted(sign_in: SignIn, office: Office) -> None:
    page = sign_in("admin")
    page.goto("/webhooks/new")

    page.get_by_label("Name").fill("Tried out")
    page.get_by_label("Address").fill("http://10.1.2.3/hook")
    page.get_by_role("button", name="Register").click()
    expect(page.get_by_role("alert")).to_contain_text("not allowed")
    page.get_by_label("Address").fill(f"{office.ready['gateways'][0]['url']}/hook")
    page.get_by_role("button", name="Register").click()
    expect(page.get_by_role("main")).to_contain_text("whsec_")
    page.get_by_role("link", name="I have it").click()
    expect(page.get_by_role("main")).not_to_contain_text("whsec_")
    page.get_by_role("button", name="Send a test").click()
    expect(page.get_by_role("region", name="What was sent")).to_contain_text("webhook.test")
    page.get_by_role("button", name="New secret…").click()
    page.get_by_role("dialog").get_by_label("ends now").check()
    page.get_by_role("dialog").get_by_role("button", name="New secret").click()
    expect(page.get_by_role("main")).to_contain_text("No old secret signs any more.")
    page.get_by_role("link", name="I have it").click()
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()

    expect(page.get_by_role("status").first).to_contain_text("The webhook is deleted.")
    expect(page.get_by_role("main")).not_to_contain_text("Tried out")
