"""The decision: the outcome table, row by row, and the order in which it asks."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.certificate import CertificateIdentifier, ServerCertificate
from models.decision import (
    Act,
    Need,
    conclude_absent,
    conclude_deletable,
    conclude_in_use,
    conclude_valid,
    decide,
    identify,
)
from models.outcome import Conclusion, Outcome
from models.reference import GLOBAL, Coverage, CoverageState, Gap, Reference, References
from models.settings import Mode, Settings
from tests.builders import (
    CERTIFICATE_ID,
    EXPIRATION,
    NOW,
    OTHER_ACCOUNT,
    make_arn,
    make_certificate,
    make_finding,
    make_reference,
    make_references,
)

GAP = Gap(source="AppSync custom domain", region="eu-west-1", cause="AccessDenied")
GRACE = Settings(grace_period_days=14)
LONG_NAME = "n" * 128


def decide_on(
    certificate: ServerCertificate | None = None,
    resource_id: str = CERTIFICATE_ID,
    *,
    settings: Settings | None = None,
    **known: Any,
) -> Conclusion | Need | Act:
    """Decide at `NOW`, knowing what is passed on and nothing else."""
    certificate = certificate or make_certificate()
    identifier = CertificateIdentifier.parse(resource_id)
    assert identifier is not None
    known.setdefault("certificates", (certificate,))
    return decide(certificate, identifier, settings or Settings(), NOW, **known)


def conclude_on(*args: Any, **known: Any) -> Conclusion:
    conclusion = decide_on(*args, **known)
    assert isinstance(conclusion, Conclusion)
    return conclusion


def weigh(*found: Reference, **overrides: Any) -> Conclusion | Need | Act:
    """Decide on an expired certificate without tags on this scan."""
    return decide_on(tags={}, references=make_references(*found, **overrides))


def conclude(*found: Reference, **overrides: Any) -> Conclusion:
    conclusion = weigh(*found, **overrides)
    assert isinstance(conclusion, Conclusion)
    return conclusion


class TestIdentify:
    """Whether a finding names its certificate in a way that can be trusted."""

    @pytest.mark.parametrize("resource_id", [make_arn(), CERTIFICATE_ID, "example-cert"])
    def test_every_form(self, resource_id: str) -> None:
        """An ARN of the finding's own account, an id and a name are taken as they are."""
        identifier = identify(make_finding(Resources=[{"Id": resource_id}]), "aws")
        assert isinstance(identifier, CertificateIdentifier)
        assert identifier.text == resource_id

    @pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
    def test_every_partition(self, partition: str) -> None:
        """A certificate of the partition that the application works in is taken."""
        finding = make_finding(Resources=[{"Id": make_arn(partition=partition)}])
        assert isinstance(identify(finding, partition), CertificateIdentifier)

    def test_another_account(self) -> None:
        """A resource of another account than the finding's is unverified, and is named."""
        arn = make_arn(account_id=OTHER_ACCOUNT)
        conclusion = identify(make_finding(Resources=[{"Id": arn}]), "aws")
        assert isinstance(conclusion, Conclusion)
        assert conclusion.outcome is Outcome.UNVERIFIED
        assert arn in conclusion.note

    def test_another_partition(self) -> None:
        """A resource of another partition is unverified, and is named."""
        arn = make_arn(partition="aws-cn")
        conclusion = identify(make_finding(Resources=[{"Id": arn}]), "aws")
        assert isinstance(conclusion, Conclusion)
        assert conclusion.outcome is Outcome.UNVERIFIED
        assert arn in conclusion.note

    def test_another_account_in_product_fields(self) -> None:
        """A resource that only ProductFields name must be of the finding's account as well."""
        arn = make_arn(account_id=OTHER_ACCOUNT)
        finding = make_finding(Resources=[], ProductFields={"Resources:0/Id": arn})
        conclusion = identify(finding, "aws")
        assert isinstance(conclusion, Conclusion)
        assert conclusion.outcome is Outcome.UNVERIFIED

    @pytest.mark.parametrize(
        ("resource_id", "shown"),
        [
            ("AWS::::Account:111122223333", "'AWS::::Account:111122223333'"),
            ("two\nlines", r"'two\nlines'"),
            ("x" * 5000, "'xxxxxxx"),
            ("", "no resource"),
        ],
    )
    def test_not_understood(self, resource_id: str, shown: str) -> None:
        """A resource id that is not understood is unverified, and is shown on one line."""
        conclusion = identify(make_finding(Resources=[{"Id": resource_id}]), "aws")
        assert isinstance(conclusion, Conclusion)
        assert conclusion.outcome is Outcome.UNVERIFIED
        assert shown in conclusion.note
        assert "\n" not in conclusion.note
        assert len(conclusion.note) <= 512


