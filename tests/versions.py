"""Assert that the ends of our range are what is installed: ``python -m tests.versions oldest``.

``newest`` takes what else is asked for, such as ``"SQLAlchemy<2.1"``.
"""

import json
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

PACKAGE = "Flask-Refunds"


def main(end: str, *asked: str) -> None:
    """Print what is installed of our direct dependencies; exit when it is not that *end*."""
    ranges = admitted(metadata.requires(PACKAGE) or [], asked)
    installed = {name: Version(metadata.version(name)) for name in ranges}
    print(f"Python {platform.python_version()}")
    for name, version in sorted(installed.items()):
        print(f"{name} {version}")
    wanted = oldest(ranges) if end == "oldest" else newest(ranges)
    wrong = [
        f"{name} is {installed[name]}, and its {end} is {version}"
        for name, version in wanted.items()
        if installed[name] != version
    ]
    wrong += [
        f"{name} is {version}, and {ranges[name]} is asked for"
        for name, version in installed.items()
        if version not in ranges[name]
    ]
    if wrong:
        sys.exit("\n".join(wrong))


def admitted(ours: Sequence[str], asked: Sequence[str]) -> dict[str, SpecifierSet]:
    """Return the range of each direct dependency on this Python, narrowed by what is *asked*."""
    ranges: dict[str, SpecifierSet] = {}
    for requirement in map(Requirement, [*ours, *asked]):
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            name = canonicalize_name(requirement.name)
            ranges[name] = ranges.get(name, SpecifierSet()) & requirement.specifier
    return ranges


def oldest(ranges: Mapping[str, SpecifierSet]) -> dict[str, Version]:
    """Return the lower end of each range."""
    return {
        name: max(Version(each.version) for each in specifiers if each.operator == ">=")
        for name, specifiers in ranges.items()
    }


def newest(ranges: Mapping[str, SpecifierSet]) -> dict[str, Version]:
    """Return what the package index has newer, and our *ranges* admit."""
    command = [sys.executable, "-m", "pip", "list", "--outdated", "--format=json"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    latest: dict[str, Version] = {
        canonicalize_name(each["name"]): Version(each["latest_version"])
        for each in json.loads(ran.stdout)
    }
    return {
        name: latest[name]
        for name, specifiers in ranges.items()
        if name in latest and latest[name] in specifiers
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
