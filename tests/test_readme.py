"""The README's example runs as it stands."""

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.md"


def test_the_example_runs(tmp_path):
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert blocks
    script = tmp_path / "example.py"
    script.write_text(blocks[0])
    done = subprocess.run(
        [sys.executable, "-W", "error", script],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "1 reject defect" in done.stdout, done.stdout
    assert list(tmp_path.iterdir()) == [script], "running it writes nothing"


def test_the_other_examples_run(tmp_path):
    for block in re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)[1:]:
        script = tmp_path / "example.py"
        script.write_text(block)
        command = [sys.executable, "-W", "error", script]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr


def test_the_two_commands_stand_at_the_top():
    first = re.search(r"```\n(.*?)```", README.read_text(), re.DOTALL).group(1)
    assert [line.split("#")[0].strip() for line in first.splitlines()] == ["make demo", "make test"]


def test_what_it_links_to_exists():
    links = re.findall(r"\]\(([^)#:]+)\)", README.read_text())
    missing = [link for link in links if not (README.parent / link).exists()]
    assert not missing
