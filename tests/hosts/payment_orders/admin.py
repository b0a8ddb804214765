"""Two admins: one for members who look at shows, and the staff's in a template of its own."""

from flask import Flask, abort, request
from flask.typing import ResponseReturnValue
from flask_admin import Admin, AdminIndexView
from flask_admin.contrib.sqla import ModelView
from flask_admin.theme import Bootstrap4Theme
from jinja2 import ChoiceLoader, DictLoader

from tests.hosts.payment_orders.models import Member, Payment, Show, db

BASE = """
<!doctype html>
<html lang="en">
  <head>
    <title>{% block title %}Box office{% endblock %}</title>
    {% block head %}{% endblock %}
  </head>
  <body>
    <ul class="nav">
      {% for entry in admin_view.admin.menu() %}<li>{{ entry.name }}</li>{% endfor %}
    </ul>
    {% block body %}{% endblock %}
    {% block tail_js %}{% endblock %}
    {% block tail %}{% endblock %}
  </body>
</html>
"""


class StaffOnly:
    """The staff is whoever comes with the staff's header."""

    def is_accessible(self) -> bool:
        return request.headers.get("X-Staff") == "yes"

    def inaccessible_callback(self, name: str, **kwargs: object) -> ResponseReturnValue:
        abort(403)


class MemberView(StaffOnly, ModelView):
    column_list = ("full_name", "mail")


class PaymentView(StaffOnly, ModelView):
    column_list = ("id", "taken_at", "state", "amount_cents")


class ShowView(ModelView):
    can_create = can_edit = can_delete = False


def create_admins(app: Flask) -> Admin:
    """Mount both admins, and return the staff's."""
    own = DictLoader({"box_office.html": BASE})
    app.jinja_loader = ChoiceLoader([own, app.jinja_loader])  # type: ignore[list-item]
    public = Admin(app, name="Shows", index_view=AdminIndexView(url="/members", endpoint="members"))
    public.add_view(ShowView(Show, db, endpoint="members_shows", url="/members/shows"))
    public.add_view(ShowView(Payment, db, endpoint="members_payments", url="/members/payments"))
    staff = Admin(
        app,
        name="Box office",
        index_view=AdminIndexView(url="/staff", endpoint="staff"),
        theme=Bootstrap4Theme(base_template="box_office.html"),
    )
    staff.add_view(MemberView(Member, db, endpoint="staff_members", url="/staff/members"))
    staff.add_view(PaymentView(Payment, db, endpoint="staff_payments", url="/staff/payments"))
    return staff
