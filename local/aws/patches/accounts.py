"""Accounts: an unknown access key belongs to our account, and some keys name theirs.

moto takes every access key that it never issued for one of the account 123456789012, and has no key
for the root of another account. So an unknown key belongs to the account of the local AWS here, and
one that names an account belongs to that.
"""

from __future__ import annotations

import re

import moto.iam.models

from local.aws.knobs import OWN_ACCOUNT
from local.aws.patches.patch import Patch

PATCH = Patch("accounts")

_KEY_OF_ACCOUNT = re.compile(r"AKIA(\d{12})ROOT")


def make_access_key(account_id: str) -> str:
    """Return the id of an access key that the local AWS takes for that account's."""
    return f"AKIA{account_id}ROOT"


@PATCH.replace(moto.iam.models, "get_account_id_from")
def find_account(access_key: str) -> str:
    """Return the account an access key belongs to."""
    if named := _KEY_OF_ACCOUNT.fullmatch(access_key):
        return named[1]
    for account_id, backends in list(moto.iam.models.iam_backends.items()):
        if any(access_key in backend.access_keys for backend in list(backends.values())):
            return account_id
    return OWN_ACCOUNT
