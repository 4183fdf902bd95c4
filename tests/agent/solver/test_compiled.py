"""The lattice's library: made once, kept in the cache folder, never needed."""

import shutil
from pathlib import Path

import pytest

pytest.importorskip("highspy")

from agent.planning.joint.recursion import ArrayKernel
from agent.solver.compiled import COMPILERS, Builder, CompiledKernel

needs_compiler = pytest.mark.skipif(
    not any(shutil.which(name) for name in COMPILERS), reason="no compiler"
)


@needs_compiler
def test_made_once_and_found_again(tmp_path: Path) -> None:
    first = Builder(tmp_path)
    assert isinstance(first.kernel(wait_s=60), CompiledKernel)
    [made] = tmp_path.iterdir()
    again = Builder(tmp_path, environ={"PATH": ""})
    assert isinstance(again.kernel(), CompiledKernel)
    assert list(tmp_path.iterdir()) == [made]


@needs_compiler
def test_an_older_one_and_what_an_end_left_go(tmp_path: Path) -> None:
    for name in ("lattice-0123456789abcdef.so", "lattice-0123456789abcdef.4711"):
        (tmp_path / name).write_bytes(b"old")
    Builder(tmp_path).kernel(wait_s=60)
    assert len(list(tmp_path.iterdir())) == 1


@needs_compiler
def test_on_another_processor_it_is_made_again(tmp_path: Path) -> None:
    """A card may be moved, and what one processor can do another one may not know."""
    Builder(tmp_path).kernel(wait_s=60)
    [made] = tmp_path.iterdir()
    assert isinstance(Builder(tmp_path, processor="").kernel(wait_s=60), CompiledKernel)
    [other] = tmp_path.iterdir()
    assert other != made


@needs_compiler
def test_a_damaged_one_is_made_again(tmp_path: Path) -> None:
    whole, folder = tmp_path / "whole", tmp_path / "damaged"
    Builder(whole).kernel(wait_s=60)
    [made] = whole.iterdir()
    folder.mkdir(mode=0o700)
    (folder / made.name).write_bytes(b"half")
    assert isinstance(Builder(folder).kernel(wait_s=60), ArrayKernel)
    assert isinstance(Builder(folder).kernel(wait_s=60), CompiledKernel)


def test_without_a_compiler_arrays_do_it(tmp_path: Path) -> None:
    builder = Builder(tmp_path, environ={"PATH": str(tmp_path)})
    assert isinstance(builder.kernel(wait_s=1), ArrayKernel)


def test_no_code_from_a_folder_that_others_may_write_to(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    assert isinstance(Builder(tmp_path).kernel(wait_s=60), ArrayKernel)
    assert not list(tmp_path.iterdir())


def test_no_folder_is_no_trouble(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert isinstance(Builder(tmp_path / "file" / "cache").kernel(), ArrayKernel)