class TestAbsent:
    """A certificate that IAM does not have."""

    @pytest.mark.parametrize("resource_id", [make_arn(), CERTIFICATE_ID])
    def test_already_gone(self, resource_id: str) -> None:
        """Nothing under an ARN or an id means that the certificate is gone."""
        identifier = CertificateIdentifier.parse(resource_id)
        assert identifier is not None
        conclusion = conclude_absent(identifier)
        assert conclusion.outcome is Outcome.ALREADY_GONE
        assert (identifier.name or CERTIFICATE_ID) in conclusion.note

    @pytest.mark.parametrize("resource_id", ["web", "asca0123456789abcdef", "111122223333"])
    def test_bare_name(self, resource_id: str) -> None:
        """Nothing under a bare name means nothing."""
        identifier = CertificateIdentifier.parse(resource_id)
        assert identifier is not None
        conclusion = conclude_absent(identifier)
        assert conclusion.outcome is Outcome.UNVERIFIED
        assert resource_id in conclusion.note


class TestCheapChecks:
    """What is decided without a scan."""

    def test_unknown_expiry(self) -> None:
        """A certificate whose expiration IAM does not give is unverified."""
        conclusion = conclude_on(make_certificate(expiration=None))
        assert conclusion.outcome is Outcome.UNVERIFIED
        assert "IAM gives no expiration date" in conclusion.note

    @pytest.mark.parametrize("left", [timedelta(microseconds=1), timedelta(days=900)])
    def test_valid(self, left: timedelta) -> None:
        """A certificate that is valid now is not expired, and the note says until when."""
        conclusion = conclude_on(make_certificate(expiration=NOW + left))
        assert conclusion.outcome is Outcome.NOT_EXPIRED
        assert f"{NOW + left:%Y-%m-%d %H:%M} UTC" in conclusion.note

    def test_expires_at_the_moment(self) -> None:
        """At the very moment of its expiration a certificate is a candidate."""
        assert decide_on(make_certificate(expiration=NOW)) is Need.TAGS

    @pytest.mark.parametrize("age", [timedelta(0), timedelta(days=14, microseconds=-1)])
    def test_in_grace(self, age: timedelta) -> None:
        """Within the grace period a certificate is kept, and the note says when it will go."""
        conclusion = conclude_on(make_certificate(expiration=NOW - age), settings=GRACE)
        assert conclusion.outcome is Outcome.IN_GRACE_PERIOD
        assert f"{NOW - age + timedelta(days=14):%Y-%m-%d %H:%M} UTC" in conclusion.note

    def test_grace_ends_at_the_moment(self) -> None:
        """At the very end of the grace period a certificate is a candidate."""
        ended = make_certificate(expiration=NOW - timedelta(days=14))
        assert decide_on(ended, settings=GRACE) is Need.TAGS

    @pytest.mark.parametrize("value", ["", "false", "no", "true"])
    def test_exempt(self, value: str) -> None:
        """The exempt tag keeps a certificate whatever its value is, and the note names it."""
        conclusion = conclude_on(tags={"team": "web", "iam26:keep": value})
        assert conclusion.outcome is Outcome.EXEMPT
        assert "iam26:keep" in conclusion.note

    def test_exempt_tag_of_the_settings(self) -> None:
        """The settings say which tag exempts, to the letter."""
        settings = Settings(exempt_tag_key="Keep")
        assert decide_on(tags={"iam26:keep": ""}, settings=settings) is Need.REFERENCES
        assert decide_on(tags={"keep": ""}, settings=settings) is Need.REFERENCES
        assert conclude_on(tags={"Keep": ""}, settings=settings).outcome is Outcome.EXEMPT

    def test_other_path(self) -> None:
        """An expired certificate at another path than the finding's is not the finding's."""
        conclusion = conclude_on(resource_id=make_arn(path="/new/"), tags={})
        assert conclusion.outcome is Outcome.UNVERIFIED
        assert make_arn() in conclusion.note
        assert make_arn(path="/new/") in conclusion.note


