"""The plan: what would come of each certificate, by the rules of the remediation."""

from datetime import timedelta

import pytest

from cli.planning import Planner
from models.errors import AwsCallError, CertificateGoneError, EventError, TransientError
from models.outcome import Outcome
from models.plan import AccountPlan, ExitStatus, decide_exit_status
from models.reference import Gap, GapKind
from models.settings import Settings
from tests.builders import MEMBER_ACCOUNT, NOW, make_certificate, make_reference
from tests.fakes import World

DENIED = AwsCallError("ListServerCertificateTags", "AccessDenied")


def plan(world: World, settings: Settings | None = None) -> AccountPlan:
    """Return the plan for our own account."""
    return make_planner(world, settings).plan(world.accounts.own_id)


def make_planner(world: World, settings: Settings | None = None) -> Planner:
    return Planner(world.accounts, world.security_hub, settings or Settings(), world.clock)


def outcomes(planned: AccountPlan) -> dict[str, Outcome]:
    return {one.name: one.outcome for one in planned.certificates}


class TestPlan:
    """One account."""

    def test_unused(self) -> None:
        """An expired certificate that nothing refers to would be deleted; nothing is."""
        world = World()
        world.add_expired("old")
        assert outcomes(plan(world)) == {"old": Outcome.WOULD_DELETE}
        assert world.certificates.deleted == []
        assert world.security_hub.updates == []

    def test_valid_with_references(self) -> None:
        """A valid certificate has its references too, and Security Hub is not asked about it."""
        world = World()
        fresh = make_certificate("fresh", expiration=NOW + timedelta(days=9))
        world.certificates.put(fresh)
        world.account.found.append(make_reference(fresh.arn))
        [one] = plan(world).certificates
        assert (one.outcome, one.expires) == (Outcome.NOT_EXPIRED, fresh.expiration)
        assert len(one.references) == 1
        assert world.security_hub.calls == []

    def test_gap(self) -> None:
        """A gap leaves candidates unverified, and its place is named everywhere."""
        world = World()
        world.add_expired("old")
        world.account.gaps.append(
            Gap(source="CloudFront", region="global", cause="AccessDenied", kind=GapKind.DENIED)
        )
        planned = plan(world)
        assert (
            planned.certificates[0].gaps == planned.gaps == ("CloudFront (global) (AccessDenied)",)
        )
        assert "Grant the role" not in planned.certificates[0].reason
        assert "--print-policy" in planned.advice[0]

    def test_tags_denied(self) -> None:
        """Tags that cannot be read leave one certificate unverified, and no other."""
        world = World()
        world.add_expired("first", number=1)
        world.add_expired("second", number=2)
        world.certificates.fail("ListServerCertificateTags", DENIED)
        assert sorted(outcomes(plan(world)).values()) == [
            Outcome.UNVERIFIED,
            Outcome.WOULD_DELETE,
        ]

    @pytest.mark.parametrize(
        "error", [AwsCallError("GetFindings", "AccessDenied"), TransientError("x")]
    )
    def test_suppressions_unknown(self, error: Exception) -> None:
        """Whoever cannot ask for suppressed findings proves nothing."""
        world = World()
        world.add_expired("old")
        world.security_hub.fail("GetFindings (suppressed)", error)
        assert outcomes(plan(world)) == {"old": Outcome.UNVERIFIED}

    def test_unclear_suppression(self) -> None:
        """A suppressed finding that is not understood may be about any candidate."""
        world = World()
        world.add_expired("old")
        world.security_hub.unclear_suppressed.append(EventError("odd"))
        assert outcomes(plan(world)) == {"old": Outcome.UNVERIFIED}

    def test_gone_meanwhile(self) -> None:
        """A certificate that went since it was listed is in no plan."""
        world = World()
        world.add_expired("old")
        world.certificates.fail("ListServerCertificateTags", CertificateGoneError("old"))
        assert plan(world).certificates == ()

    def test_scan_fails(self) -> None:
        """Without a scan, what is known of a certificate by itself is still told."""
        world = World()
        world.add_expired("old")
        world.certificates.put(make_certificate("fresh", expiration=NOW + timedelta(days=9)))
        world.account.fail("scan", TransientError("DescribeLoadBalancers answered Throttling"))
        planned = plan(world)
        assert outcomes(planned) == {"old": Outcome.UNVERIFIED, "fresh": Outcome.NOT_EXPIRED}
        assert planned.gaps == ("DescribeLoadBalancers answered Throttling",)
        assert planned.error is None

    def test_without_expiry(self) -> None:
        """A certificate without an expiry is unverified, and can be sorted."""
        world = World()
        world.certificates.put(make_certificate("odd", expiration=None))
        assert outcomes(plan(world)) == {"odd": Outcome.UNVERIFIED}


class TestSeveral:
    """Several accounts."""

    def test_one_fails(self) -> None:
        """An account that cannot be entered has its error, and the others their plans."""
        world = World()
        world.add_expired("old")
        ids = [MEMBER_ACCOUNT, world.accounts.own_id]
        first, second = make_planner(world).plan_all(ids)
        assert [first.account, second.account] == ids
        assert first.error is not None
        assert outcomes(second) == {"old": Outcome.WOULD_DELETE}
        assert decide_exit_status([first, second]) is ExitStatus.UNPROVEN
        assert decide_exit_status([first]) is ExitStatus.ERROR
