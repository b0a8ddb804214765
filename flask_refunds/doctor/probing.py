"""What a stranger's request gets: one for our page, our styles and our webhook, in this process."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from flask import Flask

from flask_refunds.doctor.findings import Finding, finding

NO_GATEWAY = "-"
"""No gateway can be called so; our webhook answers 404 without a body."""

NEEDS = ("script-src", "style-src", "connect-src", "form-action")
"""The directives of a policy by which our pages load and send to their own address."""
_FALL_BACK = ("script-src", "style-src", "connect-src")


@dataclass(frozen=True, kw_only=True)
class _Answer:
    """What one request got; no ``status``: an exception of the application's."""

    path: str
    words: str
    status: int | None = None
    body: str = ""
    policies: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.words


def probe(app: Flask) -> Iterator[Finding]:
    """Ask *app* as somebody would who is not signed in; nothing is changed."""
    desk = _ask(app, "GET", "refunds_desk.index")
    styles = _ask(app, "GET", "refunds.static", filename="refunds.css")
    hook = _ask(app, "POST", "refunds.webhook", gateway=NO_GATEWAY)
    if desk.status in {None, 500}:
        yield finding("page_fails", example=desk)
    elif desk.status == 200 and styles.path in desk.body:  # not a page for signing in
        yield finding("pages_open", example=desk)
    for policy in desk.policies:
        for directive in forbidden(policy):
            yield finding("csp", directive=directive, example=policy)
    if styles.status in {None, 404, 500}:
        yield finding("static_missing", example=styles)
    if hook.status != 404 or hook.body:
        yield finding("webhook_closed", example=hook)


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
    return any(
        source == "'self'" or not source.startswith(("'", "data:", "blob:")) for source in sources
    )


def _ask(app: Flask, method: str, endpoint: str, **values: str) -> _Answer:
    host = app.config.get("SERVER_NAME") or "localhost"
    path = app.url_map.bind(host, script_name="/").build(endpoint, values)
    asked = f"{method} {path}"
    try:
        answer = app.test_client().open(
            path, method=method, base_url=f"https://{host}", buffered=True
        )
    except Exception as error:  # noqa: BLE001 - the host's own code, in an app that propagates
        return _Answer(path=path, words=f"{asked}: {type(error).__name__}")
    return _Answer(
        path=path,
        words=f"{asked}: status {answer.status_code}",
        status=answer.status_code,
        body=answer.get_data(as_text=True),
        policies=tuple(answer.headers.getlist("Content-Security-Policy")),
    )
