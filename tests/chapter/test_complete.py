"""Every statement of the chapter has a test that bears its number."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
STATEMENTS = 112


def numbers_in(file):
    """Give the numbers in the names of a file's tests: several may share one test."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found = re.match(r"test((?:_s\d+)+)_", node.name)
            if found:
                yield from map(int, re.findall(r"\d+", found[1]))


TESTED = {number for file in HERE.glob("test_*.py") for number in numbers_in(file)}


@pytest.mark.parametrize("number", range(1, STATEMENTS + 1), ids=lambda number: f"S{number}")
def test_has_a_test(number):
    """There is at least one."""
    assert number in TESTED


def test_no_others():
    """No test bears a number that no statement has."""
    assert max(TESTED) <= STATEMENTS
