"""What is declared in `pyproject.toml` against what lies in the tree.

An install from a wheel sees only what is declared, a checkout only what is there.
"""

import ast
import importlib
import importlib.metadata
import os
import tomllib
from pathlib import Path

import pytest

import tensorgrad as tg

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
SETUPTOOLS = PYPROJECT["tool"]["setuptools"]
LINKED = ["backends", "kernels"]


def folder_of(package):
    """Where the build takes `package` from: the longest mapped prefix, as setuptools does it."""
    prefix, rest = package, []
    while prefix not in SETUPTOOLS["package-dir"]:
        prefix, _, last = prefix.rpartition(".")
        rest.insert(0, last)
    return ROOT.joinpath(SETUPTOOLS["package-dir"][prefix], *rest)


def code_folders():
    """Each folder with Python files, as the package that it should be installed as."""
    roots = [("tensorgrad", ROOT / "tensorgrad")]
    roots += [(f"tensorgrad.{name}", ROOT / name) for name in LINKED]
    for package, root in roots:
        for folder, _, files in os.walk(root):  # does not follow the links
            if any(name.endswith(".py") for name in files):
                yield ".".join([package, *Path(folder).relative_to(root).parts]), Path(folder)


def test_every_folder_with_code_is_a_declared_package():
    found = dict(code_folders())
    assert sorted(SETUPTOOLS["packages"]) == sorted(found)
    for package, folder in found.items():
        assert (folder / "__init__.py").is_file()
        assert folder_of(package) == folder


def test_data_files_are_declared():
    patterns = SETUPTOOLS["package-data"]
    for package in SETUPTOOLS["packages"]:
        for path in folder_of(package).iterdir():
            if path.is_dir() or path.suffix in {".py", ".nbi", ".nbc"} or path.name in LINKED:
                continue
            fitting = [pattern for pattern in patterns.get(package, []) if path.match(pattern)]
            assert fitting, f"{path} is in no package-data pattern of {package}"


@pytest.mark.parametrize("name", LINKED)
def test_links_are_relative(name):
    link = ROOT / "tensorgrad" / name
    # A checkout without symlinks has a text file with the target in its place.
    target = os.readlink(link) if link.is_symlink() else link.read_text()
    assert target == f"../{name}"
    assert (ROOT / name / "__init__.py").is_file()


@pytest.mark.parametrize("name", ["numpy", "numba", "cupy"])
def test_entry_points_lead_to_classes(name):
    declared = PROJECT["entry-points"]["tensorgrad.backends"][name]
    module, _, attribute = declared.partition(":")
    package, _, stem = module.rpartition(".")
    tree = ast.parse((folder_of(package) / f"{stem}.py").read_text())
    assert attribute in {node.name for node in tree.body if isinstance(node, ast.ClassDef)}


def test_the_installed_entry_points_are_the_declared_ones():
    try:
        installed = importlib.metadata.distribution("tensorgrad").entry_points
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("runs from a checkout that is not installed")
    found = {point.name: point.value for point in installed.select(group="tensorgrad.backends")}
    assert found == PROJECT["entry-points"]["tensorgrad.backends"]


def test_version():
    assert tg.__version__ == PROJECT["version"]


def test_modules_have_one_name():
    """`backends` as a top-level package would be a second copy of `tensorgrad.backends`."""
    for name in LINKED:
        module = importlib.import_module(f"tensorgrad.{name}")
        assert module.__name__ == f"tensorgrad.{name}"
        assert module.__path__
