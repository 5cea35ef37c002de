"""The rules service, put together."""

from datetime import timedelta

from services.platform.clock import Clock, utc_now
from services.platform.database import Database
from services.platform.messaging.outbox import Outbox
from services.platform.schema_state import role_of
from services.platform.service import Loop, Service
from services.platform.settings import Settings
from services.rules.consumer import subscriptions
from services.rules.handlers.confirm import Confirmation
from services.rules.handlers.early import EarlyEvents
from services.rules.handlers.evidence_retention import EvidenceRetention
from services.rules.handlers.intake import Intake
from services.rules.handlers.recheck import Lookout
from services.rules.handlers.requests import RequestDesk
from services.rules.handlers.retention import Retention
from services.rules.handlers.trigger import Trigger
from services.rules.store.rule_books import RuleBooks

SCHEMA = "rules"
# Facts come one by one, and a look at one deployment costs what it costs at twenty.
LOOKOUT_PACE_SECONDS = 0.1


def build_service(settings: Settings, clock: Clock = utc_now) -> Service:
    """Build the service that ``settings`` describe; it connects when it runs."""
    database = Database(
        settings.database_url.get_secret_value(),
        role=role_of(SCHEMA),
        application_name=SCHEMA,
        pool_size=settings.database_pool_size,
        every_organization=True,
    )
    outbox, books = Outbox(SCHEMA), RuleBooks()
    desk = RequestDesk(outbox=outbox, books=books, hold_seconds=settings.hold_seconds)
    intake = Intake(books=books)
    lookout = Lookout(
        database=database,
        desk=desk,
        books=books,
        trigger=Trigger(outbox=outbox),
        clock=clock,
        hold_seconds=settings.hold_seconds,
    )
    early = EarlyEvents(database=database, intake=intake, clock=clock)
    retention = Retention(database=database, clock=clock)
    evidence = EvidenceRetention(database=database, clock=clock, kept=timedelta(days=settings.evidence_kept_days))
    confirmation = Confirmation(database=database, outbox=outbox, clock=clock)
    return Service(
        SCHEMA,
        settings=settings,
        subscriptions=subscriptions(desk, intake),
        loops=[
            Loop("rules lookout", lookout.step, pace_seconds=LOOKOUT_PACE_SECONDS),
            Loop("rules confirmation", confirmation.step, after_batches=False),
            Loop("rules early events", early.step, after_batches=False),
            Loop("rules retention", retention.step, after_batches=False),
            Loop("rules evidence retention", evidence.step, after_batches=False),
        ],
        database=database,
        outbox=outbox,
        clock=clock,
    )
