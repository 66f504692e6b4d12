"""The notes, word for word: what a person reads on a finding at 3 a.m."""

import pytest

from models.certificate import CertificateIdentifier
from models.conclusions import (
    conclude_absent,
    conclude_accepted,
    conclude_ambiguous,
    conclude_conflict,
    conclude_dangling,
    conclude_denied,
    conclude_not_understood,
    conclude_nothing_read,
    conclude_other_account,
    conclude_replaced,
    conclude_unclear_suppression,
    conclude_unknown_expiry,
    conclude_unknown_finding,
    conclude_unvouched,
    conclude_valid,
)
from models.errors import AwsCallError
from models.outcome import Conclusion
from tests.builders import make_arn, make_certificate, make_reference, make_references

WEB = make_certificate("web", expiration="2026-01-31T06:00:00Z")
OTHER = make_certificate("other", id="ASCAOTHER000000000001", expiration="2027-01-31T06:00:00Z")
BY_ARN, BY_ID, BY_NAME = (
    CertificateIdentifier.model_validate(CertificateIdentifier.parse(one))
    for one in (make_arn("web"), WEB.id, "web")
)
DENIED = AwsCallError("PutObject", "AccessDenied")
BY_POLICY = AwsCallError("PutObject", "AccessDenied", denied_by_policy=True)
REJECTED = AwsCallError("PutObject", "OptInRequired")
NO_ROLE = AwsCallError("AssumeRole", "AccessDenied")

