"""`python -m local`: AWS on this machine, for people and for their tools."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from local.aws.endpoints import DOCKER_BRIDGE
from models.settings import Mode


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and return the exit status of the process."""
    options = _make_parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    return command(options)


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    serve = commands.add_parser("serve", help="run the local AWS until it is stopped")
    serve.add_argument("--port", type=int, default=5026)
    serve.add_argument(
        "--host", default="127.0.0.1", help=f"a loopback address, or {DOCKER_BRIDGE} for Docker"
    )
    serve.add_argument(
        "--plant",
        action="append",
        default=[],
        metavar="[/PATH/]NAME",
        help="an expired certificate that IAM has from the start, because it refuses their upload",
    )
    serve.set_defaults(command=_serve)
    demo = commands.add_parser("demo", help="show the whole job; nothing leaves this machine")
    demo.set_defaults(command=_demo)
    organisation = commands.add_parser("organisation", help="many accounts, and their AWS calls")
    organisation.add_argument("--accounts", type=int, default=200)
    organisation.set_defaults(command=_organisation)
    invoke = commands.add_parser("invoke", help="run one event through the built artifact")
    invoke.add_argument("event", type=Path, help="a file of events/")
    invoke.add_argument(
        "--mode", type=Mode, choices=list(Mode), default=Mode.ENFORCE, help="%(choices)s"
    )
    invoke.set_defaults(command=_invoke)
    certificate = commands.add_parser("certificate", help="write one that expires in minutes")
    certificate.add_argument("folder", type=Path, help="where it is written, with its key")
    certificate.add_argument("--minutes", type=int, default=10)
    certificate.set_defaults(command=_certificate)
    image = commands.add_parser("image", help="prepare what the built artifact runs on")
    image.add_argument("--renew", action="store_true", help="make Docker's image anew")
    image.set_defaults(command=_image)
    return parser


# Each command imports what it needs when it is run: the others should not wait for that.


def _serve(options: argparse.Namespace) -> int:
    from local.serve import serve  # noqa: PLC0415

    return serve(options.host, options.port, options.plant)


def _demo(options: argparse.Namespace) -> int:  # noqa: ARG001 - every command takes its options
    from local.demo import run_demo  # noqa: PLC0415

    return run_demo()


def _organisation(options: argparse.Namespace) -> int:
    from local.organisation.organisation import run_organisation  # noqa: PLC0415

    return run_organisation(options.accounts)


def _invoke(options: argparse.Namespace) -> int:
    from local.artifact.invoke import run_invoke  # noqa: PLC0415

    return run_invoke(options.event, options.mode)


def _certificate(options: argparse.Namespace) -> int:
    from local.fixtures.certificates import write_short_lived  # noqa: PLC0415

    expires = write_short_lived(options.folder, options.minutes)
    sys.stdout.write(
        f"{options.folder}/certificate.pem expires at {expires:%Y-%m-%d %H:%M:%S} UTC; "
        f"{options.folder}/private-key.pem is its key.\n"
    )
    return 0


def _image(options: argparse.Namespace) -> int:
    from local.artifact.runtime import prepare_runtime  # noqa: PLC0415

    return prepare_runtime(renew=options.renew)


if __name__ == "__main__":
    sys.exit(main())
