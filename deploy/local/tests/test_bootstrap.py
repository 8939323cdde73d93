"""When the environment is made anew, and what is said when it cannot be."""

import importlib.util
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import bootstrap
import pytest


@pytest.fixture
def root(tmp_path):
    """A checkout with one library and one service, and an environment made from it."""
    (tmp_path / "requirements.lock").write_text(
        "uv==1.2 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\nuvloop==0.1\n"
    )
    for name in ("libs/common", "services/gateway"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "pyproject.toml").write_text(f"[project]\nname = '{name}'\n")
    python = tmp_path / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    (tmp_path / ".venv/.stamp").write_text(bootstrap.stamp(tmp_path))
    return tmp_path


@pytest.fixture
def made(monkeypatch):
    """Instead of installing: what would have been installed where."""
    calls = []
    monkeypatch.setattr(bootstrap, "make_venv", lambda venv: calls.append(("venv", venv.name)))
    monkeypatch.setattr(bootstrap, "install", lambda root, venv: calls.append(("install", venv.name)))
    return calls


def test_a_fresh_environment_is_left_alone(root, made):
    assert bootstrap.set_up(root) is False
    assert made == []


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "requirements.lock").write_text("uv==1.3\n"),
        lambda root: (root / "libs/common/pyproject.toml").write_text("[project]\nname = 'other'\n"),
        lambda root: shutil.copytree(root / "libs/common", root / "services/another"),
        lambda root: shutil.rmtree(root / "services/gateway"),
        lambda root: (root / ".venv/bin/python").unlink(),
        lambda root: (root / ".venv/.stamp").unlink(),
    ],
    ids=["lock", "manifest", "new-package", "package-gone", "python-gone", "cut-short"],
)
def test_each_change_of_what_it_is_made_from_makes_it_anew_once(root, made, change):
    change(root)
    assert bootstrap.set_up(root) is True
    assert made == [("venv", ".venv"), ("install", ".venv")]
    assert (root / ".venv/.stamp").read_text() == bootstrap.stamp(root)


def test_a_set_up_that_fails_is_not_taken_for_done(root, made, monkeypatch):
    def fail(*_):
        raise bootstrap.SetupFailed("no network")

    (root / "requirements.lock").write_text("uv==2\n")
    monkeypatch.setattr(bootstrap, "install", fail)
    with pytest.raises(bootstrap.SetupFailed):
        bootstrap.set_up(root)
    assert not bootstrap.is_fresh(root, root / ".venv")


def test_two_at_once_build_one_environment(root, monkeypatch):
    built = []

    def slowly(root, venv):
        time.sleep(0.3)
        built.append(venv)

    monkeypatch.setattr(bootstrap, "make_venv", lambda venv: None)
    monkeypatch.setattr(bootstrap, "install", slowly)
    (root / "requirements.lock").write_text("uv==2\n")
    threads = [threading.Thread(target=bootstrap.set_up, args=(root,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(built) == 1


def test_nothing_to_do_takes_a_moment(root, local):
    script = root / "deploy/local/bootstrap.py"
    script.parent.mkdir(parents=True)
    shutil.copy(local / "bootstrap.py", script)
    took = []
    for _ in range(4):
        began = time.perf_counter()
        subprocess.run([sys.executable, script], check=True)
        took.append(time.perf_counter() - began)
    assert min(took) < 0.3


def test_uv_is_installed_by_its_own_hashes(root):
    lock = (root / "requirements.lock").read_text()
    assert bootstrap.pinned(lock, "uv") == "uv==1.2 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n"
    assert bootstrap.pinned(lock, "uvloop") == "uvloop==0.1\n"
    with pytest.raises(bootstrap.SetupFailed):
        bootstrap.pinned(lock, "absent")


def test_the_real_lock_pins_uv_with_hashes(repository):
    assert "--hash=sha256:" in bootstrap.pinned((repository / "requirements.lock").read_text(), "uv")


def test_an_old_python_is_told_so(monkeypatch, capsys):
    monkeypatch.setattr(bootstrap.sys, "version_info", (3, 9, 2))
    monkeypatch.setattr(bootstrap, "newer_python", lambda: None)
    assert bootstrap.main() == 1
    assert "Lectern needs Python 3.11 or newer" in capsys.readouterr().err


def test_the_script_parses_on_an_old_python(local):
    import ast

    ast.parse((local / "bootstrap.py").read_text(), feature_version=(3, 7))


def test_without_venv_and_apt_the_message_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr(bootstrap, "_runs", lambda *_: False)
    monkeypatch.setattr(bootstrap, "_apt_get", lambda *_: None)
    with pytest.raises(bootstrap.SetupFailed, match="apt-get install python3-venv"):
        bootstrap.make_venv(tmp_path / ".venv")
    assert not Path(tmp_path / ".venv").exists()


def test_bytecode_is_made_also_where_imports_may_write_none(monkeypatch):
    import gateway.app

    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    compiled = Path(importlib.util.cache_from_source(gateway.app.__file__))
    compiled.unlink(missing_ok=True)
    bootstrap.compile_imports(bootstrap.ROOT, Path(sys.prefix))
    assert compiled.exists()