class TestOrder:
    """What is asked first."""

    def test_asks_for_tags_then_for_references(self) -> None:
        """A candidate's tags are asked for first, and the costly scan only after them."""
        assert decide_on() is Need.TAGS
        assert decide_on(references=make_references()) is Need.TAGS
        assert decide_on(tags={}) is Need.REFERENCES
        assert decide_on(tags={}, references=make_references()) is Act.DELETE

    def test_valid_comes_before_all(self) -> None:
        """A valid certificate is not expired, whatever else is known of it."""
        conclusion = conclude_on(
            make_certificate(expiration=NOW + timedelta(days=1)),
            make_arn(path="/new/"),
            settings=GRACE,
            tags={"iam26:keep": ""},
            references=make_references(make_reference(make_arn())),
        )
        assert conclusion.outcome is Outcome.NOT_EXPIRED

    def test_grace_comes_before_tags_and_references(self) -> None:
        """In its grace period a certificate needs no tags and no scan."""
        conclusion = conclude_on(
            make_certificate(expiration=NOW),
            settings=GRACE,
            tags={"iam26:keep": ""},
            references=make_references(make_reference(make_arn())),
        )
        assert conclusion.outcome is Outcome.IN_GRACE_PERIOD

    def test_exempt_comes_before_references(self) -> None:
        """An exempt certificate needs no scan, and is exempt also where it is in use."""
        in_use = make_references(make_reference(make_arn()))
        for references in (None, in_use):
            conclusion = conclude_on(tags={"iam26:keep": ""}, references=references)
            assert conclusion.outcome is Outcome.EXEMPT

    def test_in_use_comes_before_gaps(self) -> None:
        """A holder that was found is a fact, also where other places could not be read."""
        conclusion = conclude(make_reference(make_arn()), gaps=(GAP,))
        assert conclusion.outcome is Outcome.IN_USE

    def test_gaps_come_before_dangling_holders(self) -> None:
        """A gap is told before a holder that may mean something."""
        conclusion = conclude(make_reference(make_arn("renamed")), gaps=(GAP,))
        assert conclusion.items == (str(GAP),)


