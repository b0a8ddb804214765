"""Reading our pages in tests: the values of a form, an order's lines, and plain text."""

import re
from dataclasses import dataclass, field
from html import unescape
from html.parser import HTMLParser
from typing import Any

from flask.testing import FlaskClient

from flask_refunds.admin import references
from tests.functional.conftest import Shop

Attributes = list[tuple[str, str | None]]


class _Form(HTMLParser):
    """Collects what a browser would send of the only form that posts."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self.disabled: set[str] = set()
        self._inside = False
        self._select = ""
        self._area = ""

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        given = dict(attrs)
        name = given.get("name") or ""
        if tag == "form":
            self._inside = "data-refunds-form" in given
        if not self._inside:
            return
        if "disabled" in given:
            self.disabled.add(name)
        elif tag == "select":
            self._select, self.values[name] = name, ""
        elif tag == "option" and "selected" in given:
            self.values[self._select] = given.get("value") or ""
        elif tag == "textarea":
            self._area, self.values[name] = name, ""
        elif tag == "input" and given.get("type") != "checkbox":
            self.values[name] = given.get("value") or ""
        elif tag == "input" and "checked" in given:
            self.values[name] = given.get("value") or "y"

    def handle_data(self, data: str) -> None:
        if self._area:
            self.values[self._area] += data.lstrip("\r\n")

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._area = ""


def form_of(html: str) -> dict[str, str]:
    """Return what a browser would send of the Issue Refund form in *html*, untouched."""
    reader = _Form()
    reader.feed(html)
    return reader.values


def text_of(html: str) -> str:
    """Return the words of *html* on one line."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def line_of(html: str, ref: str, kind: str = "line") -> str:
    """Return the HTML of one line's row of the opened order in Account History."""
    opened = html.split(" open>", 1)[1].split("</details>", 1)[0]
    found = re.search(rf'<tr[^>]*data-line="{kind}:{ref}".*?</tr>', opened, re.DOTALL)
    assert found, f"no line {kind}:{ref}"
    return found[0]


def token(shop: Shop, name: str) -> str:
    """Return the reference of the order called *name*."""
    with shop.app.test_request_context():
        return references.order_token(shop.orders[name])


def customer(shop: Shop, name: str) -> str:
    """Return the reference of the customer called *name*."""
    with shop.app.test_request_context():
        return references.customer_token(shop.people[name])


def history(shop: Shop, name: str, client: FlaskClient | None = None) -> str:
    """Return the page of Account History with the order called *name* opened."""
    answer = (client or shop.client()).get(f"/admin/refunds_history/?order={token(shop, name)}")
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


@dataclass
class Modal:
    """The Issue Refund modal of one order, as our script opens and sends it.

    Without ``ours`` it is the page that a browser without scripts sends.
    """

    shop: Shop
    name: str
    client: FlaskClient
    values: dict[str, str] = field(default_factory=dict)
    html: str = ""
    customer: str | None = None
    ours: bool = True

    @property
    def query(self) -> str:
        """The arguments of its URLs."""
        more = f"&customer={self.customer}" if self.customer else ""
        return f"?order={token(self.shop, self.name)}{more}"

    def open(self) -> "Modal":
        """Open it; it must come."""
        answer = self.client.get(f"/admin/refunds_issue/{self.query}", headers=OURS)
        self.html = answer.get_data(as_text=True)
        assert answer.status_code == 200, self.html
        self.values = form_of(self.html)
        return self

    def send(self, to: str = "", **changes: str | None) -> "Answer":
        """Send it with *changes*; a name's ``__`` stands for a hyphen, ``None`` takes it away."""
        values = dict(self.values)
        for name, value in changes.items():
            key = name.replace("__", "-")
            values.pop(key, None)
            if value is not None:
                values[key] = value
        answer = self.client.post(
            f"/admin/refunds_issue/{to}{self.query}", data=values, headers=OURS if self.ours else {}
        )
        text = answer.get_data(as_text=True)
        return Answer(
            status=answer.status_code,
            html=text,
            json=answer.get_json() if answer.is_json else None,
            location=answer.headers.get("Location", ""),
        )


OURS = {"X-Requested-With": "refunds"}


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    html: str
    json: Any
    location: str

    def error_at(self, field_id: str) -> str:
        """Return the words of the error at one field; empty if it has none."""
        pattern = rf'<div class="refunds-error" id="{field_id}-error"([^>]*)>(.*?)</div>'
        found = re.search(pattern, self.html, re.DOTALL)
        assert found, f"no place for errors of {field_id}"
        return "" if "hidden" in found[1] else text_of(found[2])

    @property
    def summary(self) -> str:
        """The words of the error summary."""
        found = re.search(r"data-refunds-problems>(.*?)</div>", self.html, re.DOTALL)
        return text_of(found[1]) if found else ""
