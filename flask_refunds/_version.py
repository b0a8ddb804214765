"""The version, in one place: ``setup.py`` and ``flask_refunds.__version__`` read it here."""

__version__ = "0.1.0"
