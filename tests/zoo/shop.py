"""A host of the zoo at work: its pages as a person clicks through them, its rows, its commands."""

import csv
import io
import json
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from html.parser import HTMLParser
from typing import Any

from click.testing import Result
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import inspect, text
from werkzeug.test import TestResponse

from flask_refunds.cli import refunds
from tests.hosts.zoo import Host, Sold, Till

OURS = "refunds_"
FORBIDDEN = re.compile(
    r"""<script\b(?![^>]*\bsrc=)|<style\b|<[a-z][^>]*\s(?:style|on[a-z]+)\s*=|javascript:"""
    r"""|<(?:script|link|img)\b[^>]*\b(?:src|href)="(?:https?:|data:|//)""",
    re.IGNORECASE,
)
"""What a Content-Security-Policy of ``default-src 'self'`` forbids."""
RESTING = {"completed", "failed"}
PATIENCE = 60.0
"""For how many seconds refunds may be under way."""


@dataclass(frozen=True)
class Shop:
    """A host with its one order sold."""

    host: Host
    app: Flask
    client: FlaskClient
    till: Till
    sold: Sold

    @property
    def db(self) -> Any:
        """The host's Flask-SQLAlchemy."""
        return self.app.extensions["sqlalchemy"]

    def get(self, url: str) -> str:
        """Return the page at *url*; it must come."""
        answer = self.client.get(url, headers=self.host.headers)
        assert answer.status_code == 200, f"{url}: {answer.status}\n{answer.text}"
        if self.host.csp and f"/{OURS}" in url:
            assert answer.headers["Content-Security-Policy"] == "default-src 'self'"
            # Before it is the menu, whose categories Flask-Admin opens by a javascript: link.
            ours = answer.text[answer.text.index("/refunds/static/") :]
            assert FORBIDDEN.findall(ours) == []
        return answer.text

    def post(self, url: str, values: Mapping[str, str]) -> TestResponse:
        """Send a form as a browser without scripts does."""
        return self.client.post(url, data=values, headers=self.host.headers)

    def follow(self, page: str, words: str) -> str:
        """Return the page behind the link that says *words*."""
        return self.get(link(page, words))

    def is_open(self, url: str) -> bool:
        """Return whether a stranger may see the page at *url*."""
        return self.app.test_client().get(url).status_code == 200

    def run(self, *words: str) -> Result:
        """Run ``flask refunds WORDS``; it must end well."""
        return run(self.app, *words)

    def page(self, name: str) -> str:
        """Return one of our pages in the host's admin: the desk, or a report."""
        return self.get(f"{self.host.admin}/{OURS}{name}")

    def history(self) -> str:
        """Return Account History with the order opened, by way of the host's lists."""
        if self.host.orders is not None:
            return self.follow(self.get(self.host.orders), "Account History")
        assert self.host.users is not None, "the host has neither users nor orders"
        return self.follow(self.get(self.host.users), "Account History")

    def form(self) -> tuple[str, "Form"]:
        """Return the address of the order's Issue Refund form, and what is in it."""
        url = link(self.history(), "Refund Order")
        return url, Form.of(self.get(url))

    def listed(self) -> list[dict[str, Any]]:
        """Return all refunds, the oldest first."""
        found: list[dict[str, Any]] = json.loads(self.run("list", "--json").output)
        return found[::-1]

    def refunds(self) -> list[tuple[int, str]]:
        """Return the amount and the state of each refund, the oldest first."""
        return [(refund["amount"], refund["state"]) for refund in self.listed()]

    def work(self, *command: str) -> None:
        """Sweep, as cron does, or run another *command* of ours, until nothing is under way."""
        ends = time.monotonic() + PATIENCE
        while any(state not in RESTING for _, state in self.refunds()):
            assert time.monotonic() < ends, self.run("list").output
            self.run(*command or ("sweep",))

    def csv(self, report: str, **asked: str) -> list[dict[str, str]]:
        """Return the rows of a report's CSV; all of them, unless something else is *asked*."""
        answer = self.client.get(
            f"{self.host.admin}/{OURS}{report}/csv",
            query_string=asked or {"period": "all"},
            headers=self.host.headers,
        )
        assert answer.mimetype == "text/csv", answer.text
        return list(csv.DictReader(io.StringIO(answer.text)))


