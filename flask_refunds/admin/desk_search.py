"""What was searched for, kept out of URLs: names and e-mail addresses stay in the session.

Numbers and ids may stand in a URL, so that such a search can be bookmarked and sent to somebody.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from flask import session

from flask_refunds.admin.forms import storable

LONGEST = 190
_KEY = "refunds_searches"
_KEPT = 5
_PLAIN = re.compile(r"[\w./#-]*\d[\w./#-]*", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Search:
    """What is searched for now, and what stands for it in a URL. ``ended``: nobody knows it."""

    text: str
    args: Mapping[str, str]
    ended: bool = False


def remember(text: str) -> Mapping[str, str]:
    """Return the URL arguments that stand for a search for *text*."""
    text = storable(text).strip()[:LONGEST]
    if not text:
        return {}
    if _PLAIN.fullmatch(text):
        return {"q": text}
    token = secrets.token_urlsafe(9)
    session[_KEY] = [*session.get(_KEY, [])[1 - _KEPT :], [token, text]]
    return {"search": token}


def recall(args: Mapping[str, str]) -> Search:
    """Return the search that the arguments of a URL stand for."""
    text, token = args.get("q", "").strip()[:LONGEST], args.get("search", "")
    if text and _PLAIN.fullmatch(text):
        return Search(text=text, args={"q": text})
    if not token:
        return Search(text="", args={})
    kept = dict(session.get(_KEY, []))
    if token not in kept:
        return Search(text="", args={}, ended=True)
    return Search(text=kept[token], args={"search": token})
