"""The scan: which Regions and partitions it reads, and what it says of the others."""

import socket
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from handlers.aws.references import beanstalk_configurations, classic_load_balancers, distributions
from models.errors import TransientError
from models.reference import GLOBAL, CoverageState, GapKind, References
from models.settings import Settings
from tests.builders import make_certificate
from tests.unit.aws.scripted import Answer, Answers, Refusal, ScriptedAws
from tests.unit.aws.worlds import CLASSIC, DISTRIBUTIONS

CLOUDFRONT = distributions.SOURCE
ELB = classic_load_balancers.SOURCE
NO_LOAD_BALANCERS: dict[str, Answer] = {"DescribeLoadBalancers": {"LoadBalancerDescriptions": []}}
UNRESOLVED = EndpointConnectionError(
    endpoint_url="https://cloudfront.example",
    error=socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
)


@pytest.fixture(autouse=True)
def skip_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the SDK retry without waiting."""
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))


def make_regions(**statuses: str | None) -> Answer:
    """Return what DescribeRegions answers; None stands for a Region without a status."""
    return {
        "regionInfo": [
            {"regionName": name.replace("_", "-")} | ({"optInStatus": status} if status else {})
            for name, status in statuses.items()
        ]
    }


def scan_regions(answer: Answer, regions: str = "") -> tuple[References, ScriptedAws]:
    aws = ScriptedAws({"DescribeRegions": answer, **NO_LOAD_BALANCERS})
    settings = Settings.from_environment({"REGIONS": regions})
    return aws.scan(ELB, settings=settings), aws


def list_read(references: References) -> list[str]:
    return sorted(one.region for one in references.coverage)


THREE = make_regions(
    us_east_1="opt-in-not-required", eu_south_1="opted-in", af_south_1="not-opted-in"
)


class TestRegions:
    """What is in scope."""

    def test_every_enabled_region(self) -> None:
        """Without REGIONS every enabled Region is read, and the others are named."""
        references, aws = scan_regions(THREE)
        assert list_read(references) == ["eu-south-1", "us-east-1"]
        assert references.regions_not_enabled == ("af-south-1",)
        assert references.regions_left_out == ()
        assert references.gaps == ()
        assert aws.calls.count("DescribeRegions") == 1

    def test_left_out(self) -> None:
        """An enabled Region that REGIONS does not name is out of scope by choice."""
        references, _ = scan_regions(THREE, "us-east-1")
        assert list_read(references) == ["us-east-1"]
        assert references.regions_left_out == ("eu-south-1",)
        assert references.gaps == ()

    @pytest.mark.parametrize("name", ["eu-wset-1", "af-south-1", "cn-north-1"])
    def test_named_in_vain(self, name: str) -> None:
        """A slip, a disabled Region or one of another partition is a gap; the good ones are read.

        Nor is it a Region that somebody meant to leave out.
        """
        references, _ = scan_regions(THREE, f"us-east-1,{name}")
        assert list_read(references) == ["us-east-1"]
        [gap] = references.gaps
        assert str(gap) == f"Region {name} (not an enabled Region of this account)"
        assert (gap.region, gap.kind) == (name, GapKind.UNKNOWN_REGION)
        assert name not in references.regions_left_out

    def test_all_named_in_vain(self) -> None:
        """Each Region that is not enabled is a gap, also if no other is named."""
        references, _ = scan_regions(THREE, "eu-wset-1,us-eats-1")
        assert [one.region for one in references.gaps] == ["eu-wset-1", "us-eats-1"]
        assert references.coverage == ()
        assert references.regions_left_out == ("eu-south-1", "us-east-1")

    @pytest.mark.parametrize("status", [None, "opting-in", ""])
    def test_unknown_status(self, status: str | None) -> None:
        """A Region of which EC2 does not say that it is not enabled is read."""
        references, _ = scan_regions(make_regions(us_east_1=status))
        assert list_read(references) == ["us-east-1"]

    @pytest.mark.parametrize(
        ("answer", "cause"),
        [
            ({}, "DescribeRegions has no Regions"),
            ({"regionInfo": []}, "DescribeRegions has no enabled Region"),
            (make_regions(af_south_1="not-opted-in"), "DescribeRegions has no enabled Region"),
            ({"regionInfo": [{"optInStatus": "opted-in"}]}, "a Region has no RegionName"),
            ({"regionInfo": [{}]}, "DescribeRegions has an empty item in Regions"),
        ],
    )
    def test_answer_that_is_not_whole(self, answer: dict[str, Any], cause: str) -> None:
        """Without the list of Regions nothing is proven of any of them."""
        references, _ = scan_regions(answer)
        [gap] = references.gaps
        assert str(gap) == f"The list of Regions in us-east-1 ({cause})"
        assert gap.kind is GapKind.INCOMPLETE
        assert references.is_empty

    def test_refused(self) -> None:
        """A list of Regions that is refused is a gap of the error's kind."""
        references, _ = scan_regions(Refusal("UnauthorizedOperation", status=403))
        assert [one.kind for one in references.gaps] == [GapKind.DENIED]


