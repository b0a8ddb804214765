"""Our templates as the host's application finds them, and the base templates that they extend."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, TemplateError, TemplateNotFound, nodes

from flask_refunds.doctor.findings import Finding, finding, shown

OURS = "refunds/"


@dataclass(frozen=True, kw_only=True)
class Template:
    """A template, read and parsed. ``shipped``: it is the package's own."""

    source: str
    tree: nodes.Template
    shipped: bool


class Shelf:
    """The templates of an application, each read once.

    *base* is the admin's base template, *package* the folder with those that are shipped.

    What is wrong with a template raises :exc:`~jinja2.TemplateError`.
    """

    def __init__(self, environment: Environment, base: str, package: Path) -> None:
        self.environment = environment
        self._base, self._package = base, package
        self._read: dict[str, Template] = {}

    def ours(self) -> list[str]:
        """Return the names under which our templates are looked for."""
        names = self.environment.list_templates(extensions=["html"])
        return sorted(name for name in names if name.startswith(OURS))

    def read(self, name: str) -> Template:
        """Return the template *name*."""
        if name not in self._read:
            if self.environment.loader is None:
                raise TemplateNotFound(name)
            source, path, _ = self.environment.loader.get_source(self.environment, name)
            self._read[name] = Template(
                source=source,
                tree=self.environment.parse(source),
                shipped=path is not None and Path(path).is_relative_to(self._package),
            )
        return self._read[name]

    def chain(self, name: str) -> list[Template]:
        """Return the template *name* and all that it extends; by a variable it is the base."""
        chain = [self.read(name)]
        while (extends := chain[-1].tree.find(nodes.Extends)) is not None:
            parent = extends.template
            chain.append(
                self.read(str(parent.value) if isinstance(parent, nodes.Const) else self._base)
            )
        return chain


def templates(shelf: Shelf) -> Iterator[Finding]:
    """Yield what is wrong with our templates, the host's own versions of them included."""
    lacking: dict[str, list[str]] = {}
    for name in shelf.ours():
        try:
            if not shelf.read(name).shipped:
                shelf.environment.get_template(name)
            for block in _blocks_without_place(shelf, name):
                lacking.setdefault(block, []).append(name)
        except TemplateError as error:
            said = f"{type(error).__name__}: {shown(error.message or name)}"
            yield finding("template_broken", example=f"{name}: {said}")
    for block, names in lacking.items():
        yield finding("template_blocks", block=block, count=len(names), example=names[0])


def _blocks_without_place(shelf: Shelf, name: str) -> set[str]:
    """Return the outermost blocks of *name* that no template that it extends has.

    An empty one only takes away what the base would put there.
    """
    template, *parents = shelf.chain(name)
    if not parents:
        return set()
    outermost = {
        each.name for each in template.tree.body if isinstance(each, nodes.Block) and each.body
    }
    places = {block.name for each in parents for block in each.tree.find_all(nodes.Block)}
    return outermost - places
