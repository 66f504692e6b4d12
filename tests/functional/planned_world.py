"""Three accounts with everything that a plan must tell apart, in all Regions."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from local.aws.knobs import DEFAULT_REGIONS, OWN_ACCOUNT
from local.aws.server import Aws
from local.fixtures import seed
from local.fixtures.findings import make_raw_finding

ACCOUNTS = (OWN_ACCOUNT, "222233334444", "333344445555")
ROLE_NAME = "SecurityAudit"
GRACE_PERIOD_DAYS = 14
CERTIFICATES_EACH = 40
CLASSIC_EACH = 80
MODERN_EACH = 20

# How many certificates of each account are of a kind; the others are valid.
UNUSED = 6
IN_USE = 8
TAGGED = 2
SUPPRESSED = 1
IN_GRACE = 3


@dataclass
class PlannedWorld:
    """The accounts, and what belongs to each certificate by its ARN.

    Attributes:
        aws: the local AWS.
        kinds: what was made of each certificate: `unused`, `in-use`, `tagged`, `suppressed`,
            `in-grace` or `valid`.
    """

    aws: Aws
    kinds: dict[str, str] = field(default_factory=dict)

    def build(self) -> None:
        """Create everything."""
        for account_id in ACCOUNTS:
            self._build_account(account_id)

    def _build_account(self, account_id: str) -> None:
        kinds = list(_list_kinds())
        arns: dict[str, list[str]] = {"in-use": [], "valid": []}
        for number, kind in enumerate(kinds):
            made = seed.plant_certificate(
                f"{kind}-{number:02}",
                expires=_choose_expiry(kind, number),
                tags={"iam26:keep": '<script>alert("CHG-7")</script>'} if kind == "tagged" else {},
                account_id=account_id,
            )
            self.kinds[made["Arn"]] = kind
            if kind in arns:
                arns[kind].append(made["Arn"])
            if kind == "suppressed":
                self._suppress(made["Arn"], account_id)
        self._build_load_balancers(account_id, arns["in-use"], arns["valid"])

    def _suppress(self, arn: str, account_id: str) -> None:
        finding = make_raw_finding(arn, account_id=account_id) | {
            "Workflow": {"Status": "SUPPRESSED"}
        }
        self.aws.import_findings([finding])

    def _build_load_balancers(self, account_id: str, used: list[str], valid: list[str]) -> None:
        """Spread load balancers over all Regions, so that each used certificate has several."""
        for number in range(CLASSIC_EACH):
            # Every second has plain listeners alone.
            held = (*used, *valid)[number % 16] if number % 2 else None
            region = DEFAULT_REGIONS[number % len(DEFAULT_REGIONS)]
            seed.create_classic_load_balancer(
                self.aws.client, f"classic-{number:03}", held, region=region, account_id=account_id
            )
        for number in range(MODERN_EACH):
            region = DEFAULT_REGIONS[number % len(DEFAULT_REGIONS)]
            seed.create_load_balancer(
                self.aws.client,
                f"modern-{number:03}",
                used[number % len(used)],
                sni=valid[number % len(valid) :][:1],
                region=region,
                account_id=account_id,
            )


def _list_kinds() -> Iterator[str]:
    special = {
        "unused": UNUSED,
        "in-use": IN_USE,
        "tagged": TAGGED,
        "suppressed": SUPPRESSED,
        "in-grace": IN_GRACE,
    }
    for kind, count in special.items():
        yield from [kind] * count
    yield from ["valid"] * (CERTIFICATES_EACH - sum(special.values()))


def _choose_expiry(kind: str, number: int) -> datetime:
    days = {"in-grace": -3, "valid": 20 + 7 * number}.get(kind, -90 - number)
    return datetime.now(UTC) + timedelta(days=days)