# What is concluded, and its note.
NOTES: dict[str, tuple[Conclusion, str]] = {
    "absent by ARN": (
        conclude_absent(BY_ARN),
        (
            "Certificate web is not in the account under this name any more: it was deleted or "
            "renamed. This application has no record of deleting it since the finding was "
            "created."
        ),
    ),
    "absent by id": (
        conclude_absent(BY_ID),
        (
            "Certificate ASCAEXAMPLE0000000001 does not exist in the account any more. This "
            "application has no record of deleting it since the finding was created."
        ),
    ),
    "absent by name": (
        conclude_absent(BY_NAME),
        (
            "Kept: no certificate could be found for the finding: no certificate is named web. "
            "A bare name proves nothing. Check the certificate by hand."
        ),
    ),
    "accepted": (
        conclude_accepted(WEB, "finding/2"),
        (
            "Kept: certificate web expired on 2026-01-31, but its risk is accepted: finding "
            "finding/2 about it is suppressed. Set that finding to NEW if the certificate need "
            "not be kept."
        ),
    ),
    "ambiguous": (
        conclude_ambiguous(BY_ID, [WEB, OTHER]),
        (
            "Kept: the finding names ASCAEXAMPLE0000000001, which may mean more than one "
            "certificate: other (ASCAOTHER000000000001); web (ASCAEXAMPLE0000000001). Rename "
            "the certificate that has another one's id as its name."
        ),
    ),
    "conflict": (
        conclude_conflict(WEB, "in use by arn:aws:x.", "examined a lot"),
        (
            "Kept: certificate web expired on 2026-01-31, but IAM refused to delete it "
            "(DeleteConflict). It is in use by arn:aws:x. IAM says: in use by arn:aws:x. "
            "Replace it there first. Request or import its successor in ACM (where ACM is not "
            "offered: upload it to IAM), set that there, then this one can go."
        ),
    ),
    "conflict without ARN": (
        conclude_conflict(WEB, "in use by somebody.", "examined a lot"),
        (
            "Kept: certificate web expired on 2026-01-31, but IAM refused to delete it "
            "(DeleteConflict). It is in use by something that IAM knows of: in use by somebody."
            " Replace it there first. Request or import its successor in ACM (where ACM is not "
            "offered: upload it to IAM), set that there, then this one can go."
        ),
    ),
    "dangling": (
        conclude_dangling(WEB, [make_reference(make_arn("x"))], make_references()),
        (
            "Kept: certificate web expired on 2026-01-31, but something live names no "
            "certificate that IAM has, so it may hold this one: Classic Load Balancer edge:443 "
            "in us-east-1 names arn:aws:iam::111122223333:server-certificate/old/x. Point the "
            "resource at a certificate that exists."
        ),
    ),
    "denied": (
        conclude_denied(DENIED),
        (
            "Kept: a call that the proof needs was refused: PutObject: AccessDenied. Allow "
            "PutObject to the role that makes the call, and it is retried."
        ),
    ),
    "denied by policy": (
        conclude_denied(BY_POLICY),
        (
            "Kept: a call that the proof needs was refused: PutObject: AccessDenied by a "
            "service control policy. Let the service control policy except the role, and it is "
            "retried."
        ),
    ),
    "denied credentials": (
        conclude_denied(REJECTED),
        (
            "Kept: a call that the proof needs was refused: PutObject: OptInRequired. Check "
            "that the account is active and its Region enabled."
        ),
    ),
    "denied role": (
        conclude_denied(NO_ROLE),
        (
            "Kept: the account could not be entered: AssumeRole: AccessDenied. Deploy the "
            "member role (deploy/member-role.yaml) to the account, or check the name in "
            "MEMBER_ROLE_NAME."
        ),
    ),
    "not understood": (
        conclude_not_understood("x y"),
        (
            "Kept: the finding's resource is not understood as a server certificate: it names "
            "'x y'. Look for the certificate by hand and report this id."
        ),
    ),
    "no resource": (
        conclude_not_understood(None),
        (
            "Kept: the finding's resource is not understood as a server certificate: it names "
            "no resource. Look for the certificate by hand and report this id."
        ),
    ),
    "nothing read": (
        conclude_nothing_read(WEB, make_references()),
        (
            "Kept: certificate web expired on 2026-01-31, but no Region was examined. Out of "
            "scope: every Region. Widen REGIONS, or let the role read at least one Region."
        ),
    ),
    "other account": (
        conclude_other_account("111122223333", "x"),
        (
            "Kept: the finding is of account 111122223333, but its resource is not: it names x."
            " No certificate of another account is ever touched."
        ),
    ),
    "replaced": (
        conclude_replaced(WEB, OTHER),
        (
            "Kept: certificate web was replaced while it was checked: ASCAEXAMPLE0000000001 "
            "became ASCAOTHER000000000001. Security Hub raises a finding of its own for the new"
            " one."
        ),
    ),
    "unclear suppression": (
        conclude_unclear_suppression(WEB, ["b", "a"]),
        (
            "Kept: certificate web expired on 2026-01-31, but a suppressed finding that is not "
            "understood may be about it: a; b. Set that finding to another status if the "
            "certificate is not what it is about."
        ),
    ),
    "unknown expiry": (
        conclude_unknown_expiry(WEB),
        "Kept: it is not known when certificate web expires: IAM returns no expiration date.",
    ),
    "unknown finding": (
        conclude_unknown_finding("finding/1"),
        (
            "Kept: Security Hub does not have the finding, so what it says is not believed: no "
            "finding finding/1. A sample event can be tried with MODE=DryRun."
        ),
    ),
    "unvouched": (
        conclude_unvouched(BY_ARN, DENIED),
        (
            "Certificate web is not in the account any more, but it is not known who deleted "
            "it, because the archive could not be read: PutObject: AccessDenied. Allow "
            "PutObject to the role that makes the call, and it is retried."
        ),
    ),
    "valid": (
        conclude_valid(OTHER),
        "Kept: certificate other is valid until 2027-01-31 06:00 UTC.",
    ),
}


@pytest.mark.parametrize("kind", NOTES)
def test_word_for_word(kind: str) -> None:
    """A note says what was concluded, why, and only what would help."""
    conclusion, note = NOTES[kind]
    assert conclusion.note == note


@pytest.mark.parametrize("kind", [one for one in NOTES if "conflict" in one])
def test_what_was_examined(kind: str) -> None:
    """What a scan examined stays with what is concluded after it."""
    assert NOTES[kind][0].examined == "examined a lot"
