"""The source tree as data: modules, what they import, which names they define. Nothing is imported, all is parsed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

Definition = tuple[int, str]
"""Line number and name."""


@dataclass(frozen=True)
class Import:
    """One imported module, or name of a module.

    Attributes:
        line: where.
        target: what, dotted and absolute: `pyronb.errors`, `concurrent.futures`, `typing.Any`.
        inside: the function around it, or "TYPE_CHECKING"; empty at the top of the module.
    """

    line: int
    target: str
    inside: str


@dataclass(frozen=True)
class Module:
    """One file of the package.

    Attributes:
        path: relative to the folder that holds the package, with forward slashes.
        tree: its syntax tree.
    """

    path: str
    tree: ast.Module = field(repr=False, compare=False)

    @property
    def name(self) -> str:
        """The dotted name: `pyronb.server` for pyronb/server/__init__.py."""
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @property
    def package(self) -> str:
        """What a relative import of one dot starts from."""
        return self.name if self.path.endswith("/__init__.py") else self.name.rpartition(".")[0]

    def is_public(self, name: str) -> bool:
        """Whether it is in `__all__`, or, in a module without one, does not begin with an underscore."""
        for node in self.tree.body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                return name in {getattr(item, "value", "") for item in getattr(node.value, "elts", ())}
        return not name.startswith("_")

    def nodes(self) -> Iterator[tuple[ast.AST, str]]:
        """Every node below the module, each with the function or the TYPE_CHECKING block around it."""
        return _walk(self.tree, "")

    def imports(self) -> Iterator[Import]:
        """Everything it imports, wherever it does so."""
        for node, inside in self.nodes():
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield Import(node.lineno, alias.name, inside)
            elif isinstance(node, ast.ImportFrom):
                base = self._base(node)
                for alias in node.names:
                    yield Import(node.lineno, f"{base}.{alias.name}", inside)

    def definitions(self) -> Iterator[Definition]:
        """Every name it gives to something: functions, classes, parameters, variables, attributes of self and cls.

        (Setting an attribute of another object, `proxy._pyroTimeout = 2`, is using a name, not giving one.)
        """
        for node, _ in self.nodes():
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                yield node.lineno, node.name
            elif isinstance(node, ast.arg):
                yield node.lineno, node.arg
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.lineno, node.id
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and _is_own(node.value):
                yield node.lineno, node.attr

    def _base(self, node: ast.ImportFrom) -> str:
        if node.level == 0:
            return node.module or ""
        parts = self.package.split(".")
        parts = parts[: len(parts) - node.level + 1]
        return ".".join([*parts, node.module] if node.module else parts)


def _is_own(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in {"self", "cls"}


def _walk(parent: ast.AST, inside: str) -> Iterator[tuple[ast.AST, str]]:
    for node in ast.iter_child_nodes(parent):
        yield node, inside
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield from _walk(node, getattr(node, "name", "lambda"))
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from _walk(node, "TYPE_CHECKING")
        else:
            yield from _walk(node, inside)


def modules(root: Path, package: str = "pyronb") -> list[Module]:
    """Parse all modules of a package in this folder."""
    files = sorted((root / package).rglob("*.py"))
    return [Module(file.relative_to(root).as_posix(), ast.parse(file.read_bytes())) for file in files]
