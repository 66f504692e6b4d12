"""References: who holds a certificate, who holds one that is gone, and what was looked at."""

from datetime import timedelta

import pytest

from models.reference import GLOBAL, Coverage, CoverageState, Gap
from tests.builders import (
    CERTIFICATE_ID,
    NOW,
    make_arn,
    make_certificate,
    make_reference,
    make_references,
)


def make_coverage(
    source: str, region: str, state: CoverageState = CoverageState.READ, examined: int = 1
) -> Coverage:
    return Coverage(source=source, region=region, state=state, examined=examined, checked_at=NOW)


class TestHolders:
    """What refers to a certificate."""

    def test_every_holder_of_it_and_no_other(self) -> None:
        """All that name the certificate are returned, live or not, and none that names another."""
        by_arn = make_reference(make_arn())
        by_id = make_reference(CERTIFICATE_ID, source="CloudFront distribution", region=GLOBAL)
        saved = make_reference(make_arn(path="/"), live=False)
        other = make_reference(make_arn("other"))
        references = make_references(by_arn, other, by_id, saved)
        assert references.find_holders(make_certificate()) == (by_arn, by_id, saved)

    def test_how_a_holder_reads(self) -> None:
        """A holder reads as its kind, its name and its Region."""
        assert str(make_reference(make_arn())) == "Classic Load Balancer edge:443 in us-east-1"
        everywhere = make_reference(CERTIFICATE_ID, source="CloudFront", holder="E1", region=GLOBAL)
        assert str(everywhere) == "CloudFront E1 (global)"

    def test_how_a_gap_reads(self) -> None:
        """A gap reads as its source, its Region and the cause."""
        gap = Gap(source="AppSync custom domain", region="eu-west-1", cause="AccessDenied")
        assert str(gap) == "AppSync custom domain in eu-west-1 (AccessDenied)"


class TestDangling:
    """Live holders of a certificate that IAM does not have."""

    @pytest.mark.parametrize(
        "identifier",
        [
            make_arn("renamed-since"),
            make_arn("renamed-since", partition="aws-cn"),
            "arn:aws:iam::111122223333:server-certificate/not an arn",
            "arn:aws:iam:::server-certificate/no-account",
            f"{make_arn()} ",
        ],
    )
    def test_is_found(self, identifier: str) -> None:
        """One that names an unknown certificate of the account, or one not understood, dangles."""
        holder = make_reference(identifier)
        references = make_references(holder)
        assert references.find_dangling((make_certificate(),)) == (holder,)

    @pytest.mark.parametrize(
        "identifier",
        [
            make_arn(),
            make_arn(path="/moved-since/"),
            "ASCAEXAMPLE0000000099",
            "arn:aws:acm:us-east-1:111122223333:certificate/gone",
        ],
    )
    def test_is_not_found(self, identifier: str) -> None:
        """A known certificate, one of ACM, and an id do not dangle."""
        references = make_references(make_reference(identifier))
        assert references.find_dangling((make_certificate(),)) == ()

    def test_saved_configuration_does_not_dangle(self) -> None:
        """What serves nothing may name a certificate that is long gone."""
        references = make_references(make_reference(make_arn("gone"), live=False))
        assert references.find_dangling(()) == ()


class TestScope:
    """What was looked at."""

    def test_out_of_scope(self) -> None:
        """Regions out of scope are those left out and those denied, each once, sorted."""
        references = make_references(
            coverage=(
                make_coverage("ELB", "us-east-1"),
                make_coverage("ELB", "eu-west-3", CoverageState.OUT_OF_SCOPE),
                make_coverage("AppSync", "eu-west-3", CoverageState.OUT_OF_SCOPE),
                make_coverage("AppSync", "us-west-1", CoverageState.NOT_OFFERED),
            ),
            regions_left_out=("sa-east-1", "ap-south-1"),
        )
        assert references.out_of_scope == ("ap-south-1", "eu-west-3", "sa-east-1")

    def test_summary(self) -> None:
        """The summary counts what was read, without what is not offered or out of scope."""
        references = make_references(
            coverage=(
                make_coverage("ELB", "us-east-1", examined=2),
                make_coverage("ELB", "eu-west-1", examined=40),
                make_coverage("CloudFront", GLOBAL, examined=0),
                make_coverage("AppSync", "us-west-1", CoverageState.NOT_OFFERED),
                make_coverage("Beanstalk", "eu-west-3", CoverageState.OUT_OF_SCOPE),
            )
        )
        assert references.summary == "examined 42 resources of 2 kinds in 2 Regions"

    def test_summary_of_one(self) -> None:
        """One is counted in the singular."""
        references = make_references(coverage=(make_coverage("ELB", "us-east-1"),))
        assert references.summary == "examined 1 resource of 1 kind in 1 Region"

    @pytest.mark.parametrize(
        ("coverage", "empty"),
        [
            ((), True),
            ((make_coverage("ELB", "us-east-1", CoverageState.OUT_OF_SCOPE),), True),
            ((make_coverage("ELB", "us-east-1", CoverageState.NOT_OFFERED),), True),
            ((make_coverage("CloudFront", GLOBAL),), True),
            ((make_coverage("ELB", "us-east-1", examined=0),), False),
        ],
    )
    def test_empty(self, coverage: tuple[Coverage, ...], *, empty: bool) -> None:
        """A scan that read no Region is empty; a Region without any resource was read."""
        assert make_references(coverage=coverage).is_empty is empty


@pytest.mark.parametrize(
    ("age", "fresh"),
    [
        (timedelta(0), True),
        (timedelta(minutes=5, microseconds=-1), True),
        (timedelta(minutes=5), False),
        (timedelta(days=1), False),
    ],
)
def test_freshness(age: timedelta, *, fresh: bool) -> None:
    """A delete may rest on a scan for five minutes from its start."""
    assert make_references().is_fresh(NOW + age) is fresh
