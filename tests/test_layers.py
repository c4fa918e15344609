"""The architecture and the safety rules that hold for every file, read from the source with `ast`."""

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import NamedTuple

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
REQUIREMENTS = REPOSITORY / "requirements.txt"

# Imports go from an upper line to a lower one or stay on their line; there they must not form a circle.
LAYERS = (
    {"app", "__main__"},
    {"ui", "api", "cli"},
    {"chat", "training", "evaluation", "exporting", "trust"},
    {"engine"},
    {"tasks"},
    {"adapters", "backbones", "data"},
    {"access", "settings", "errors", "types", "__init__"},
)
RANKS = {package: rank for rank, layer in enumerate(LAYERS) for package in layer}

GRADIO_PLACES = ("app", "playground.ui")
TENSOR_PLACES = (
    *("playground.backbones", "playground.engine", "playground.training", "playground.exporting"),
    "playground.adapters.weights",
)
TENSOR_LIBRARIES = ("torch", "transformers", "peft", "accelerate", "bitsandbytes", "safetensors.torch")
PICKLE_LIBRARIES = ("pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve")
FORBIDDEN_CALLS = ("torch.load", "os.system", "os.popen", "eval", "exec")
FORBIDDEN_OPTIONS = ("trust_remote_code", "shell")
GIVEN_BY_THE_HOST = {"spaces"}
USED_WHERE_INSTALLED = {"onnxruntime", "llama_cpp"}
"""Readers of exported files."""


class Source(NamedTuple):
    module: str
    tree: ast.Module


class Import(NamedTuple):
    line: int
    target: str


def _sources() -> Iterator[Source]:
    for path in [*sorted((REPOSITORY / "playground").rglob("*.py")), REPOSITORY / "app.py"]:
        if path.exists():
            parts = path.relative_to(REPOSITORY).with_suffix("").parts
            module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            yield Source(module, ast.parse(path.read_text(encoding="utf-8"), str(path)))


SOURCES = list(_sources())
every_source = pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.module)


