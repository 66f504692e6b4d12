"""The mechanism that all patches share: named patches, checked when applied, and reversible."""

import importlib
import re
from typing import Any

import pytest

from local.aws.patches import PATCHES, apply_patches, undo_patches
from local.aws.patches.appsync import DomainNames
from local.aws.patches.patch import Patch, PatchError, state_of, take_page
from local.aws.server import Aws


class Moto:
    """A part of moto that greets, and cannot say goodbye."""

    def greet(self) -> str:
        """Say hello as moto does."""
        return "moto"


def greet(_: Any) -> str:
    return "patched"


def greet_twice(self: Moto) -> str:
    return f"{PATCH.original(Moto, 'greet')(self)}, patched"


def say_goodbye(_: Any) -> str:
    return "goodbye"


# What `greet_twice` asks for the original; each test that needs it registers in it anew.
PATCH = Patch("greeting")


@pytest.fixture(autouse=True)
def _leave_as_it_came() -> Any:
    came = dict(vars(Moto))
    yield
    assert dict(vars(Moto)) == came, "a test left its patch applied"


def make_patch() -> Patch:
    patch = Patch("greeting")
    patch.replace(Moto, "greet")(greet)
    patch.add(Moto, "say_goodbye")(say_goodbye)
    return patch


def read_all() -> list[Any]:
    return [one.read() for patch in PATCHES for one in patch._patches]


def test_a_patch_changes_nothing_before_it_is_applied() -> None:
    """Registering what to replace leaves moto as it came."""
    make_patch()
    assert Moto().greet() == "moto"
    assert not hasattr(Moto, "say_goodbye")


def test_apply_replaces_and_adds_and_undo_restores() -> None:
    """What moto has is replaced, what it lacks is added, and undoing leaves no trace."""
    patch, moto = make_patch(), Moto()
    patch.apply()
    assert (moto.greet(), moto.say_goodbye()) == ("patched", "goodbye")  # type: ignore[attr-defined]
    patch.undo()
    assert moto.greet() == "moto"
    assert not hasattr(Moto, "say_goodbye")


def test_applying_twice_is_applying_once() -> None:
    """A second apply does not take the patch itself for what moto had."""
    patch = make_patch()
    patch.apply()
    patch.apply()
    patch.undo()
    assert Moto().greet() == "moto"


def test_undoing_what_is_not_applied_does_nothing() -> None:
    """A patch that was never applied, or is undone already, can be undone."""
    patch = make_patch()
    patch.undo()
    patch.apply()
    patch.undo()
    patch.undo()
    assert Moto().greet() == "moto"


def test_undone_applies_again_even_after_an_error() -> None:
    """The block runs against moto as it came; after it the patch is back, whatever happened."""
    patch = make_patch()
    patch.apply()
    greetings = []

    def greet_and_fail() -> None:
        greetings.append(Moto().greet())
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), patch.undone():
        greet_and_fail()
    assert [*greetings, Moto().greet()] == ["moto", "patched"]
    patch.undo()


def test_a_patch_that_adds_what_moto_has_now_can_go() -> None:
    """When moto learns natively what a patch adds, applying it is an error that says so."""
    patch = Patch("greeting")
    patch.add(Moto, "greet")(greet)
    with pytest.raises(
        PatchError, match=r"the greeting patch touches Moto\.greet.* the patch can go"
    ):
        patch.apply()


def test_a_patch_that_replaces_what_moto_lacks_does_not_apply() -> None:
    """When moto no longer has what a patch replaces, applying it is an error that names it."""
    patch = Patch("greeting")
    patch.replace(Moto, "say_goodbye")(say_goodbye)
    with pytest.raises(PatchError, match=r"Moto\.say_goodbye, but moto .* does not have it"):
        patch.apply()


def test_a_patch_applies_as_a_whole_or_not_at_all() -> None:
    """A patch of which one patch does not fit changes nothing."""
    patch = make_patch()
    patch.replace(Moto, "sing")(greet)
    with pytest.raises(PatchError):
        patch.apply()
    assert Moto().greet() == "moto"


def test_url_paths_are_added_and_taken_away() -> None:
    """A dictionary of URLs is patched like a class."""
    url_paths: dict[str, Any] = {"/known$": greet}
    patch = Patch("greeting")
    patch.add_path(url_paths, "/new$", say_goodbye)
    patch.replace(url_paths, "/known$")(say_goodbye)
    patch.apply()
    assert url_paths == {"/known$": say_goodbye, "/new$": say_goodbye}
    patch.undo()
    assert url_paths == {"/known$": greet}


def test_a_url_that_moto_routes_now_is_an_error() -> None:
    """When moto routes a URL that a patch adds, applying it is an error."""
    patch = Patch("greeting")
    patch.add_path({"/known$": greet}, "/known$", say_goodbye)
    with pytest.raises(PatchError, match=r"url_paths\./known\$"):
        patch.apply()


def test_a_patch_can_ask_what_it_stands_in_front_of() -> None:
    """A patch that only adds to moto's answer calls moto's."""
    PATCH.replace(Moto, "greet")(greet_twice)
    PATCH.apply()
    assert Moto().greet() == "moto, patched"
    PATCH.undo()
    with pytest.raises(PatchError, match="does not replace greet"):
        PATCH.original(Moto, "greet")


def test_all_patches_are_undone_and_applied_together() -> None:
    """Undoing all leaves moto as it came; applying all again, twice, is as before."""
    undo_patches()
    came = read_all()
    apply_patches()
    patched = read_all()
    apply_patches()
    assert read_all() == patched
    assert all(before is not after for before, after in zip(came, patched, strict=True))
    undo_patches()
    assert read_all() == came
    apply_patches()


def test_each_service_has_one_patch() -> None:
    """Every patch has a service of its own."""
    services = [patch.service for patch in PATCHES]
    assert sorted(set(services)) == services


@pytest.mark.parametrize("service", [patch.service for patch in PATCHES])
def test_each_patch_says_which_gap_of_moto_it_fills(service: str) -> None:
    """Whoever reads or renews a patch learns from its module what moto lacks or gets wrong."""
    module = importlib.import_module(f"local.aws.patches.{service}")
    _, _, explanation = str(module.__doc__).partition("\n\n")
    assert re.match(r"moto('s)? .*\. So ", explanation, re.DOTALL)


def test_a_patchs_own_data_is_gone_after_a_reset(aws: Aws) -> None:
    """What a patch keeps beside moto's backends belongs to one world, like all the rest."""
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
