"""The proof: the outcome table, row by row, and the order in which it is decided."""

import ast
import inspect
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import models.proof
from local.aws.knobs import OWN_ACCOUNT
from models.certificate import CertificateIdentifier, ServerCertificate
from models.outcome import Conclusion, Outcome
from models.proof import Candidate, Proof, identify, prove, prove_again, screen, screen_tags
from models.reference import GLOBAL, Coverage, CoverageState, Gap, Reference, References
from models.settings import Mode, Settings
from tests.builders import (
    CERTIFICATE_ID,
    NOW,
    OTHER_ACCOUNT,
    make_arn,
    make_certificate,
    make_files,
    make_finding,
    make_reference,
    make_references,
)

OTHER_ID = "ASCAOTHER000000000001"
GAP = Gap(source="AppSync custom domain", region="eu-west-1", cause="AccessDenied")
GRACE = Settings(grace_period_days=14)
LONG_NAME = "n" * 128


def parse(resource_id: str) -> CertificateIdentifier:
    identifier = CertificateIdentifier.parse(resource_id)
    assert identifier is not None
    return identifier


def screen_it(
    certificate: ServerCertificate | None = None, *, settings: Settings | None = None
) -> Conclusion | None:
    """Screen a certificate at `NOW`."""
    identifier = parse(CERTIFICATE_ID)
    return screen(certificate or make_certificate(), identifier, settings or Settings(), NOW)


def prove_it(
    certificate: ServerCertificate | None = None,
    resource_id: str = CERTIFICATE_ID,
    *,
    settings: Settings | None = None,
    tags: Mapping[str, str] | None = None,
    references: References | None = None,
    certificates: Sequence[ServerCertificate] | None = None,
) -> Proof | Conclusion:
    """Prove at `NOW`: expired, without tags and without holders, except for what is passed."""
    certificate = certificate or make_certificate()
    candidate = Candidate(certificate, parse(resource_id), tags or {})
    return prove(
        candidate,
        references or make_references(),
        (certificate,) if certificates is None else certificates,
        settings or Settings(),
        NOW,
    )


def conclude_on(*args: Any, **known: Any) -> Conclusion:
    conclusion = prove_it(*args, **known)
    assert isinstance(conclusion, Conclusion)
    return conclusion


def weigh(*found: Reference, **overrides: Any) -> Proof | Conclusion:
    """Prove for an expired certificate without tags on this scan."""
    return prove_it(references=make_references(*found, **overrides))


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
        assert f"account {OWN_ACCOUNT}" in conclusion.note

    def test_another_partition(self) -> None:
        """A resource of another partition is unverified, and is named."""
        arn = make_arn(partition="aws-cn")
        conclusion = identify(make_finding(Resources=[{"Id": arn}]), "aws")
        assert isinstance(conclusion, Conclusion)
        assert conclusion.outcome is Outcome.UNVERIFIED
        assert arn in conclusion.note
        assert "partition aws," in conclusion.note

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


class TestCheapChecks:
    """What is decided without a scan."""

    def test_unknown_expiry(self) -> None:
        """A certificate whose expiration IAM does not return is unverified."""
        conclusion = conclude_on(make_certificate(expiration=None))
        assert conclusion.outcome is Outcome.UNVERIFIED
        assert "IAM returns no expiration date" in conclusion.note

    @pytest.mark.parametrize("left", [timedelta(microseconds=1), timedelta(days=900)])
    def test_valid(self, left: timedelta) -> None:
        """A certificate that is valid now is not expired, and the note says until when."""
        conclusion = conclude_on(make_certificate(expiration=NOW + left))
        assert conclusion.outcome is Outcome.NOT_EXPIRED
        assert f"{NOW + left:%Y-%m-%d %H:%M} UTC" in conclusion.note

    def test_expires_at_the_moment(self) -> None:
        """At the very moment of its expiration a certificate is a candidate."""
        certificate = make_certificate(expiration=NOW)
        assert screen_it(certificate) is None
        assert isinstance(prove_it(certificate), Proof)

    @pytest.mark.parametrize("age", [timedelta(0), timedelta(days=14, microseconds=-1)])
    def test_in_grace(self, age: timedelta) -> None:
        """Within the grace period a certificate is kept, and the note says when it will go."""
        conclusion = conclude_on(make_certificate(expiration=NOW - age), settings=GRACE)
        assert conclusion.outcome is Outcome.IN_GRACE_PERIOD
        assert f"{NOW - age + timedelta(days=14):%Y-%m-%d %H:%M} UTC" in conclusion.note

    def test_grace_ends_at_the_moment(self) -> None:
        """At the very end of the grace period a certificate is a candidate."""
        ended = make_certificate(expiration=NOW - timedelta(days=14))
        assert screen_it(ended, settings=GRACE) is None
        assert isinstance(prove_it(ended, settings=GRACE), Proof)

    @pytest.mark.parametrize("value", ["", "false", "no", "true"])
    def test_exempt(self, value: str) -> None:
        """The exempt tag keeps a certificate whatever its value is, and the note names it."""
        conclusion = conclude_on(tags={"team": "web", "iam26:keep": value})
        assert conclusion.outcome is Outcome.EXEMPT
        assert "iam26:keep" in conclusion.note

    def test_exempt_tag_of_the_settings(self) -> None:
        """The settings say which tag exempts, in whichever case it is written."""
        settings = Settings(exempt_tag_key="Keep")
        assert isinstance(prove_it(tags={"iam26:keep": ""}, settings=settings), Proof)
        assert isinstance(prove_it(tags={"keeper": ""}, settings=settings), Proof)
        for key in ("Keep", "keep", "KEEP", "keep "):
            assert conclude_on(tags={key: ""}, settings=settings).outcome is Outcome.EXEMPT

    def test_other_path(self) -> None:
        """An expired certificate at another path than the finding's is not the finding's."""
        conclusion = conclude_on(resource_id=make_arn(path="/new/"), tags={})
        assert conclusion.outcome is Outcome.UNVERIFIED
        assert make_arn() in conclusion.note
        assert make_arn(path="/new/") in conclusion.note


