"""The page of three accounts, with 120 certificates."""

from datetime import UTC, datetime, timedelta

from cli.pages import Page
from cli.plan_page import compose_plan_page
from models.plan import SHOWN_OUTCOMES, AccountPlan, PlannedCertificate
from models.reference import Coverage

NOW = datetime(2026, 11, 26, 6, 0, tzinfo=UTC)
ACCOUNTS = ("111122223333", "222233334444", "333344445555")
EACH = 40
HOSTILE = "<script>document.title = 'it ran'</script>"


def make_world_page() -> Page:
    """Return the plan's page for three accounts with forty certificates each."""
    return compose_plan_page([_plan_account(account_id) for account_id in ACCOUNTS])


def _plan_account(account_id: str) -> AccountPlan:
    return AccountPlan(
        account=account_id,
        generated_at=NOW,
        regions=("eu-west-1", "us-east-1"),
        certificates=tuple(_plan_certificate(account_id, number) for number in range(EACH)),
        gaps=("Classic Load Balancer in eu-west-1 (AccessDenied)",),
        evidence=(Coverage(source="CloudFront", region="global", examined=3, checked_at=NOW),),
    )


def _plan_certificate(account_id: str, number: int) -> PlannedCertificate:
    outcome = list(SHOWN_OUTCOMES)[number % len(SHOWN_OUTCOMES)]
    name = f"certificate-{number:02}-{'long-' * (number % 12)}name"
    return PlannedCertificate(
        name=name,
        id=f"ASCAEXAMPLE{number:010}",
        arn=f"arn:aws:iam::{account_id}:server-certificate/{name}",
        expires=NOW + timedelta(days=number - 20),
        outcome=outcome,
        reason=f"Kept: it carries the tag iam26:keep ({HOSTILE}).",
        references=tuple(f"Classic Load Balancer web-{n}:443 in us-east-1" for n in range(3)),
    )
