"""Signing in and out, and who may open the admin."""

from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Flask, abort, flash, redirect, render_template, request, url_for
from flask_login import LoginManager, current_user, login_required, login_user, logout_user
from flask_wtf import FlaskForm
from sqlalchemy import select
from werkzeug.wrappers import Response
from wtforms import PasswordField, StringField, SubmitField
from wtforms.validators import InputRequired

from example_app.database import db
from example_app.models import User

blueprint = Blueprint("auth", __name__)


class LoginForm(FlaskForm):
    """E-mail address and password."""

    email = StringField("E-mail", [InputRequired()])
    password = PasswordField("Password", [InputRequired()])
    submit = SubmitField("Sign in")


@blueprint.route("/login", methods=["GET", "POST"])
def login() -> str | Response:
    """Ask for e-mail and password, then go to where the visitor was on the way to."""
    form = LoginForm()
    if form.validate_on_submit():
        address = str(form.email.data).strip().lower()
        user = db.session.scalar(select(User).where(User.email == address))
        if user and user.check_password(str(form.password.data)):
            login_user(user)
            return redirect(_destination(user))
        flash("E-mail address or password is wrong.", "error")
    return render_template("shop/login.html", form=form)


@blueprint.post("/logout")
@login_required
def logout() -> Response:
    """Sign the user out."""
    logout_user()
    return redirect(url_for("shop.index"))


def _destination(user: User) -> str:
    """Return where to go after signing in: ``next`` when it is a path of ours, else home."""
    target = request.args.get("next", "")
    parts = urlsplit(target)
    if target.startswith("/") and not (parts.netloc or target.startswith(("//", "/\\"))):
        return target
    return url_for("admin.index") if user.is_staff else url_for("shop.index")


class StaffOnly:
    """Opens a Flask-Admin view to signed-in staff only; goes in front of the view's class."""

    def is_accessible(self) -> bool:
        """Return whether the present user is a member of staff."""
        return bool(current_user and current_user.is_authenticated and current_user.is_staff)

    def inaccessible_callback(self, name: str, **kwargs: Any) -> Response:
        """Send a visitor to the login page, and refuse a customer who is signed in."""
        if current_user.is_authenticated:
            abort(403)
        return redirect(url_for("auth.login", next=request.full_path.rstrip("?")))


def load_user(user_id: str) -> User | None:
    """Return the user that a session remembers, if there still is one."""
    return db.session.get(User, int(user_id))


def init_app(app: Flask) -> None:
    """Add the login pages to the application."""
    manager = LoginManager(app)
    manager.login_view = "auth.login"
    manager.login_message = ""
    manager.user_loader(load_user)
    app.register_blueprint(blueprint)
