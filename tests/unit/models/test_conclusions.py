"""Conclusions: how each outcome is worded."""

from datetime import timedelta

import pytest

from models.certificate import CertificateIdentifier
from models.conclusions import (
    conclude_absent,
    conclude_deletable,
    conclude_in_use,
    conclude_valid,
)
from models.outcome import Outcome
from tests.builders import (
    CERTIFICATE_ID,
    EXPIRATION,
    NOW,
    make_arn,
    make_certificate,
    make_references,
)

LONG_NAME = "n" * 128


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
