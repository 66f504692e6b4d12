"""Conclusions: how each outcome is worded."""

from datetime import timedelta

import pytest

from local.aws.knobs import OWN_ACCOUNT
from models.certificate import CertificateIdentifier, IdentifierKind
from models.conclusions import (
    conclude_absent,
    conclude_deletable,
    conclude_denied,
    conclude_in_use,
    conclude_not_understood,
    conclude_other_account,
    conclude_replaced,
    conclude_valid,
)
from models.errors import AwsCallError
from models.outcome import Conclusion, Outcome
from tests.builders import (
    CERTIFICATE_ID,
    EXPIRATION,
    NOW,
    make_arn,
    make_certificate,
    make_references,
)

LONG_NAME = "n" * 128
NAME = CertificateIdentifier(kind=IdentifierKind.NAME, text="web")


class TestAbsent:
    """A certificate that IAM does not have."""

    @pytest.mark.parametrize("resource_id", [make_arn(), make_arn(CERTIFICATE_ID), CERTIFICATE_ID])
    def test_already_gone(self, resource_id: str) -> None:
        """Nothing under an ARN or an id means that the certificate is gone."""
        identifier = CertificateIdentifier.parse(resource_id)
        assert identifier is not None
        conclusion = conclude_absent(identifier)
        assert conclusion.outcome is Outcome.ALREADY_GONE
        assert identifier.last in conclusion.note
        assert ("renamed" in conclusion.note) == (resource_id != CERTIFICATE_ID)

    @pytest.mark.parametrize("resource_id", ["web", "asca0123456789abcdef", "111122223333"])
    def test_bare_name(self, resource_id: str) -> None:
        """Nothing under a bare name means nothing."""
        identifier = CertificateIdentifier.parse(resource_id)
        assert identifier is not None
        conclusion = conclude_absent(identifier)
        assert conclusion.outcome is Outcome.UNVERIFIED
        assert resource_id in conclusion.note


class TestDenied:
    """A call that the path of a finding needs was refused."""

    def test_permission_is_missing(self) -> None:
        """The note names the operation, and what to allow."""
        conclusion = conclude_denied(AwsCallError("PutObject", "AccessDenied"))
        assert conclusion.outcome is Outcome.UNVERIFIED
        assert conclusion.items == ("PutObject: AccessDenied",)
        assert "Allow PutObject" in conclusion.note

    def test_no_permission_would_help(self) -> None:
        """The note of any other refusal advises no permission."""
        conclusion = conclude_denied(AwsCallError("PutObject", "InvalidRequest"))
        assert conclusion.items == ("PutObject: InvalidRequest",)
        assert "Allow" not in conclusion.note
        assert "retried" in conclusion.note or "checked again" in conclusion.note

    def test_denied_by_policy(self) -> None:
        """A service control policy is named as what denies."""
        error = AwsCallError("PutObject", "AccessDenied", denied_by_policy=True)
        assert "service control policy" in conclude_denied(error).note

    def test_role_is_missing(self) -> None:
        """Where the account cannot be entered, the note says what to deploy or to check."""
        note = conclude_denied(AwsCallError("AssumeRole", "AccessDenied")).note
        assert "AssumeRole: AccessDenied" in note
        assert "deploy/member-role.yaml" in note
        assert "MEMBER_ROLE_NAME" in note


class TestAdvice:
    """A note that leaves something to a person says what."""

    @pytest.mark.parametrize(
        ("conclusion", "advice"),
        [
            (conclude_not_understood("x y"), "by hand"),
            (conclude_other_account(OWN_ACCOUNT, "x"), "another account"),
            (conclude_replaced(make_certificate(), make_certificate()), "finding of its own"),
            (conclude_absent(NAME), "by hand"),
        ],
        ids=["not-understood", "other-account", "replaced", "absent"],
    )
    def test_is_in_the_note(self, conclusion: Conclusion, advice: str) -> None:
        """The advice follows the evidence, and nothing was examined."""
        assert conclusion.outcome is Outcome.UNVERIFIED
        assert advice in conclusion.note
        assert conclusion.examined == "nothing examined"


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
        references = make_references(regions_left_out=regions)
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