@dataclass(frozen=True)
class Form:
    """The Issue Refund form: where it asks for quotes, and what a browser would send untouched."""

    quote_url: str
    values: Mapping[str, str]

    @classmethod
    def of(cls, page: str) -> "Form":
        """Read the form of *page*."""
        reader = _FormReader()
        reader.feed(page)
        assert reader.quote_url, page
        return cls(quote_url=reader.quote_url, values=reader.values)

    @property
    def lines(self) -> list[tuple[str, str]]:
        """The kind and the reference of each of its lines."""
        kinds = [value for name, value in self.values.items() if name.endswith("-kind")]
        refs = [value for name, value in self.values.items() if name.endswith("-ref")]
        return list(zip(kinds, refs, strict=True))


class _FormReader(HTMLParser):
    """Reads the only form with our mark."""

    def __init__(self) -> None:
        super().__init__()
        self.quote_url = ""
        self.values: dict[str, str] = {}
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._inside = "data-refunds-form" in given
            self.quote_url = given.get("data-quote-url", self.quote_url)
        if self._inside and tag == "input" and given.get("type") != "checkbox":
            self.values[given["name"]] = given.get("value", "")


def run(app: Flask, *words: str) -> Result:
    """Run ``flask refunds WORDS``; it must end well."""
    result = app.test_cli_runner().invoke(refunds, words)
    assert result.exit_code == 0, f"refunds {' '.join(words)}\n{result.output}"
    return result


def link(page: str, words: str) -> str:
    """Return the address of the link that says *words*; there must be one."""
    for tag, inside in re.findall(r"<a\b([^>]*)>(.*?)</a>", page, re.DOTALL):
        if words in inside:
            found = re.search(r'href="([^"]+)"', tag)
            assert found, tag
            return unescape(found[1])
    raise AssertionError(f"no link says {words!r} on\n{page}")


def words_of(html: str) -> str:
    """Return the words of *html* on one line."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def engines(app: Flask) -> Mapping[str | None, Any]:
    """Return the host's engines by bind; needs an application context."""
    found: Mapping[str | None, Any] = app.extensions["sqlalchemy"].engines
    return found


def tables(app: Flask) -> set[tuple[str, str, str]]:
    """Return every table as bind, schema and name; needs an application context."""
    return {
        (str(bind), schema, name)
        for bind, engine in engines(app).items()
        for schema in _schemas(engine)
        for name in inspect(engine).get_table_names(schema=schema)
    }


def is_ours(table: tuple[str, str, str]) -> bool:
    """Return whether a table is one of ours."""
    return table[2].startswith(OURS)


def rows(app: Flask, *, ours: bool = False) -> Mapping[tuple[str, str, str], list[str]]:
    """Return the rows of the host's tables (or *ours*) as the driver gives them."""
    found = {}
    for table in tables(app):
        if is_ours(table) is ours:
            bind, schema, name = table
            engine = engines(app)[None if bind == "None" else bind]
            quoted = ".".join(map(engine.dialect.identifier_preparer.quote, (schema, name)))
            with engine.connect() as connection:
                everything = connection.execute(text(f"SELECT * FROM {quoted}"))
                found[table] = sorted(map(repr, everything.all()))
    return found


@contextmanager
def opened(host: Host, settings: Mapping[str, Any], till: Till) -> Iterator[Shop]:
    """Yield the host with all tables made and its order sold."""
    app = host.create_app(settings)
    with app.app_context():
        app.extensions["sqlalchemy"].create_all()
        assert not any(map(is_ours, tables(app)))
        client = app.test_client()
        host.sign_in(client)
        for command in ("upgrade", "check"):
            run(app, command)
        sold = host.sell(app, till)
        app.extensions["sqlalchemy"].session.remove()
    yield Shop(host, app, client, till, sold)
    with app.app_context():
        for engine in engines(app).values():
            engine.dispose()


def _schemas(engine: Any) -> list[str]:
    """Return the schemas that may hold tables of the shop."""
    hidden = {"information_schema", "mysql", "performance_schema", "sys"}
    names = inspect(engine).get_schema_names()
    if engine.dialect.name in {"mysql", "mariadb"}:
        names = [engine.url.database]
    return [name for name in names if name not in hidden]
