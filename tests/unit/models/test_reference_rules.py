"""Which identifiers of holders are understood: the rules, beside a second statement of them."""

import re
from dataclasses import dataclass

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models.certificate import ServerCertificate
from models.errors import AwsCallError
from models.reference import Gap, GapKind, Reference, References, select_identifiers, serves_tls
from tests.builders import (
    ACCOUNT,
    CERTIFICATE_ID,
    NOW,
    OTHER_ACCOUNT,
    make_arn,
    make_certificate,
    make_reference,
    make_references,
)

ACM_ARN = f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/0a1b2c3d-0000"


def make_holder(identifier: str | None, *, live: bool = True) -> Reference:
    return make_reference("").model_copy(update={"identifier": identifier, "live": live})


names = st.sampled_from(["web", "Web", "WEB", "api", "ASCAEXAMPLE0000000002", "a,b", "x.expired"])
ids = st.sampled_from(["ASCAEXAMPLE0000000001", "ASCAEXAMPLE0000000002", "ASCAEXAMPLE0000000003"])
paths = st.sampled_from(["/", "/team/", "/cloudfront/"])


@st.composite
def certificates(draw: st.DrawFn) -> ServerCertificate:
    """One certificate of the account."""
    name, path = draw(names), draw(paths)
    return make_certificate(name, path=path, id=draw(ids))


@dataclass(frozen=True)
class Named:
    """What stands in a holder, and what is true of it."""

    identifier: str | None
    name: str | None = None
    id: str | None = None
    is_certainly_another: bool = False

    def means(self, certificate: ServerCertificate) -> bool:
        """Return whether it means a certificate, stated in the simplest words."""
        by_name = self.name is not None and self.name.lower() == certificate.name.lower()
        return by_name or self.id == certificate.id


identifiers = st.one_of(
    st.builds(lambda path, name: Named(make_arn(name, path=path), name, name), paths, names),
    st.builds(lambda name: Named(name, name, name), names.filter(lambda one: one[:4] != "ASCA")),
    ids.map(lambda one: Named(one, one, one, is_certainly_another=True)),
    names.map(lambda name: Named(make_arn(name, account_id=OTHER_ACCOUNT))),
    st.sampled_from(
        [
            Named(None),
            Named("Invalid-Certificate", "Invalid-Certificate"),
            Named("arn:aws:iam::111122223333:server-certificate/not an arn"),
            Named("arn:aws:iam:::server-certificate/web"),
            Named("arn:aws:acm:us-east-1:111122223333:certificate"),
            Named("arn:aws:acm::111122223333:certificate/x y"),
            Named("arn:aws:s3:::bucket"),
            Named("asca-no-id", "asca-no-id"),
            Named(" web "),
            Named(ACM_ARN, is_certainly_another=True),
        ]
    ),
)


@given(
    named=identifiers,
    known=st.lists(certificates(), max_size=3, unique_by=lambda one: one.name.lower()),
    live=st.booleans(),
)
@example(named=Named("web", "web"), known=[], live=True)
def test_understood_or_dangling(
    named: Named, known: list[ServerCertificate], *, live: bool
) -> None:
    """A live holder names a certificate that exists, or certainly another one, or it dangles."""
    reference = make_holder(named.identifier, live=live)
    references = make_references(reference)

    meant = [one for one in known if named.means(one)]

    for certificate in known:
        assert bool(references.find_holders(certificate)) is (certificate in meant)
    dangling = references.find_dangling(known)
    assert bool(dangling) is (live and not meant and not named.is_certainly_another)


@given(text=st.text(max_size=60))
def test_anything_else_dangles(text: str) -> None:
    """Whatever text a live holder has, it dangles unless IAM has what it names, or it is an id."""
    references = make_references(make_reference(text))
    assert bool(references.find_dangling((make_certificate(),))) is not (
        text.casefold() == "example-cert" or re.fullmatch(r"ASCA[A-Z0-9]{12,124}", text) is not None
    )


@pytest.mark.parametrize(
    "identifier",
    [
        "example-cert",
        "EXAMPLE-Cert",
        CERTIFICATE_ID,
        make_arn(),
        make_arn(path="/elsewhere/"),
        make_arn("Example-CERT"),
        make_arn(CERTIFICATE_ID),
    ],
)
@pytest.mark.parametrize("live", [True, False])
def test_every_way_to_name_a_certificate(identifier: str, *, live: bool) -> None:
    """ARN, id, name at the end of an ARN, id at the end of an ARN, and bare name all count."""
    reference = make_reference(identifier, live=live)
    references = make_references(reference)
    assert references.find_holders(make_certificate()) == (reference,)
    assert references.find_dangling((make_certificate(),)) == ()


def test_id_of_another_certificate_in_an_arn_dangles() -> None:
    """An ARN that ends in an id which IAM does not have may be of a certificate with that name."""
    reference = make_reference(make_arn("ASCAEXAMPLE0000000099"))
    assert make_references(reference).find_dangling((make_certificate(),)) == (reference,)


