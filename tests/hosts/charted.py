"""A page of charts under a strict Content-Security-Policy; the shop keeps what was blocked."""

import secrets
from collections.abc import Sequence

from flask import Flask, Response, g, request
from flask_admin import Admin, BaseView, expose
from flask_admin.contrib.sqla import ModelView
from jinja2 import ChoiceLoader, DictLoader

from flask_refunds import Actor, AdminAccessPolicy, Refunds
from tests.hosts.tiny import Order, User, db, storefront

PAGE = """
{% extends "admin/master.html" %}
{% from "refunds/chart_macros.html" import chart %}
{% macro table(id, rows, heads, hidden=false) %}
  {% if hidden %}<details><summary>The figures</summary>{% endif %}
  <table class="table table-sm" id="{{ id }}">
    <thead>
      <tr>
        <th scope="col">What</th>
        {% for name, words in heads.items() %}
          <th scope="col" class="refunds-right" data-refunds-series="{{ name }}">{{ words }}</th>
        {% endfor %}
      </tr>
    </thead>
    <tbody>
      {% for label, short, values in rows %}
        <tr>
          <th scope="row" {% if short %}data-refunds-label="{{ short }}"{% endif %}>{{ label }}</th>
          {% for value in values %}
            <td class="refunds-right" data-value="{{ value }}">{{ value|dollars }}</td>
          {% endfor %}
        </tr>
      {% endfor %}
    </tbody>
    <tfoot>
      <tr><th scope="row">Total</th>{% for _ in heads %}<td>all of it</td>{% endfor %}</tr>
    </tfoot>
  </table>
  {% if hidden %}</details>{% endif %}
{% endmacro %}
{% block body %}
  {% include "refunds/assets.html" %}
  {% include "refunds/chart_assets.html" %}
  <div class="refunds">
    <div class="row mb-4">
      {% for name in ("Today", "This week", "This month") %}
        <div class="col-md-4 mb-2">
          <div class="card">
            <div class="card-body">
              <h3 class="h6">{{ name }}</h3>
              <p class="h4 mb-0">$1,204.50</p>
              {{ chart("spark", "days", name ~ ", day by day", "USD") }}
            </div>
          </div>
        </div>
      {% endfor %}
    </div>
    {{ chart("bars", "days", "Sales by day", "USD") }}
    {{ table("days", days, {"gross": "Gross", "refunds": "Refunds", "net": "Net"}, true) }}
    {{ chart("shares", "reasons", "Refunds by reason", "USD") }}
    {{ table("reasons", reasons, {"refunds": "Refunded"}, true) }}
    {{ chart("shares", "items", "The three items that sold best", "USD", rows=3) }}
    {{ table("items", items, {"gross": "Gross", "refunds": "Refunds"}, true) }}
    {{ chart("bars", "mixed", "Sales by week, EUR", "EUR", newest_first=true) }}
    <table class="table" id="mixed">
      <thead>
        <tr>
          <th colspan="2" scope="col">Week</th>
          <th scope="col" data-refunds-series="net">Net</th>
        </tr>
      </thead>
      <tbody>
        {% for week, currency, net in mixed %}
          <tr data-currency="{{ currency }}">
            <th scope="row">Week {{ week }}</th><td>{{ currency }}</td>
            <td data-value="{{ net }}">{{ net }}.00 {{ currency }}</td>
          </tr>
        {% endfor %}
      </tbody>
    </table>
    {{ chart("bars", "nothing", "Sales by day", "USD", nothing="Nothing was sold in these days.") }}
    {{ table("nothing", [], {"gross": "Gross"}, true) }}
  </div>
{% endblock %}
"""

DAYS = [
    (f"2026-03-{day:02}", f"Mar {day}", (gross / 100, back / 100, (gross - back) / 100))
    for day in range(1, 31)
    for gross in [(day * 7919) % 90000 + 21000 * (day % 7 < 5)]
    for back in [(day * 104729) % 19000 * (day % 3 == 1) - 2400 * (day == 12)]
]
REASONS = [
    ("Returned by the customer", "", (1204.5,)),
    ("Damaged or not as described", "", (640,)),
    ("Late or lost in the post, so that the customer cancelled the order", "", (233.25,)),
    ("Goodwill", "", (75,)),
    ("Duplicate", "", (12.34,)),
]
ITEMS = [
    ("BIKE-TOUR", "Touring bicycle, steel, 54 cm", (9000, 1500)),
    ("WHEEL-28", "Wheel", (3120, 0)),
    ("RAIN-JKT", "Rain jacket", (2600, 780)),
    ("STICKER", "Sticker", (12, 1)),
]
MIXED = [(3, "EUR", 30), (2, "USD", 77), (2, "EUR", 20), (1, "EUR", 10)]


class Charts(BaseView):
    """A page of charts."""

    @expose("/")
    def index(self) -> str:
        """Show it."""
        page: str = self.render("charts.html", days=DAYS, reasons=REASONS, items=ITEMS, mixed=MIXED)
        return page


def dollars(amount: float) -> str:
    """Return *amount* as the page says it, which no script could guess."""
    return f"{'−' if amount < 0 else ''}USD {abs(amount):,.2f}"


def create_app(blocked: list[str]) -> Flask:
    """Return the shop; *blocked* takes what browsers say that they blocked."""
    app = Flask(__name__)
    app.config.from_mapping(
        SECRET_KEY="charted", SQLALCHEMY_DATABASE_URI="sqlite://", REFUNDS_REDIS_URL=None
    )
    own = DictLoader({"charts.html": PAGE})
    app.jinja_loader = ChoiceLoader([own, app.jinja_loader])  # type: ignore[list-item]
    app.add_template_filter(dollars)

    @app.before_request
    def take_nonce() -> None:
        g.nonce = secrets.token_urlsafe(12)

    @app.after_request
    def be_strict(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = "; ".join(policy(g.nonce))
        return response

    @app.post("/blocked")
    def note() -> str:
        blocked.append(request.get_data(as_text=True))
        return ""

    db.init_app(app)
    admin = Admin(app, csp_nonce_generator=lambda: g.nonce)
    admin.add_view(ModelView(User, db, endpoint="user"))
    admin.add_view(ModelView(Order, db, endpoint="order"))
    refunds = Refunds(
        storefront,
        policy=AdminAccessPolicy(actor=lambda: Actor(id="1", label="the owner")),
        gateways={},
    )
    refunds.init_app(app, db=db, admin=admin)
    admin.add_view(Charts("Charts", endpoint="charts"))
    return app


def policy(nonce: str) -> Sequence[str]:
    """Return what a careful host allows: nothing inline, nothing of others."""
    return (
        "default-src 'none'",
        f"script-src 'nonce-{nonce}' 'self'",
        "style-src 'self'",
        "img-src 'self' data:",  # Bootstrap's own pictures
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "report-uri /blocked",
    )
