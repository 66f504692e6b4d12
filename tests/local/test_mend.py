"""The mechanism that all mends share: named patches, checked when applied, and reversible."""

from typing import Any

import pytest

from local.aws import Aws
from local.mends import MENDS, apply_mends, undo_mends
from local.mends.appsync import DomainNames
from local.mends.mend import Mend, MendError, state_of, take_page


class Moto:
    """A part of moto that greets, and cannot say goodbye."""

    def greet(self) -> str:
        """Say hello as moto does."""
        return "moto"


def greet(_: Any) -> str:
    return "mended"


def greet_twice(self: Moto) -> str:
    return f"{MEND.original(Moto, 'greet')(self)}, mended"


def say_goodbye(_: Any) -> str:
    return "goodbye"


# What `greet_twice` asks for the original; each test that needs it registers in it anew.
MEND = Mend("greeting", "")


@pytest.fixture(autouse=True)
def _leave_as_it_came() -> Any:
    came = dict(vars(Moto))
    yield
    assert dict(vars(Moto)) == came, "a test left its mend applied"


def make_mend() -> Mend:
    mend = Mend("greeting", "moto greets by its own name and cannot say goodbye")
    mend.replace(Moto, "greet")(greet)
    mend.add(Moto, "say_goodbye")(say_goodbye)
    return mend


def read_all() -> list[Any]:
    return [patch.read() for mend in MENDS for patch in mend._patches]


def test_a_mend_changes_nothing_before_it_is_applied() -> None:
    """Registering what to replace leaves moto as it came."""
    make_mend()
    assert Moto().greet() == "moto"
    assert not hasattr(Moto, "say_goodbye")


def test_apply_replaces_and_adds_and_undo_restores() -> None:
    """What moto has is replaced, what it lacks is added, and undoing leaves no trace."""
    mend, moto = make_mend(), Moto()
    mend.apply()
    assert (moto.greet(), moto.say_goodbye()) == ("mended", "goodbye")  # type: ignore[attr-defined]
    mend.undo()
    assert moto.greet() == "moto"
    assert not hasattr(Moto, "say_goodbye")


def test_applying_twice_is_applying_once() -> None:
    """A second apply does not take the mend itself for what moto had."""
    mend = make_mend()
    mend.apply()
    mend.apply()
    mend.undo()
    assert Moto().greet() == "moto"


def test_undoing_what_is_not_applied_does_nothing() -> None:
    """A mend that was never applied, or is undone already, can be undone."""
    mend = make_mend()
    mend.undo()
    mend.apply()
    mend.undo()
    mend.undo()
    assert Moto().greet() == "moto"


def test_undone_applies_again_even_after_an_error() -> None:
    """The block runs against moto as it came; after it the mend is back, whatever happened."""
    mend = make_mend()
    mend.apply()
    greetings = []

    def greet_and_fail() -> None:
        greetings.append(Moto().greet())
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), mend.undone():
        greet_and_fail()
    assert [*greetings, Moto().greet()] == ["moto", "mended"]
    mend.undo()


def test_a_mend_that_adds_what_moto_has_now_can_go() -> None:
    """When moto learns natively what a mend adds, applying it is an error that says so."""
    mend = Mend("greeting", "")
    mend.add(Moto, "greet")(greet)
    with pytest.raises(MendError, match=r"the greeting mend touches Moto\.greet.* the mend can go"):
        mend.apply()


def test_a_mend_that_replaces_what_moto_lacks_does_not_apply() -> None:
    """When moto no longer has what a mend replaces, applying it is an error that names it."""
    mend = Mend("greeting", "")
    mend.replace(Moto, "say_goodbye")(say_goodbye)
    with pytest.raises(MendError, match=r"Moto\.say_goodbye, but moto .* does not have it"):
        mend.apply()


def test_a_mend_applies_as_a_whole_or_not_at_all() -> None:
    """A mend of which one patch does not fit changes nothing."""
    mend = make_mend()
    mend.replace(Moto, "sing")(greet)
    with pytest.raises(MendError):
        mend.apply()
    assert Moto().greet() == "moto"


def test_url_paths_are_added_and_taken_away() -> None:
    """A dictionary of URLs is patched like a class."""
    url_paths: dict[str, Any] = {"/known$": greet}
    mend = Mend("greeting", "")
    mend.add_path(url_paths, "/new$", say_goodbye)
    mend.replace(url_paths, "/known$")(say_goodbye)
    mend.apply()
    assert url_paths == {"/known$": say_goodbye, "/new$": say_goodbye}
    mend.undo()
    assert url_paths == {"/known$": greet}


def test_a_url_that_moto_routes_now_is_an_error() -> None:
    """When moto routes a URL that a mend adds, applying it is an error."""
    mend = Mend("greeting", "")
    mend.add_path({"/known$": greet}, "/known$", say_goodbye)
    with pytest.raises(MendError, match=r"url_paths\./known\$"):
        mend.apply()


def test_a_patch_can_ask_what_it_stands_in_front_of() -> None:
    """A patch that only adds to moto's answer calls moto's."""
    MEND.replace(Moto, "greet")(greet_twice)
    MEND.apply()
    assert Moto().greet() == "moto, mended"
    MEND.undo()
    with pytest.raises(MendError, match="does not replace greet"):
        MEND.original(Moto, "greet")


def test_all_mends_are_undone_and_applied_together() -> None:
    """Undoing all leaves moto as it came; applying all again, twice, is as before."""
    undo_mends()
    came = read_all()
    apply_mends()
    mended = read_all()
    apply_mends()
    assert read_all() == mended
    assert all(before is not after for before, after in zip(came, mended, strict=True))
    undo_mends()
    assert read_all() == came
    apply_mends()


def test_each_service_is_mended_once_and_says_what_moto_gets_wrong() -> None:
    """Every mend has a service of its own and a gap that it closes."""
    services = [mend.service for mend in MENDS]
    assert sorted(set(services)) == services
    assert all(mend.gap for mend in MENDS)


def test_a_mends_own_data_is_gone_after_a_reset(aws: Aws) -> None:
    """What a mend keeps beside moto's backends belongs to one world, like all the rest."""
    arn = "arn:aws:iam::111122223333:server-certificate/api"
    aws.client("appsync").create_domain_name(domainName="a.example.com", certificateArn=arn)
    aws.reset()
    assert aws.client("appsync").list_domain_names()["domainNameConfigs"] == []


def test_state_is_kept_for_each_backend_apart() -> None:
    """A backend keeps the same state object, and shares it with no other backend."""
    one, other = Moto(), Moto()
    state_of(one, DomainNames)["a"] = {}
    assert state_of(one, DomainNames) == {"a": {}}
    assert state_of(other, DomainNames) == {}


@pytest.mark.parametrize(
    ("token", "size", "page", "next_token"),
    [
        (None, None, ["a", "b"], "2"),
        (None, 1, ["a"], "1"),
        ("2", None, ["c"], None),
        ("1", 2, ["b", "c"], None),
        (None, 3, ["a", "b", "c"], None),
    ],
)
def test_pages_end_without_a_token(
    token: str | None, size: int | None, page: list[str], next_token: str | None
) -> None:
    """A page has as many items as were asked for; only the last one has no token."""
    assert take_page("abc", token, size, default=2) == (page, next_token)