class TestWords:
    """How what is not understood reads in a note."""

    @pytest.mark.parametrize(
        ("identifier", "statement"),
        [
            (None, "Classic Load Balancer edge:443 in us-east-1 names no certificate"),
            (
                "Invalid-Certificate",
                "Classic Load Balancer edge:443 in us-east-1 names Invalid-Certificate",
            ),
        ],
    )
    def test_statement(self, identifier: str | None, statement: str) -> None:
        """A holder reads with what it names, or that it names nothing."""
        assert make_holder(identifier).statement == statement

    def test_unknown_region(self) -> None:
        """A Region that only REGIONS knows is the place itself."""
        gap = Gap.of_unknown_region("eu-wset-1")
        assert str(gap) == "Region eu-wset-1 (not an enabled Region of this account)"
        assert gap.kind is GapKind.UNKNOWN_REGION


class TestSelected:
    """What is kept of what a holder names."""

    @pytest.mark.parametrize(
        ("named", "needs_certificate", "kept"),
        [
            ((), True, (None,)),
            ((), False, ()),
            ((None, ""), True, (None,)),
            ((None, ""), False, ()),
            ((ACM_ARN,), True, ()),
            ((ACM_ARN, make_arn()), True, (make_arn(),)),
            ((None, "Invalid-Certificate"), False, ("Invalid-Certificate",)),
            ((f"{ACM_ARN} ",), True, (f"{ACM_ARN} ",)),
            (
                ("arn:aws-cn:acm:cn-north-1:111122223333:certificate/x",),
                True,
                (),
            ),
        ],
    )
    def test_select(
        self,
        named: tuple[str | None, ...],
        kept: tuple[str | None, ...],
        *,
        needs_certificate: bool,
    ) -> None:
        """ACM's certificates are left out, and naming nothing is kept where it must not be."""
        assert select_identifiers(named, needs_certificate=needs_certificate) == kept

    @given(
        named=st.lists(st.one_of(st.none(), st.text(max_size=8), st.just(ACM_ARN)), max_size=4),
        needs_certificate=st.booleans(),
    )
    def test_nothing_is_lost(self, named: list[str | None], *, needs_certificate: bool) -> None:
        """Whatever is no ACM certificate is kept, and a secure holder never passes unseen."""
        kept = select_identifiers(named, needs_certificate=needs_certificate)
        assert [one for one in kept if one] == [one for one in named if one and one != ACM_ARN]
        if needs_certificate and not kept:
            assert ACM_ARN in named


@pytest.mark.parametrize(
    "protocol",
    ["HTTP", "TCP", "UDP", "TCP_UDP", "GENEVE", "QUIC", "TCP_QUIC", "http", "Tcp"],
)
def test_plain_protocol(protocol: str) -> None:
    """Protocols that are known to be plain need no certificate, however they are written."""
    assert not serves_tls(protocol)


@given(protocol=st.one_of(st.none(), st.sampled_from(["HTTPS", "TLS", "SSL", "HTTP3", ""])))
def test_any_other_protocol(protocol: str | None) -> None:
    """A protocol that is not known to be plain may serve with a certificate."""
    assert serves_tls(protocol)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (AwsCallError("ListDomainNames", "AccessDeniedException"), GapKind.DENIED),
        (AwsCallError("DescribeRegions", "UnauthorizedOperation"), GapKind.DENIED),
        (
            AwsCallError("DescribeRegions", "AuthFailure", denied_by_policy=True),
            GapKind.DENIED_BY_POLICY,
        ),
        (AwsCallError("DescribeRegions", "AuthFailure"), GapKind.REJECTED_CREDENTIALS),
        (AwsCallError("DescribeRegions", "OptInRequired"), GapKind.REJECTED_CREDENTIALS),
        (AwsCallError("ListDomainNames", "UnknownOperationException"), GapKind.OTHER),
        (AwsCallError("DescribeListeners", "ValidationError"), GapKind.OTHER),
    ],
)
def test_kind_of_an_error(error: AwsCallError, kind: GapKind) -> None:
    """The kind of a gap follows from what the error is."""
    gap = Gap.of_error(error, source="AppSync custom domain", region="eu-west-1")
    assert (gap.kind, gap.cause) == (kind, error.cause)


def test_evidence_names_what_is_not_enabled() -> None:
    """The archive's evidence has both lists of Regions, under names of their own."""
    references = References(
        started_at=NOW,
        finished_at=NOW,
        found=(Reference(source="s", region="r", holder="h", identifier=None),),
        regions_left_out=("eu-west-1",),
        regions_not_enabled=("af-south-1",),
    )
    dumped = references.model_dump(mode="json", by_alias=True)
    assert dumped["regionsLeftOut"] == ["eu-west-1"]
    assert dumped["regionsNotEnabled"] == ["af-south-1"]
    assert references.out_of_scope == ("eu-west-1",)
