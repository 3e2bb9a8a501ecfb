"""What is in a wheel and in an sdist, of a front end that is built already."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
STATIC = [f"streamlab/views/static/{name}" for name in ("cm.js", "explorer.css", "explorer.js", "table.js", "viz.js")]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    subprocess.run(
        command, cwd=ROOT, env=dict(os.environ) | {"HATCH_JUPYTER_BUILDER_SKIP_NPM": "1"}, check=True, capture_output=True
    )
    return folder


def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(next(wheel.glob("*.whl"))) as archive:
        return archive.namelist()


def test_wheel_carries_the_front_end_once(built: Path) -> None:
    inside = names(built)
    assert [name for name in inside if "/static/" in name and name.startswith("streamlab/")] == STATIC
    extension = [
        name.split("/data/share/jupyter/labextensions/streamlab-kafka/")[1] for name in inside if "/labextensions/" in name
    ]
    assert extension.count("install.json") == 1
    assert extension.count("package.json") == 1
    assert sum(name.startswith("static/remoteEntry.") for name in extension) == 1
    assert not [name for name in inside if name.startswith(("streamlab/labextension/", "labextension/"))]


def test_sdist_carries_the_front_end_and_what_it_is_built_of(built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert inside.issuperset(
        [*STATIC, "streamlab/labextension/package.json", "labextension/package-lock.json", "labextension/src/index.ts"]
    )
    assert not [name for name in inside if name.startswith(("labextension/node_modules", "labextension/lib"))]


def test_lock_file_names_no_download_addresses() -> None:
    assert '"resolved"' not in (ROOT / "labextension/package-lock.json").read_text()
