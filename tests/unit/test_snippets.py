"""Every block of README and docs is run, or parsed: a name that was changed fails here."""

import ast
import configparser
import json
import re
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from types import ModuleType

import pytest
from flask import Flask
from jinja2 import Environment, FileSystemLoader, nodes

from flask_refunds import Policy, testing
from flask_refunds.config import Config
from flask_refunds.errors import ConfigurationError
from flask_refunds.gateways.braintree_settings import BraintreeSettings
from tests.documents import shop
from tests.documents.blocks import PAGES, Block, blocks_of, spoken_commands
from tests.documents.commands import check_command
from tests.documents.settings import OWN_WIRING, ZOO, Setting, module_for
from tests.processes import ROOT

NOT_RUN: Mapping[tuple[str, str], str] = {
    (
        "docs/gateways.md",
        "with Simulator() as simulator:",
    ): "sale and webhook address are the reader's",
    ("docs/gateways.md", "with StripeServer() as server:"): "the webhook address is the reader's",
    ("docs/deploying.md", "location /refunds/webhooks/ {"): "nothing here reads nginx's language",
    (
        "docs/templates.md",
        'document.addEventListener("refunds:chart", ({ detail }) => {',
    ): "JavaScript; tests/browser/test_charts.py has such a listener",
}
"""Blocks that are not run, by page and first line, and why. What Python of them calls exists."""

FILE = re.compile(r"# ([a-z_/]+)\.py\b")
"""The first line of a block that is a file, or a part of one."""
OF_PYTEST = re.compile(r"# (conftest|test_\w+)\.py\b")
"""The first line of a block that only pytest can run."""
TEMPLATES = ROOT / "flask_refunds" / "templates"
JINJA = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True)
BLOCKS = [block for page in PAGES for block in blocks_of(page) if not block.is_directive]


def of_kind(*kinds: str) -> list[Block]:
    return [b for b in BLOCKS if b.kind in kinds and (b.page, b.first) not in NOT_RUN]


def test_every_block_is_of_a_kind_that_is_tested_or_is_named_with_a_reason() -> None:
    known = {"python", "console", "ini", "toml", "json", "jinja", "text"}
    unknown = [b for b in BLOCKS if b.kind not in known and (b.page, b.first) not in NOT_RUN]
    assert unknown == []


def test_the_list_of_what_is_not_run_has_no_stale_entries() -> None:
    assert set(NOT_RUN) - {(block.page, block.first) for block in BLOCKS} == set()


def test_python_that_is_not_run_calls_what_there_is() -> None:
    offered = [getattr(testing, name) for name in testing.__all__]
    known = {name for each in [*offered, Flask, dict] for name in dir(each)}
    for block in BLOCKS:
        if block.kind == "python" and (block.page, block.first) in NOT_RUN:
            tree = ast.parse(block.text, str(block))
            called = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
            assert called - known - {"client", "config"} == set(), str(block)


def test_what_only_pytest_can_run_is_on_a_page_that_another_test_runs() -> None:
    others = [path for path in (ROOT / "tests").rglob("test_*.py") if path != Path(__file__)]
    for name in {Path(block.page).name for block in BLOCKS if OF_PYTEST.match(block.first)}:
        assert any(f'"{name}"' in path.read_text(encoding="utf-8") for path in others), name


# ---------------------------------------------------------------------------- Python


@contextmanager
def module_of(page: str) -> Iterator[ModuleType]:
    """Yield the module of the *page*'s snippets, importable as long as they run."""
    module = module_for(page)
    try:
        yield module
    finally:
        del sys.modules[module.__name__]


