"""Every command by its name, where its code is, and its line in the help; the code is imported when it is called."""

from cyclopts import App, Group

PROMOTIONS = Group.create_ordered("Promotions")
AROUND = Group.create_ordered("Around them")
LOCAL = Group.create_ordered("On this machine")
OPERATING = Group.create_ordered("Operating")

app = App(
    name="promotion",
    help="Moves deployments of AI agents from one environment to the next, under rules and approvals.",
    help_epilogue=(
        "PROMOTION_URL and PROMOTION_API_KEY say which API to speak to; on this machine: "
        'eval "$(promotion env admin)". '
        "Exit status: 0 ok, 1 failed, 2 usage, 3 not found, 4 not allowed, 5 conflict, 6 ended rejected, "
        "7 ended failed, 8 waits for approval, 9 timed out, 10 unreachable."
    ),
    version_flags=["--version"],
)

_COMMANDS = (
    (PROMOTIONS, "create", "promotions:create", "Ask for a promotion."),
    (PROMOTIONS, "list", "promotions:list_", "List promotions, newest first."),
    (PROMOTIONS, "show", "promotions:show", "Show one promotion."),
    (PROMOTIONS, "history", "promotions:history", "Show every transition and vote of a promotion."),
    (PROMOTIONS, "explain", "explaining:explain", "Say why something does not move, and what would move it."),
    (PROMOTIONS, "watch", "promotions:watch", "Follow a promotion until it ends."),
    (PROMOTIONS, "approve", "votes:approve", "Vote for promotions."),
    (PROMOTIONS, "reject", "votes:reject", "Vote against a promotion: it ends."),
    (PROMOTIONS, "execute", "votes:execute", "Execute an approved promotion."),
    (PROMOTIONS, "break-glass", "votes:break_glass", "Approve a promotion alone, in an emergency."),
    (PROMOTIONS, "cancel", "votes:cancel", "Take a promotion back before it executes."),
    (AROUND, "board", "board:board", "Show what runs where, with what is under way."),
    (
        AROUND,
        "rules",
        "rules:app",
        "What each hop needs: list, show, history, create, update, delete, test, backtest, …",
    ),
    (AROUND, "deployments", "inventory:deployments", "List what runs where."),
    (AROUND, "gateways", "inventory:gateways", "List the gateways: where agents run."),
    (AROUND, "environments", "inventory:environments", "Show or set the order of the environments."),
    (
        AROUND,
        "webhooks",
        "webhooks:app",
        "Addresses that are told of changes: list, show, create, test, deliveries, redeliver, …",
    ),
    (AROUND, "events", "events:app", "Hand in CloudEvents: send."),
    (AROUND, "audit", "audit:app", "The whole history, and the proof that it is whole: list, head, verify, detach."),
    (AROUND, "login", "login:login", "Remember an API's address and a key for it."),
    (AROUND, "logout", "login:logout", "Forget the key."),
    (AROUND, "config", "login:config", "What is remembered: show, set, unset."),
    (AROUND, "completion", "completion:completion", "Print what makes a shell complete commands."),
    (AROUND, "doctor", "doctor:doctor", "Check what commands need, and say what to do where it is missing."),
    (LOCAL, "up", "local:up", "Run the whole system on this machine."),
    (LOCAL, "demo", "local:demo", "Run it, and move one deployment from development to production."),
    (LOCAL, "env", "local:env", "Print the variables that speak to a running local system."),
    (LOCAL, "gateway", "local:gateway", "Run a reference gateway."),
    (OPERATING, "run", "operating:run", "Run one service in the foreground."),
    (OPERATING, "migrate", "operating:migrate", "Bring the database up to date."),
    (OPERATING, "topics", "operating:topics", "Create the Kafka topics that are missing."),
    (OPERATING, "dead", "letters:app", "Records that no service could handle: list, show, replay, discard."),
    (OPERATING, "token", "tokens:app", "API keys, directly on the database: create, list, revoke."),
)
for group, name, place, line in _COMMANDS:
    app.command(f"studio.cli.{place}", name=name, group=group, help=line)
