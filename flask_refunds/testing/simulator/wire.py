"""The XML that Braintree's SDKs send and read."""

from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape


class Malformed(ValueError):
    """The body is not the XML that an SDK sends."""


def parse(body: bytes) -> dict[str, Any]:
    """Return the request *body* as a dict of one root; an empty body is an empty dict."""
    if not body.strip():
        return {}
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise Malformed("document type definitions are refused")
    try:
        root = ElementTree.fromstring(body)  # noqa: S314 - no DTD, see above
    except ElementTree.ParseError as error:
        raise Malformed(str(error)) from error
    return {_key(root.tag): _value(root)}


def render(root: str, value: Any) -> bytes:
    """Return *value* as an XML document with the element *root*, as the SDK's parser wants it."""
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{_element(root, value)}'.encode()


def errors(code: str, attribute: str, message: str, transaction: Any = None) -> dict[str, Any]:
    """Return the body of a refused request: one validation error on the transaction."""
    error = {"code": code, "attribute": attribute, "message": message}
    return refusal(message, {"errors": [], "transaction": {"errors": [error]}}, transaction)


def refusal(message: str, found: dict[str, Any], transaction: Any = None) -> dict[str, Any]:
    """Return the body of an ``api-error-response`` with the errors *found*, perhaps none."""
    body: dict[str, Any] = {"errors": found, "params": {"action": "api"}, "message": message}
    if transaction is not None:
        body["transaction"] = transaction
    return body


def timestamp(moment: datetime) -> str:
    """Return *moment* (aware) as the API writes times: UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _key(tag: str) -> str:
    return tag.replace("-", "_")


def _value(node: ElementTree.Element) -> Any:
    kind = node.get("type")
    if kind == "array":
        return [_value(child) for child in node]
    if len(node):
        return {_key(child.tag): _value(child) for child in node}
    text = node.text or ""
    if kind == "boolean":
        return text == "true"
    if kind == "integer":
        return int(text)
    if kind == "datetime":
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    return text


def _element(name: str, value: Any) -> str:
    tag = name.replace("_", "-")
    match value:
        case None:
            return f'<{tag} nil="true"/>'
        case bool():
            return f'<{tag} type="boolean">{str(value).lower()}</{tag}>'
        case int():
            return f'<{tag} type="integer">{value}</{tag}>'
        case datetime():
            return f'<{tag} type="datetime">{timestamp(value)}</{tag}>'
        case dict():
            inside = "".join(_element(key, item) for key, item in value.items())
            return f"<{tag}>{inside}</{tag}>"
        case list():
            inside = "".join(_element("item", item) for item in value)
            return f'<{tag} type="array">{inside}</{tag}>'
        case _:
            return f"<{tag}>{escape(str(value))}</{tag}>"
