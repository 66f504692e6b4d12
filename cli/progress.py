"""How far the look at accounts is, shown while it runs and gone afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from handlers.aws.references.scan import Progress as ScanProgress
from handlers.aws.references.scan import Watcher
from handlers.remediation.ports import CertificatesPort, ReadableAccountPort
from models.reference import References


class WatchableAccountPort(ReadableAccountPort, Protocol):
    """One account whose scan tells how far it is: see `handlers.aws.account`."""

    def scan_references(
        self, seconds_left: float | None, watch: Watcher | None = None
    ) -> References:
        """Return everything in the account that refers to IAM server certificates."""
        ...


class WatchableAccountsPort(Protocol):
    """The accounts that can be looked at."""

    def open(self, account_id: str) -> WatchableAccountPort:
        """Return an account with credentials of its own."""
        ...


@dataclass(frozen=True, slots=True)
class WatchedAccount:
    """An account whose scan is shown.

    Attributes:
        account: the account.
        progress: where it is shown.
    """

    account: WatchableAccountPort
    progress: Progress

    @property
    def id(self) -> str:
        """The account's twelve digits."""
        return self.account.id

    @property
    def certificates(self) -> CertificatesPort:
        """Its server certificates."""
        return self.account.certificates

    def scan_references(self, seconds_left: float | None) -> References:
        """Return everything in the account that refers to IAM server certificates."""
        task = self.progress.add_task(f"Account {self.id}: sources and Regions", total=None)
        try:
            return self.account.scan_references(seconds_left, self._watch(task))
        finally:
            self.progress.remove_task(task)

    def _watch(self, task: TaskID) -> Watcher:
        def show(state: ScanProgress) -> None:
            self.progress.update(task, completed=state.done, total=state.places)

        return show


@dataclass(frozen=True, slots=True)
class WatchedAccounts:
    """Accounts whose scans are shown.

    Attributes:
        accounts: the accounts.
        progress: where they are shown.
    """

    accounts: WatchableAccountsPort
    progress: Progress

    def open(self, account_id: str) -> WatchedAccount:
        """Return an account with credentials of its own."""
        return WatchedAccount(self.accounts.open(account_id), self.progress)


@contextmanager
def shown_progress(console: Console) -> Iterator[Progress]:
    """Show what is under way for as long as the block runs, if it can be shown in a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        yield progress
