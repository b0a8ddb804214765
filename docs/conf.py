"""The documents as a site: ``make docs``. Nothing is fetched while it is built."""

from flask_refunds import __version__

project = "Flask-Refunds"
author = "Flask-Refunds contributors"
project_copyright = author
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
# A reference to ours must lead somewhere; those of other projects are not fetched.
nitpick_ignore_regex = [("py:.*", r"(?!flask_refunds\.).*")]
# Named in passing by what is public, and not public themselves.
nitpick_ignore = [
    ("py:class", "flask_refunds.models.Allocation"),
    ("py:class", "flask_refunds.models.Attempt"),
    ("py:class", "flask_refunds.gateways.braintree_settings.BraintreeSettings"),
    ("py:class", "flask_refunds.reports.sources.Query"),
    ("py:class", "flask_refunds.runtime.Runtime"),
    ("py:data", "flask_refunds.states.TRANSITIONS"),
    ("py:func", "flask_refunds.figures.narrowing.may_narrow"),
    ("py:mod", "flask_refunds.figures.keys"),
    ("py:mod", "flask_refunds.storefront"),
    ("py:mod", "flask_refunds.testing.plugin"),
]

html_theme = "furo"
html_title = f"Flask-Refunds {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_copyright = False
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}
