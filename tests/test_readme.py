"""The README's code runs as it stands, and its links and paths lead somewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
LINKS = re.findall(r"\]\((?!https?://)([^)#]+)", README)


def test_there_are_blocks_and_links_to_test():
    assert len(BLOCKS) == README.count("```python") >= 3
    assert len(LINKS) >= 5


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_block_runs(block, tmp_path):
    # In a process of its own: a block may declare an op, which would stay declared.
    path = tmp_path / "block.py"
    path.write_text(f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n{block}", encoding="utf-8")
    command = [sys.executable, "-W", "error", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    # What a line is said to print, it prints.
    for line in block.splitlines():
        code, said, expected = line.partition("  # prints ")
        if said and "print(" in code:
            assert re.search(re.escape(expected).replace(r"\.\.\.", ".*"), done.stdout)


@pytest.mark.parametrize("link", sorted(set(LINKS)))
def test_link_leads_to_a_file(link):
    assert (ROOT / link).exists()


def test_paths_in_the_layout_exist():
    (layout,) = re.findall(r"^## Layout\n.*?^```\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    paths = [line.split()[0] for line in layout.splitlines() if line.strip()]
    assert len(paths) > 5
    for path in paths:
        assert (ROOT / path).exists(), path
