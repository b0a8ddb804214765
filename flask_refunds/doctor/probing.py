"""What a stranger's request gets: one for our page, our styles and our webhook, in this process."""

from collections.abc import Iterator, Mapping

from flask import Flask
from werkzeug.test import TestResponse

from flask_refunds.doctor.findings import Finding, finding

ADDRESS = "https://{host}"
NO_GATEWAY = "-"
"""No gateway can be called so; our webhook answers 404 without a body."""

NEEDS = ("script-src", "style-src", "connect-src", "form-action")
"""The directives of a policy by which our pages load and send to their own address."""
_FALL_BACK = ("script-src", "style-src", "connect-src")


def probe(app: Flask) -> Iterator[Finding]:
    """Ask *app* as somebody would who is not signed in; nothing is changed."""
    asked, page, error = _ask(app, "GET", "refunds_desk.index")
    if page is None or page.status_code in {404, 500}:
        yield finding(
            "page_fails", example=f"{asked}: {error or f'status {page and page.status_code}'}"
        )
    else:
        if page.status_code == 200:
            yield finding("pages_open", example=asked)
        for policy in page.headers.getlist("Content-Security-Policy"):
            for directive in forbidden(policy):
                yield finding("csp", directive=directive, example=policy)
    asked, styles, error = _ask(app, "GET", "refunds.static", filename="refunds.css")
    if styles is None or styles.status_code in {404, 500}:
        yield finding("static_missing", example=f"{asked}: {error or 'not found'}")
    asked, hook, error = _ask(app, "POST", "refunds.webhook", gateway=NO_GATEWAY)
    if hook is None or hook.status_code != 404 or hook.data:
        answer = error or f"status {hook.status_code if hook else ''}"
        yield finding("webhook_closed", example=f"{asked}: {answer}")


def forbidden(policy: str) -> list[str]:
    """Return the directives of a Content-Security-Policy that forbid our pages their own files."""
    given: dict[str, list[str]] = {}
    for directive in policy.split(";"):
        name, *sources = directive.split() or [""]
        given.setdefault(name.lower(), [source.lower() for source in sources])
    return [name for name in NEEDS if not _allows(given, name)]


def _allows(given: Mapping[str, list[str]], name: str) -> bool:
    sources = given.get(f"{name}-elem", given.get(name))
    if sources is None and name in _FALL_BACK:
        sources = given.get("default-src")
    if sources is None:
        return True
    if name == "script-src" and "'strict-dynamic'" in sources:
        return False
    return any(not source.startswith("'") or source == "'self'" for source in sources)


def _ask(
    app: Flask, method: str, endpoint: str, **values: str
) -> tuple[str, TestResponse | None, str]:
    """Return what was asked, the answer, and which error there was instead of one."""
    host = app.config.get("SERVER_NAME") or "localhost"
    path = app.url_map.bind(host, script_name="/").build(endpoint, values)
    asked = f"{method} {path}"
    try:
        answer = app.test_client().open(
            path, method=method, base_url=ADDRESS.format(host=host), buffered=True
        )
    except Exception as error:  # noqa: BLE001 - the host's own code, in an app that propagates
        return asked, None, type(error).__name__
    return asked, answer, ""
