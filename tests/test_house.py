"""Does the house stand as its plan says?"""

import ast
import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FLOORS = {
    "members": set(),
    "retrieval": set(),
    "prompts": set(),
    "analytics": {"members", "retrieval"},
    "tools": {"members", "analytics", "retrieval", "prompts"},
    "assistant": {"members", "analytics", "retrieval", "prompts", "tools"},
    "eval": {"members", "analytics", "retrieval", "prompts", "tools", "assistant"},
    "ui": {"members", "analytics", "retrieval", "prompts", "tools", "assistant", "eval"},
}
# What a floor must not know, as imported top-level packages.
UNKNOWN = {
    "members": {"langchain", "langchain_core", "openai", "fastapi", "gradio", "sklearn", "torch", "httpx"},
    "retrieval": {"sqlmodel", "sqlalchemy", "fastapi", "gradio", "langchain", "openai"},
    "prompts": {"sqlmodel", "fastapi", "gradio", "langchain", "openai"},
    "analytics": {"langchain", "openai", "fastapi", "gradio"},
    "tools": {"langchain", "langchain_core", "fastapi", "gradio", "openai", "os"},
    "assistant": {"gradio"},
    "eval": {"gradio"},
    "ui": {"sqlmodel", "sqlalchemy", "sklearn", "torch"},
}
SOURCES = [path for floor in FLOORS for path in sorted((ROOT / floor).rglob("*.py"))]


def imported(path: Path) -> set[str]:
    """Top-level packages a file imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_down_only(path: Path) -> None:
    floor = path.relative_to(ROOT).parts[0]
    ours = imported(path) & set(FLOORS) - {floor}
    assert ours <= FLOORS[floor], f"{path.name} on floor {floor} imports {ours - FLOORS[floor]}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_floor_does_not_know_what_it_must_not(path: Path) -> None:
    floor = path.relative_to(ROOT).parts[0]
    assert not imported(path) & UNKNOWN[floor]


def test_only_settings_and_the_terminal_touch_the_environment() -> None:
    readers = [p for p in SOURCES if re.search(r"\bos\.(environ|getenv)\b", p.read_text(encoding="utf-8"))]
    assert readers == []


@pytest.mark.parametrize("floor", FLOORS)
def test_each_floor_resolves_to_this_checkout(floor: str) -> None:
    spec = importlib.util.find_spec(floor)
    assert spec is not None and spec.origin is not None
    assert Path(spec.origin).resolve().is_relative_to(ROOT)


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_module_says_what_it_answers(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


def test_the_readme_is_short_and_its_tree_is_the_tree() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 200
    block = re.search(r"```text\n(.*?)```", text, re.DOTALL)
    assert block
    for line in block.group(1).splitlines():
        for name in re.findall(r"^(\S+)", line):
            assert (ROOT / name.rstrip("/")).exists(), f"the README's tree names {name}"


def test_every_row_of_the_feature_map_leads_somewhere() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| **")]
    assert len(rows) >= 10
    for row in rows:
        for name in re.findall(r"`([\w./-]+\.(?:py|md|toml))`", row):
            assert (ROOT / name).exists(), f"the feature map names {name}"


def test_the_readmes_commands_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"\bmake (\w+)", text)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"make {target}"
    measures = (ROOT / "eval" / "__main__.py").read_text(encoding="utf-8")
    for name in set(re.findall(r"python -m eval ([\w-]+)", text)):
        assert f"def {name.replace('-', '_')}(" in measures, f"eval {name}"


def test_no_file_names_a_registry_or_a_place_of_this_machine() -> None:
    for path in [ROOT / "requirements.lock", ROOT / "requirements-extras.lock", ROOT / "pyproject.toml", ROOT / "Makefile", ROOT / ".ci" / "run"]:
        assert not re.search(r"https?://|file://|--index-url|--find-links", path.read_text(encoding="utf-8")), path.name


def test_libraries_named_in_the_project_are_pinned() -> None:
    lock = "\n".join((ROOT / f"requirements{part}.lock").read_text(encoding="utf-8") for part in ("", "-extras")).lower().replace("_", "-")
    pinned = {line.split("==")[0].strip() for line in lock.splitlines() if "==" in line}
    named = re.findall(
        r'"([a-z][\w.-]+)(?:\[\w+\])?"', (ROOT / "pyproject.toml").read_text(encoding="utf-8").split("[project.scripts]")[0].split("dependencies = [")[1]
    )
    assert {n for n in named if n not in pinned} == set()
    assert "torch==2.13.0" in lock
