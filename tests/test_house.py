"""The house itself: its walls hold, its files stay small, its lock is honest, and its papers name what there is.

These tests read the source and the papers, never run a room. A rule that ruff or mypy can hold is held there instead.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from daisee.monitor.sensors import kinds

HOUSE = Path(__file__).resolve().parent.parent
SOURCE = HOUSE / "src" / "daisee"
MODULES = sorted(SOURCE.rglob("*.py"))
GENERATED = (
    "src/daisee/ledger/artifacts/any.json",
    "src/daisee/web/static/vendor/any.js",
    "contracts/node_modules/any.js",
)
MOST_LINES = 400
MOST_LINES_OF_A_FUNCTION = 40

# Written so that this file does not name them itself.
REGISTRIES = re.compile(
    r"pypi[.]org|python[h]osted|npmjs[.](?:org|com)|yarnpkg[.]com|npmmirro[r]|proxy[.]golang|artifact[o]ry|/simple/[a-z-]+/|devp[i]"
)
MACHINE_PATHS = re.compile(r"(?<![\w.])/(?:wor[k]|roo[t]|hom[e]/\w+|Use[r]s/\w+|tm[p]/(?:try|brief|bash_jobs))(?:/|\b)(?!:)")


def git(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Ask git about this checkout, whoever owns its folder."""
    command = ["git", "-c", "safe.directory=*", "-C", str(HOUSE), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def tracked_files() -> list[Path]:
    """Answer the files that are committed or about to be."""
    listed = git("ls-files", "--cached", "--others", "--exclude-standard", "-z")
    if listed.returncode:
        pytest.skip("not a git checkout; clone the repository to test what it tracks")
    return [HOUSE / name for name in listed.stdout.split("\0") if name and (HOUSE / name).is_file()]


def text_of(path: Path) -> str:
    """Read a file's text; a binary file has none."""
    data = path.read_bytes()
    return "" if b"\0" in data else data.decode("utf-8", "replace")


def where(path: Path, line: int) -> str:
    return f"{path.relative_to(HOUSE)}:{line}"


def pyproject() -> dict[str, object]:
    return tomllib.loads((HOUSE / "pyproject.toml").read_text("utf-8"))


def test_the_walls_between_the_rooms_hold() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    told = subprocess.run([linter, "--no-cache"], cwd=HOUSE, capture_output=True, text=True, check=False, timeout=100)
    assert told.returncode == 0, told.stdout + told.stderr


def test_every_folder_of_rooms_is_a_package() -> None:
    without = {module.parent for module in MODULES if not (module.parent / "__init__.py").exists()}
    assert not without, "a folder without __init__.py is not seen by the check of the walls"


def test_no_file_is_longer_than_it_should_be() -> None:
    lengths = {module.relative_to(HOUSE): len(text_of(module).splitlines()) for module in MODULES}
    assert not {module: lines for module, lines in lengths.items() if lines > MOST_LINES}


def test_no_function_is_longer_than_it_should_be() -> None:
    long = []
    for module in MODULES:
        for node in ast.walk(ast.parse(text_of(module))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > MOST_LINES_OF_A_FUNCTION:
                    long.append(f"{where(module, node.lineno)} {node.name}: {lines} lines")
    assert not long


def test_nothing_prints_outside_the_command_line() -> None:
    printing = [
        where(module, node.lineno)
        for module in MODULES
        if SOURCE / "cli" not in module.parents
        for node in ast.walk(ast.parse(text_of(module)))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert not printing


def _catches_everything(handler: ast.ExceptHandler) -> bool:
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or ast.unparse(kind) in ("Exception", "BaseException") for kind in caught)


def test_no_error_is_swallowed_whole() -> None:
    def is_silence(statement: ast.stmt) -> bool:
        is_constant = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        return is_constant or isinstance(statement, ast.Pass | ast.Continue)

    swallowed = [
        where(module, node.lineno)
        for module in MODULES
        for node in ast.walk(ast.parse(text_of(module)))
        if isinstance(node, ast.ExceptHandler) and _catches_everything(node) and all(map(is_silence, node.body))
    ]
    assert not swallowed


def test_every_module_opens_with_what_it_is_for() -> None:
    wordless = [module for module in MODULES if text_of(module).strip() and not ast.get_docstring(ast.parse(text_of(module)))]
    assert not [str(module.relative_to(HOUSE)) for module in wordless]


def test_the_model_asks_no_clock() -> None:
    asked = [
        f"{where(module, node.lineno)} {ast.unparse(node)}"
        for module in MODULES
        if SOURCE / "model" in module.parents
        for node in ast.walk(ast.parse(text_of(module)))
        if isinstance(node, ast.Attribute) and node.attr in ("now", "utcnow", "today")
    ]
    assert not asked


def locked() -> dict[str, str]:
    """Answer each package of the lock with its block of text."""
    blocks = re.split(r"^(?=[A-Za-z0-9])", (HOUSE / "requirements.lock").read_text("utf-8"), flags=re.MULTILINE)[1:]
    return {re.split(r"[=\[ ]", block, maxsplit=1)[0]: block for block in blocks}


def test_every_package_of_the_lock_is_pinned_and_hashed() -> None:
    packages = locked()
    assert len(packages) > 50
    for name, block in packages.items():
        assert re.match(r"[A-Za-z0-9._-]+(\[[a-z0-9,-]+\])?==[^\s;]+", block), f"{name} is not pinned to one version"
        assert "--hash=sha256:" in block, f"{name} has no hash"


def test_the_lock_holds_no_addresses() -> None:
    lines = (HOUSE / "requirements.lock").read_text("utf-8").splitlines()
    told = [line for line in lines if not line.lstrip().startswith("#")]
    assert not [line for line in told if "://" in line or " @ " in line or re.match(r"\s*-(?!-hash=)", line)]
    assert not [line for line in lines if "://" in line or MACHINE_PATHS.search(line)]


def test_the_lock_holds_what_pyproject_asks_for() -> None:
    settings = pyproject()
    project, groups = settings["project"], settings["dependency-groups"]
    assert isinstance(project, dict)
    assert isinstance(groups, dict)
    asked = {re.split(r"[^A-Za-z0-9-]", line, maxsplit=1)[0] for line in project["dependencies"] + groups["dev"]}
    assert asked <= set(locked()), "run make lock"


def test_the_build_from_the_lock_is_the_build_of_the_wheel() -> None:
    settings = pyproject()
    build, groups = settings["build-system"], settings["dependency-groups"]
    assert isinstance(build, dict)
    assert isinstance(groups, dict)
    assert set(build["requires"]) <= set(groups["dev"])


@pytest.mark.parametrize("name", GENERATED)
def test_what_is_generated_is_never_committed(name: str) -> None:
    assert tracked_files()
    assert git("check-ignore", "--quiet", "--no-index", name).returncode == 0, f"{name} is not ignored by git"
    assert not git("ls-files", str(Path(name).parent)).stdout


def test_no_tracked_file_names_a_registry_or_a_machine() -> None:
    named = [
        f"{where(path, number)} {found.group()}"
        for path in tracked_files()
        for number, line in enumerate(text_of(path).splitlines(), start=1)
        for found in (REGISTRIES.search(line) or MACHINE_PATHS.search(line),)
        if found
    ]
    assert not named


def test_no_secret_is_tracked() -> None:
    secret = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY|\"ciphertext\":\s*\"[0-9a-f]{64}|(?:gh[pousr]|npm)_[A-Za-z0-9]{36}")
    assert not [str(path.relative_to(HOUSE)) for path in tracked_files() if secret.search(text_of(path))]


def test_the_lock_of_the_node_packages_holds_no_addresses() -> None:
    text = (HOUSE / "contracts" / "package-lock.json").read_text("utf-8")
    assert '"integrity"' in text
    assert '"resolved"' not in text


def commands(command: click.Command, path: str) -> Iterator[str]:
    """Walk a tree of commands, the root first; a hidden one is nobody's business."""
    yield path
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            if not below.hidden:
                yield from commands(below, f"{path} {name}")


def test_every_command_is_documented() -> None:
    from daisee import cli

    documented = (HOUSE / "docs" / "reference" / "commands.md").read_text("utf-8")
    paths = list(commands(cli.daisee, "daisee"))
    assert len(paths) > 60, "rooms load their commands late; they are all walked through"
    missing = [path for path in paths if not re.search(rf"{path}\b(?! \w)|`{path}", documented)]
    assert not missing, "docs/reference/commands.md does not say"


def test_the_reference_of_the_commands_is_what_they_say_of_themselves() -> None:
    import reference

    assert reference.PAGE.read_text("utf-8") == reference.page(), "run `make docs` and commit what it writes"
    assert reference.SETTINGS_PAGE.read_text("utf-8") == reference.settings_page(), "run `make docs` and commit what it writes"


def test_every_kind_of_sensor_has_a_page_with_its_settings_its_example_and_its_simulator() -> None:
    for name, kind in kinds().items():
        page = (HOUSE / "docs" / "reference" / "sensors" / f"{name}.md").read_text("utf-8")
        missing = [setting.name for setting in kind.settings if f"`{setting.name}`" not in page]
        assert not missing, f"the page of {name} does not say these"
        assert f'kind = "{name}"' in page
        assert kind.simulate is None or f"daisee monitor simulate {name}" in page
        assert "ources: " in page, f"the page of {name} does not say where its facts are from"


def test_no_test_reaches_beyond_this_machine() -> None:
    import socket

    with pytest.raises(PermissionError, match=r"no network beyond loopback"):
        socket.create_connection(("192.0.2.1", 9), timeout=1)
    with pytest.raises(PermissionError, match=r"no network beyond loopback"):
        socket.getaddrinfo("example.org", 80)