class TestOrder:
    """What is asked first."""

    def test_screen_comes_before_tags_and_references(self) -> None:
        """A candidate passes the screen, its tags and its references, in this order of cost."""
        certificate = make_certificate()
        assert screen_it() is None
        assert screen_tags(certificate, {}, Settings()) is None
        assert isinstance(prove_it(), Proof)

    @pytest.mark.parametrize(
        ("certificate", "outcome"),
        [
            (make_certificate(expiration=None), Outcome.UNVERIFIED),
            (make_certificate(expiration=NOW + timedelta(days=1)), Outcome.NOT_EXPIRED),
            (make_certificate(expiration=NOW), Outcome.IN_GRACE_PERIOD),
        ],
    )
    def test_screen_and_proof_agree(self, certificate: ServerCertificate, outcome: Outcome) -> None:
        """What the screen holds against a certificate, the proof holds against it as well."""
        screened = screen_it(certificate, settings=GRACE)
        assert screened is not None
        assert screened.outcome is outcome
        assert conclude_on(certificate, settings=GRACE) == screened

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
        tags = {"iam26:keep": ""}
        in_use = make_references(make_reference(make_arn()))
        against = screen_tags(make_certificate(), tags, Settings())
        assert against is not None
        assert against.outcome is Outcome.EXEMPT
        assert conclude_on(tags=tags, references=in_use) == against

    def test_in_use_comes_before_gaps(self) -> None:
        """A holder that was found is a fact, also where other places could not be read."""
        conclusion = conclude(make_reference(make_arn()), gaps=(GAP,))
        assert conclusion.outcome is Outcome.IN_USE

    def test_gaps_come_before_dangling_holders(self) -> None:
        """A gap is reported before a holder that may mean something."""
        conclusion = conclude(make_reference(make_arn("renamed")), gaps=(GAP,))
        assert conclusion.items == (str(GAP),)