class TestProof:
    """What a scan proves."""

    def test_unused(self) -> None:
        """An expired certificate that nothing names is to be deleted."""
        assert weigh() is Act.DELETE
        assert weigh(make_reference(make_arn("x", account_id=OTHER_ACCOUNT))) is Act.DELETE
        assert weigh(make_reference("ASCAEXAMPLE0000000002")) is Act.DELETE

    @pytest.mark.parametrize(
        "identifier", [make_arn(), CERTIFICATE_ID, make_arn(path="/"), make_arn("EXAMPLE-CERT")]
    )
    @pytest.mark.parametrize("live", [True, False])
    def test_in_use(self, identifier: str, *, live: bool) -> None:
        """Whatever names it, live or saved, and in whichever way, it is in use."""
        conclusion = conclude(make_reference(identifier, live=live))
        assert conclusion.outcome is Outcome.IN_USE
        assert conclusion.references == ("Classic Load Balancer edge:443 in us-east-1",)
        assert "Classic Load Balancer edge:443 in us-east-1" in conclusion.note

    def test_each_holder_once(self) -> None:
        """A holder that names the certificate twice is listed once, and holders are sorted."""
        conclusion = conclude(
            make_reference(make_arn(), holder="z:443"),
            make_reference(make_arn(), holder="a:443"),
            make_reference(CERTIFICATE_ID, holder="z:443"),
        )
        assert [one.split()[3] for one in conclusion.items] == ["a:443", "z:443"]

    def test_gap(self) -> None:
        """A place that could not be read leaves the proof incomplete, and is named."""
        conclusion = conclude(gaps=(GAP, GAP))
        assert conclusion.outcome is Outcome.UNVERIFIED
        assert conclusion.items == (str(GAP),)
        assert str(GAP) in conclusion.note

    @pytest.mark.parametrize(
        "coverage",
        [
            (),
            (CoverageState.OUT_OF_SCOPE,),
            (CoverageState.NOT_OFFERED,),
            (CoverageState.OUT_OF_SCOPE, CoverageState.NOT_OFFERED),
        ],
    )
    def test_nothing_read(self, coverage: tuple[CoverageState, ...]) -> None:
        """A scan that could read no Region proves nothing, even if the settings allow each gap."""
        everywhere = Coverage(source="CloudFront", region=GLOBAL, examined=9, checked_at=NOW)
        regional = tuple(
            Coverage(source=state.value, region="eu-west-3", state=state, checked_at=NOW)
            for state in coverage
        )
        for places in (regional, (*regional, everywhere)):
            assert conclude(coverage=places).outcome is Outcome.UNVERIFIED

    def test_dangling(self) -> None:
        """A live holder of a certificate that IAM does not have may hold this one, renamed."""
        conclusion = conclude(make_reference(make_arn("renamed")))
        assert conclusion.outcome is Outcome.UNVERIFIED
        assert conclusion.items == (
            f"Classic Load Balancer edge:443 in us-east-1 names {make_arn('renamed')}",
        )

    def test_holder_of_another_certificate(self) -> None:
        """A holder of another certificate that exists is no holder of this one."""
        certificates = (make_certificate(), make_certificate("web", id="ASCAEXAMPLE0000000002"))
        references = make_references(make_reference(make_arn("web")))
        known: dict[str, Any] = {"tags": {}, "references": references}
        assert decide_on(certificates=certificates, **known) is Act.DELETE
        assert conclude_on(certificates=certificates[:1], **known).outcome is Outcome.UNVERIFIED

    @pytest.mark.parametrize("arn", ["", "arn:aws:iam::1:server-certificate/x", make_arn("w b")])
    def test_arn_that_is_not_understood(self, arn: str) -> None:
        """A certificate whose own ARN is not understood cannot be matched, so it is kept."""
        conclusion = conclude_on(make_certificate(arn=arn), tags={}, references=make_references())
        assert conclusion.outcome is Outcome.UNVERIFIED

    def test_mode_is_not_its_business(self) -> None:
        """A dry run proves the same as a run that deletes."""
        enforce = Settings(mode=Mode.ENFORCE, archive_bucket="iam26-archive")
        for settings in (Settings(), enforce):
            decision = decide_on(settings=settings, tags={}, references=make_references())
            assert decision is Act.DELETE

    @given(
        age=st.timedeltas(timedelta(days=-400), timedelta(days=400)),
        grace_days=st.integers(0, 90),
        path=st.sampled_from(["/", "/old/", "/new/"]),
        tags=st.dictionaries(st.sampled_from(["iam26:keep", "team"]), st.text()),
        held=st.lists(
            st.sampled_from(
                [make_arn(), make_arn("renamed"), make_arn("web"), CERTIFICATE_ID, "ASCAX"]
            )
        ),
        gaps=st.lists(st.just(GAP), max_size=1),
        read=st.booleans(),
    )
    def test_only_complete_proof_deletes(
        self,
        *,
        age: timedelta,
        grace_days: int,
        path: str,
        tags: dict[str, str],
        held: list[str],
        gaps: list[Gap],
        read: bool,
    ) -> None:
        """Whatever is known, a delete means: long expired, not exempt, all read, none found."""
        certificate = make_certificate(expiration=NOW - age)
        other = make_certificate("web", id="ASCAEXAMPLE0000000002")
        references = make_references(
            *(make_reference(one) for one in held),
            gaps=gaps,
            **({} if read else {"coverage": ()}),
        )
        decision = decide_on(
            certificate,
            make_arn(path=path),
            settings=Settings(grace_period_days=grace_days),
            tags=tags,
            references=references,
            certificates=(certificate, other),
        )
        proven = (
            age >= timedelta(days=grace_days)
            and path != "/new/"
            and "iam26:keep" not in tags
            and set(held) <= {make_arn("web"), "ASCAX"}
            and not gaps
            and read
        )
        assert (decision is Act.DELETE) == proven
        assert not isinstance(decision, Need)


