"""Where an extension is added to the finished shop."""

from flask import Flask
from flask_admin import Admin
from flask_sqlalchemy import SQLAlchemy


def install(app: Flask, db: SQLAlchemy, admin: Admin) -> None:
    """Do nothing yet."""