class TestProof:
    """What a scan proves."""

    def test_unused(self) -> None:
        """An expired certificate that nothing names is to be deleted."""
        assert isinstance(weigh(), Proof)
        assert isinstance(weigh(make_reference("ASCAOTHER000000000001")), Proof)
        assert isinstance(weigh(make_reference("ASCAEXAMPLE0000000002")), Proof)

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

    @pytest.mark.parametrize(
        ("left_out", "named"), [(("eu-west-3", "sa-east-1"), "eu-west-3; sa-east-1"), ((), "every")]
    )
    def test_nothing_read_names_what_is_out_of_scope(
        self, left_out: tuple[str, ...], named: str
    ) -> None:
        """The note names the Regions that the settings left out, and the setting."""
        note = conclude(coverage=(), regions_left_out=left_out).note
        assert f"Out of scope: {named}" in note
        assert "REGIONS" in note

    @pytest.mark.parametrize(
        ("certificate", "overrides"),
        [
            (make_certificate(), {"gaps": (GAP,)}),
            (make_certificate(arn="not-an-arn"), {}),
            (make_certificate(), {"coverage": ()}),
            (make_certificate(), {"found": (make_reference(make_arn("renamed")),)}),
            (make_certificate(), {"found": (make_reference(make_arn()),)}),
        ],
        ids=["gap", "unknown-arn", "nothing-read", "dangling", "in-use"],
    )
    def test_says_what_was_examined(
        self, certificate: ServerCertificate, overrides: dict[str, Any]
    ) -> None:
        """What a scan holds against a delete says what that scan examined."""
        references = make_references().model_copy(update=overrides)
        assert conclude_on(certificate, references=references).examined == references.summary

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
        assert isinstance(prove_it(certificates=certificates, **known), Proof)
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
            assert isinstance(prove_it(settings=settings), Proof)

    @given(
        age=st.timedeltas(timedelta(days=-400), timedelta(days=400)),
        grace_days=st.integers(0, 90),
        path=st.sampled_from(["/", "/old/", "/new/"]),
        tags=st.dictionaries(st.sampled_from(["iam26:keep", "team"]), st.text()),
        held=st.lists(
            st.sampled_from(
                [make_arn(), make_arn("renamed"), make_arn("web"), CERTIFICATE_ID, OTHER_ID]
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
        proven = prove_it(
            certificate,
            make_arn(path=path),
            settings=Settings(grace_period_days=grace_days),
            tags=tags,
            references=references,
            certificates=(certificate, other),
        )
        complete = (
            age >= timedelta(days=grace_days)
            and path != "/new/"
            and "iam26:keep" not in tags
            and set(held) <= {make_arn("web"), OTHER_ID}
            and not gaps
            and read
        )
        assert isinstance(proven, Proof) == complete

    def test_holds_what_it_rests_on(self) -> None:
        """A proof says which certificate it is about, on which scan, and when it was made."""
        certificate, references = make_certificate(), make_references()
        proof = prove_it(certificate, references=references)
        assert isinstance(proof, Proof)
        assert (proof.certificate, proof.references) == (certificate, references)
        assert (proof.certificates, proof.proven_at) == ((certificate,), NOW)

    def test_grows_old_with_its_scan(self) -> None:
        """A delete may rest on a proof for five minutes from the start of its scan."""
        proof = prove_it()
        assert isinstance(proof, Proof)
        assert proof.is_fresh(NOW + timedelta(minutes=5, microseconds=-1))
        assert not proof.is_fresh(NOW + timedelta(minutes=5))

    def test_is_made_by_prove_alone(self) -> None:
        """No code but `prove` makes a proof, so that what takes one cannot be called without."""
        root = Path(__file__).parents[3]
        makers = {
            path.relative_to(root).as_posix()
            for folder in ("handlers", "models", "local")
            for path in (root / folder).rglob("*.py")
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "Proof"
        }
        assert makers == {"models/proof.py"}
        source = inspect.getsource(models.proof)
        assert source.count("Proof(") == inspect.getsource(prove).count("Proof(") == 1


def prove_it_again(**changed: Any) -> Proof | Conclusion:
    proof = prove_it()
    assert isinstance(proof, Proof)
    return prove_again(proof, make_files(**changed), Settings(), NOW)


class TestProveAgain:
    """The proof of a certificate that was read again."""

    def test_unchanged(self) -> None:
        """What did not change is proven again, about what was read."""
        moved = make_certificate(path="/new/")
        proof = prove_it_again(certificate=moved, tags={"team": "web"})
        assert isinstance(proof, Proof)
        assert proof.certificate is moved
        assert proof.candidate.tags == {"team": "web"}

    @pytest.mark.parametrize(
        ("changed", "outcome"),
        [
            ({"tags": {"iam26:keep": ""}}, Outcome.EXEMPT),
            ({"certificate": make_certificate(expiration=None)}, Outcome.UNVERIFIED),
            (
                {"certificate": make_certificate(expiration=NOW + timedelta(days=1))},
                Outcome.NOT_EXPIRED,
            ),
        ],
    )
    def test_changed(self, changed: dict[str, Any], outcome: Outcome) -> None:
        """What keeps a certificate now stands against its deletion."""
        conclusion = prove_it_again(**changed)
        assert isinstance(conclusion, Conclusion)
        assert conclusion.outcome is outcome

    def test_renewed(self) -> None:
        """A valid certificate that took the name is not expired."""
        expires = NOW + timedelta(days=90)
        conclusion = prove_it_again(
            certificate=make_certificate(id="ASCARENEWED0000000001", expiration=expires)
        )
        assert isinstance(conclusion, Conclusion)
        assert conclusion.outcome is Outcome.NOT_EXPIRED
        assert f"{expires:%Y-%m-%d}" in conclusion.note

    def test_replaced(self) -> None:
        """Another expired certificate that took the name is kept: nothing about it is proven."""
        conclusion = prove_it_again(certificate=make_certificate(id="ASCAREPLACED000000001"))
        assert isinstance(conclusion, Conclusion)
        assert conclusion.outcome is Outcome.UNVERIFIED
        assert conclusion.items == (f"{CERTIFICATE_ID} became ASCAREPLACED000000001",)