@pytest.mark.parametrize("page", sorted({block.page for block in of_kind("python")}))
def test_python_runs(page: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("SECRET_KEY", *(key.removeprefix("REFUNDS_") for key in shop.KEYS)):
        monkeypatch.setenv(name, "secret")
    monkeypatch.setitem(sys.modules, "shop", ModuleType("shop"))
    monkeypatch.setitem(sys.modules, "shop.models", shop)
    with module_of(page) as module, closing(Setting(page)) as setting:
        for block, said in zip(on := blocks_on(page), [*on[1:], None], strict=True):
            if block.kind == "python" and not OF_PYTEST.match(block.first):
                module.__dict__.update(setting.names())
                if "refused" in block.words:
                    assert said is not None, f"{block}: what is said?"
                    assert refusal_of(block, module) == " ".join(said.text.split()), str(block)
                else:
                    run(block, module)
                    if (file := FILE.match(block.first)) is not None:
                        monkeypatch.setitem(sys.modules, file[1].replace("/", "."), module)
                        write(tmp_path / f"{file[1]}.py", block.text)
                    check_settings(module)
                    check_policies(module)
        if page in OWN_WIRING:
            check_storefront(module)


def blocks_on(page: str) -> list[Block]:
    return [block for block in of_kind("python", "text") if block.page == page]


def run(block: Block, module: ModuleType) -> None:
    names = module.__dict__
    code = compile("\n" * block.line + block.text, block.page, "exec")
    with names["app"].app_context():
        if names["db"] is shop.db and "init_app" not in code.co_names:
            shop.open_for_business(names["app"], names["admin"])
        exec(code, names)


def write(file: Path, text: str) -> None:
    """Add *text* to the *file* of which the block says by its first line that it stands there."""
    file.parent.mkdir(exist_ok=True)
    with file.open("a", encoding="utf-8") as stream:
        stream.write(text)


def refusal_of(block: Block, module: ModuleType) -> str:
    with pytest.raises(ConfigurationError) as refused:
        run(block, module)
    return str(refused.value)


def check_settings(module: ModuleType) -> None:
    """Every setting exists, and its value is one that is accepted."""
    settings = {key: value for key, value in vars(module).items() if key.startswith("REFUNDS_")}
    fields = {f"REFUNDS_{name.upper()}" for name in Config.__dataclass_fields__}
    braintree = {*shop.KEYS, "REFUNDS_BRAINTREE_URL"}
    assert set(settings) - fields - braintree == set()
    Config.from_mapping(settings)
    if any(name in braintree for name in settings):
        BraintreeSettings.from_config({**shop.KEYS, **settings})


def check_policies(module: ModuleType) -> None:
    """A class called ...Policy has the methods that are asked for."""
    asked = {name for name in vars(Policy) if not name.startswith("_")}
    for name, value in vars(module).items():
        if name.endswith("Policy") and isinstance(value, type) and value is not Policy:
            assert asked <= set(dir(value)), name


def check_storefront(module: ModuleType) -> None:
    """What the page maps can be read from a database."""
    names = module.__dict__
    with names["app"].app_context():
        names["db"].create_all()
        for _, _, statement in names["storefront"].statements():
            names["db"].session.execute(statement).all()


@pytest.mark.parametrize("page", ZOO)
def test_the_tables_of_the_cookbook_are_those_of_its_shops(page: str) -> None:
    tables = Setting(page).database.metadatas.values()
    known = {str(t): set(t.columns.keys()) for metadata in tables for t in metadata.sorted_tables}
    told = dict(
        line.split("--")[0].split(maxsplit=1) for line in blocks_on(page)[0].text.splitlines()
    )
    assert told
    for table, columns in told.items():
        assert {column.strip() for column in columns.split(",")} == known[table], table


# ---------------------------------------------------------------------------- commands


@pytest.mark.parametrize("block", of_kind("console"), ids=str)
def test_console_lines_are_commands(block: Block) -> None:
    typed = [line[2:] for line in block.text.splitlines() if line.startswith("$ ")]
    assert typed
    for line in typed:
        if line.removeprefix("flask ") not in own_commands(block.page):
            check_command(line)


def own_commands(page: str) -> set[str]:
    """Return the commands that the *page* itself adds to its shop."""
    text = "\n".join(block.text for block in BLOCKS if block.page == page)
    return set(re.findall(r'cli\.command\("([a-z-]+)"\)', text))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_sentences_exist(page: Path) -> None:
    for line in spoken_commands(page):
        check_command(line, whole=False)


def test_cron_lines_are_commands() -> None:
    tables = [block for block in BLOCKS if block.words == ("text", "cron")]
    assert tables
    for line in "\n".join(block.text for block in tables).splitlines():
        if not re.match(r"#|[A-Z_]+=", line):
            fields, command = re.fullmatch(r"((?:[\d*/,-]+\s+){5})(.+)", line).groups()  # type: ignore[union-attr]
            assert len(fields.split()) == 5
            check_command(command.split("&&")[1])


# ---------------------------------------------------------------------------- other languages


def read_ini(text: str) -> None:
    parsed = configparser.ConfigParser(interpolation=None)
    parsed.read_string(text)
    assert parsed.sections()
    started = parsed.get("Service", "ExecStart", fallback="")
    if "flask" in started:
        check_command(started)


READERS: Mapping[str, Callable[[str], object]] = {
    "ini": read_ini,
    "toml": tomllib.loads,
    "json": json.loads,
}


@pytest.mark.parametrize("block", of_kind(*READERS), ids=str)
def test_configuration_is_well_formed(block: Block) -> None:
    READERS[block.kind](block.text)


@pytest.mark.parametrize("block", of_kind("jinja"), ids=str)
def test_templates_extend_and_include_what_there_is(block: Block) -> None:
    tree = JINJA.parse(block.text)
    for kind in (nodes.Extends, nodes.Include, nodes.FromImport):
        for node in tree.find_all(kind):
            assert (TEMPLATES / ours(node.template.value)).is_file()  # type: ignore[attr-defined]
    for macros in tree.find_all(nodes.FromImport):
        source = (TEMPLATES / macros.template.value).read_text()  # type: ignore[attr-defined]
        defined = {macro.name for macro in JINJA.parse(source).find_all(nodes.Macro)}
        assert set(macros.names) - defined == set()
    for extended in tree.find_all(nodes.Extends):
        known = set(blocks_known(ours(extended.template.value)))  # type: ignore[attr-defined]
        assert {node.name for node in tree.find_all(nodes.Block)} - known == set()


def ours(name: str) -> str:
    return name.replace("flask_refunds/", "refunds/")


def blocks_known(name: str) -> Iterator[str]:
    """Yield the blocks of our template *name* and of those that it extends."""
    tree = JINJA.parse((TEMPLATES / name).read_text(encoding="utf-8"))
    yield from (node.name for node in tree.find_all(nodes.Block))
    for extended in tree.find_all(nodes.Extends):
        if (TEMPLATES / extended.template.value).is_file():  # type: ignore[attr-defined]
            yield from blocks_known(extended.template.value)  # type: ignore[attr-defined]