def _imports(tree: ast.AST) -> Iterator[Import]:
    """Everything imported anywhere in a file, also inside functions; `from a import b` counts as a and as a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (Import(node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield Import(node.lineno, str(node.module))
            yield from (Import(node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def _is_inside(module: str, places: tuple[str, ...]) -> bool:
    return any(module == place or module.startswith(f"{place}.") for place in places)


def _package(module: str) -> str:
    """`ui` of `playground.ui.theme`, `app` of `app`, `__init__` of `playground` itself."""
    top, _, rest = module.partition(".")
    return (rest.partition(".")[0] or "__init__") if top == "playground" else top


def _own_imports(source: Source) -> Iterator[Import]:
    """Imports of other packages of ours, as package names."""
    for line, target in _imports(source.tree):
        package = _package(target)
        is_ours = target == "app" or target.startswith("playground.")
        if is_ours and package in RANKS and package != _package(source.module):
            yield Import(line, package)


def _upward_imports(source: Source) -> list[Import]:
    rank = RANKS[_package(source.module)]
    return [found for found in _own_imports(source) if RANKS[found.target] < rank]


def _misplaced(source: Source, libraries: tuple[str, ...], places: tuple[str, ...]) -> list[Import]:
    if _is_inside(source.module, places):
        return []
    return [found for found in _imports(source.tree) if _is_inside(found.target, libraries)]


def _is_off(value: ast.expr | None) -> bool:
    return isinstance(value, ast.Constant) and value.value is False


def _dangers(tree: ast.AST) -> list[str]:
    """Ways to run what a file or a person brings along."""
    found = [f"{line}: import {target}" for line, target in _imports(tree) if _is_inside(target, PICKLE_LIBRARIES)]
    found += [f"{line}: import {target}" for line, target in _imports(tree) if target in FORBIDDEN_CALLS]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in FORBIDDEN_CALLS:
            found.append(f"{node.lineno}: {ast.unparse(node.func)}(")
        elif isinstance(node, ast.keyword) and node.arg in FORBIDDEN_OPTIONS and not _is_off(node.value):
            found.append(f"{node.lineno}: {node.arg}=")
        elif isinstance(node, ast.Dict):
            options = [
                (key.value, value)
                for key, value in zip(node.keys, node.values, strict=True)
                if isinstance(key, ast.Constant)
            ]
            found += [
                f"{node.lineno}: {key}" for key, value in options if key in FORBIDDEN_OPTIONS and not _is_off(value)
            ]
    return found


def _normalised(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def _requirement_lines() -> list[str]:
    lines = REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@cache
def _owners() -> dict[str, list[str]]:
    """Import names and the installed distributions that bring them."""
    return {name: [_normalised(owner) for owner in owners] for name, owners in packages_distributions().items()}


@cache
def _declared() -> set[str]:
    return {_normalised(re.split(r"[<>=!~\[; ]", line)[0]) for line in _requirement_lines()}


def _source(module: str, text: str) -> Source:
    return Source(module, ast.parse(text))


@every_source
def test_module_belongs_to_a_layer(source):
    assert _package(source.module) in RANKS, f"give {source.module} a place in LAYERS"


@every_source
def test_imports_are_absolute(source):
    relative = [node.lineno for node in ast.walk(source.tree) if isinstance(node, ast.ImportFrom) and node.level]
    assert not relative


@every_source
def test_imports_go_downwards(source):
    assert not _upward_imports(source)


def test_packages_form_no_circle():
    graph = {}
    for source in SOURCES:
        graph.setdefault(_package(source.module), set()).update(found.target for found in _own_imports(source))
    TopologicalSorter(graph).prepare()  # raises CycleError, which shows the circle


@every_source
def test_gradio_stays_in_the_page(source):
    assert not _misplaced(source, ("gradio",), GRADIO_PLACES)


@every_source
def test_tensor_libraries_stay_where_tensors_live(source):
    assert not _misplaced(source, TENSOR_LIBRARIES, TENSOR_PLACES)


@every_source
def test_nothing_runs_foreign_code(source):
    assert not _dangers(source.tree)


@every_source
def test_spaces_is_not_needed(source):
    at_import_time = [node for node in source.tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    everywhere = [source.tree] if source.module != "playground.engine.zerogpu" else at_import_time
    found = [found for node in everywhere for found in _imports(node)]
    assert not [one for one in found if _is_inside(one.target, ("spaces",))]


@every_source
def test_imported_distributions_are_direct_requirements(source):
    roots = {target.partition(".")[0] for _, target in _imports(source.tree)} - GIVEN_BY_THE_HOST - USED_WHERE_INSTALLED
    foreign = roots - set(sys.stdlib_module_names) - {"playground", "app"}
    assert not {root for root in foreign if _declared().isdisjoint(_owners().get(root, [root]))}


@pytest.mark.parametrize("line", _requirement_lines())
def test_requirement_has_a_lower_bound_and_names_who_needs_it(line):
    assert re.match(r"[a-z0-9-]+>=\d[\w.]*(,<\d[\w.]*)?\s+# \w", line)


@pytest.mark.parametrize(
    ("module", "text", "num_found"),
    [
        ("playground.data.reading", "from playground.tasks import get_task", 1),
        ("playground.data.reading", "def read():\n    import playground.engine.predict", 1),
        ("playground.data.reading", "from playground import ui", 1),
        ("playground.settings", "import app", 1),
        ("playground.ui.page", "from playground.data import reading", 0),
        ("playground.ui.page", "from playground.api import routes", 0),
        ("playground.data.reading", "from playground.data.text import clean_text", 0),
    ],
)
def test_upward_imports_are_seen(module, text, num_found):
    assert len({found.line for found in _upward_imports(_source(module, text))}) == num_found


@pytest.mark.parametrize("text", ["import torch", "from torch.nn import Linear", "def f():\n    import transformers"])
def test_tensor_libraries_are_seen_outside_their_places(text):
    assert _misplaced(_source("playground.evaluation.metrics", text), TENSOR_LIBRARIES, TENSOR_PLACES)
    assert not _misplaced(_source("playground.engine.batch", text), TENSOR_LIBRARIES, TENSOR_PLACES)


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "from joblib import load",
        "torch.load(path)",
        "from torch import load",
        "load(name, trust_remote_code=True)",
        "load(name, trust_remote_code=choice)",
        "options = {'trust_remote_code': True}",
        "run(command, shell=True)",
        "os.system(command)",
        "eval(text)",
    ],
)
def test_dangers_are_seen(text):
    assert _dangers(ast.parse(text))


def test_harmless_code_is_let_pass():
    assert not _dangers(
        ast.parse("load(name, trust_remote_code=False)\nmodel.eval()\nsafetensors.torch.load_file(path)")
    )
