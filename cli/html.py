"""A page as a file of its own: one HTML document that needs nothing else."""

import base64
import hashlib
from importlib.resources import files

import jinja2

from cli.pages import Page

TEMPLATES = "templates"


def render_html(page: Page) -> str:
    """Return a page as HTML, which loads nothing and runs no script but its own."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("cli", TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script = _read_part("page.css"), _read_part("page.js")
    return environment.get_template("page.html.j2").render(
        page=page,
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
    )


def _read_part(name: str) -> str:
    return files("cli").joinpath(TEMPLATES, name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """Return what a Content-Security-Policy allows an inline text by."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