class TestConclusions:
    """Conclusions that others draw."""

    def test_deleted(self) -> None:
        """A deletion says what was examined and where the archive record is."""
        location = "s3://iam26-archive/certificates/1.json"
        conclusion = conclude_deletable(make_certificate(), make_references(), archived_as=location)
        assert conclusion.outcome is Outcome.DELETED
        assert conclusion.note == (
            f"Deleted: certificate example-cert expired on {EXPIRATION:%Y-%m-%d}, and nothing "
            "refers to it (examined 3 resources of 1 kind in 1 Region). "
            f"Archived as {location}."
        )

    def test_would_delete(self) -> None:
        """A dry run says that nothing was deleted, on the same evidence."""
        conclusion = conclude_deletable(make_certificate(), make_references(), archived_as=None)
        assert conclusion.outcome is Outcome.WOULD_DELETE
        assert conclusion.note.startswith("Would be deleted (dry run): certificate example-cert")
        assert "Archived" not in conclusion.note

    @pytest.mark.parametrize("archived_as", [None, f"s3://{'b' * 63}/{'k' * 400}.json"])
    def test_names_what_was_out_of_scope(self, archived_as: str | None) -> None:
        """Regions out of scope are named with the deletion, before all that may be cut."""
        references = make_references(regions_left_out=("eu-west-3", "sa-east-1"))
        conclusion = conclude_deletable(
            make_certificate(LONG_NAME), references, archived_as=archived_as
        )
        assert "Out of scope by the settings: eu-west-3; sa-east-1." in conclusion.note
        assert len(conclusion.note) <= 512

    def test_many_regions_out_of_scope(self) -> None:
        """Where thirty Regions are out of scope, the first are named and the rest counted."""
        regions = tuple(f"ap-southeast-{number}" for number in range(30))
        references: References = make_references(regions_left_out=regions)
        note = conclude_deletable(make_certificate(LONG_NAME), references, archived_as=None).note
        assert "Out of scope by the settings: ap-southeast-0;" in note
        assert "more." in note
        assert len(note) <= 512

    def test_in_use(self) -> None:
        """What IAM itself says is in use is reported like a holder of a scan."""
        conclusion = conclude_in_use(make_certificate(), ["arn:of:something"], "examined a lot")
        assert conclusion.outcome is Outcome.IN_USE
        assert conclusion.references == ("arn:of:something",)
        assert conclusion.examined == "examined a lot"

    def test_valid(self) -> None:
        """A certificate that was renewed meanwhile is not expired."""
        renewed = make_certificate(expiration=NOW + timedelta(days=90))
        assert conclude_valid(renewed).outcome is Outcome.NOT_EXPIRED