def scan_partition(
    home: str, distributions_answer: Answer | Sequence[Answer]
) -> tuple[References, ScriptedAws]:
    regions = {"regionInfo": [{"regionName": home, "optInStatus": "opt-in-not-required"}]}
    answers: Answers = {
        "DescribeRegions": regions,
        "ListDistributions": distributions_answer,
        **CLASSIC,
    }
    aws = ScriptedAws(answers, region=home)
    return aws.scan(CLOUDFRONT, ELB), aws


class TestPartitions:
    """CloudFront, which some partitions are without."""

    @pytest.mark.parametrize(
        "home",
        ["us-gov-west-1", "us-iso-east-1", "us-isob-east-1", "eu-isoe-west-1", "us-isof-east-1"],
    )
    def test_known_to_be_without(self, home: str) -> None:
        """Where there is certainly none, the evidence says so, and nothing is asked."""
        references, aws = scan_partition(home, UNRESOLVED)
        states = {one.source: (one.region, one.state) for one in references.coverage}
        assert states[CLOUDFRONT.name] == (GLOBAL, CoverageState.NOT_OFFERED)
        assert states[ELB.name] == (home, CoverageState.READ)
        assert references.gaps == ()
        assert "ListDistributions" not in aws.calls

    @pytest.mark.parametrize("home", ["us-east-1", "cn-north-1", "eusc-de-east-1"])
    def test_read(self, home: str) -> None:
        """In any other partition it is read, whether the SDK lists it or not."""
        references, _ = scan_partition(home, DISTRIBUTIONS["ListDistributions"])
        assert references.gaps == ()
        holders = references.find_holders(make_certificate())
        assert CLOUDFRONT.name in {one.source for one in holders}

    def test_without_an_endpoint(self) -> None:
        """Where the SDK lists none and none resolves, that is a gap, and not for a while only."""
        references, _ = scan_partition("eusc-de-east-1", UNRESOLVED)
        [gap] = references.gaps
        assert str(gap) == (
            "CloudFront distribution (global) (its endpoint in partition aws-eusc does not resolve)"
        )
        assert gap.kind is GapKind.UNREACHABLE

    @pytest.mark.parametrize("home", ["us-east-1", "cn-north-1"])
    def test_listed_endpoint(self, home: str) -> None:
        """Where the SDK lists one, it is out of reach for now."""
        with pytest.raises(TransientError):
            scan_partition(home, UNRESOLVED)

    def test_lost_after_an_answer(self) -> None:
        """An endpoint that answered before exists, so what is not answered now may be later."""
        page = DISTRIBUTIONS["ListDistributions"]["DistributionList"]
        first = {"DistributionList": page | {"IsTruncated": True, "NextMarker": "E1"}}
        with pytest.raises(TransientError):
            scan_partition("eusc-de-east-1", [first, UNRESOLVED])


def test_environment_created_anew_under_its_name() -> None:
    """An environment with a name that was read is another one if its id is another."""

    def list_environments(*environments: tuple[str, str, str]) -> Answer:
        members = ("EnvironmentName", "EnvironmentId", "ApplicationName")
        return {
            "Environments": [dict(zip(members, one, strict=True)) for one in environments],
        }

    def list_applications(*names: str) -> Answer:
        return {
            "Applications": [
                {"ApplicationName": name, "ConfigurationTemplates": []} for name in names
            ]
        }

    def describe_settings(value: str) -> Answer:
        option = {"OptionName": "SSLCertificateArns", "Value": value}
        return {"ConfigurationSettings": [{"EnvironmentName": "shop", "OptionSettings": [option]}]}

    certificate = make_certificate()
    aws = ScriptedAws(
        {
            # The application `young` makes it look once more.
            "DescribeApplications": [list_applications("shop"), list_applications("shop", "young")],
            "DescribeEnvironments": [
                list_environments(("shop", "e-1", "shop"), ("young", "e-2", "young")),
                list_environments(("shop", "e-3", "shop")),
            ],
            "DescribeConfigurationSettings": [
                describe_settings("everyday"),
                describe_settings(certificate.arn),
            ],
        }
    )

    references = aws.scan(beanstalk_configurations.SOURCE)

    assert references.gaps == ()
    assert [one.holder for one in references.find_holders(certificate)] == ["environment shop"]
