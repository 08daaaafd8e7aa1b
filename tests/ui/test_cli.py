"""The command `patron`: a shop's own files to a conversation, and one clear line for what is wrong."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fakes.web import free_port

from assistant.settings import load
from eval import worlds

ROOT = Path(__file__).resolve().parents[2]
OWN_SHOP = ROOT / "docs" / "examples" / "own-shop" / "mapping.toml"
COMMAND = Path(sys.executable).with_name("patron")
Patron = Callable[..., Any]


def test_help_answers_from_another_folder_without_the_heavy_libraries(tmp_path: Path) -> None:
    shown = subprocess.run([COMMAND, "--help"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert shown.returncode == 0 and shown.stderr == ""
    assert all(verb in shown.stdout for verb in ("demo", "serve", "train", "index", "search", "chat", "export", "import", "user"))
    code = (
        "import sys; sys.argv = ['patron', '--help']\nfrom ui import cli\ntry: cli.main()\nexcept SystemExit: pass\n"
        "print('HEAVY', sorted({'torch', 'gradio', 'chromadb', 'sklearn', 'langchain', 'pandas', 'sentence_transformers'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert "HEAVY []" in run.stdout and list(tmp_path.iterdir()) == []


# --- a shop's own files -----------------------------------------------------------------


@pytest.fixture(scope="session")
def own_home(built_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the example shop. Its router is the demo shop's, which learns from the same examples: minutes saved."""
    home = tmp_path_factory.mktemp("own") / "shop"
    shutil.copytree(built_home / "shelf" / "router", home / "shelf" / "router")
    return home


def test_a_shop_of_ones_own_from_its_files_to_a_conversation(patron: Patron, own_home: Path, tmp_path: Path) -> None:
    imported = patron("import", "files", OWN_SHOP, "--home", own_home)
    assert imported.code == 0 and "Rows" in imported.out and "patron train" in imported.out
    again = patron("import", "files", OWN_SHOP, "--home", own_home)
    assert again.code == 0

    trained = patron("train", "--home", own_home)
    assert trained.code == 0 and "recommender" in trained.out
    indexed = patron("index", "--home", own_home)
    assert indexed.code == 0 and re.search(r"products\D+3\D+0\D+0\D+0", indexed.out)
    assert re.search(r"products\D+0\D+0\D+0\D+3", patron("index", "--home", own_home).out)

    added = patron("user", "add", "maeve", "member", "--member", "C100", "--home", own_home)
    assert added.code == 0 and re.search(r"maeve\s+\S{10,}", added.out)
    assert "maeve" in patron("user", "list", "--home", own_home).out

    found = patron("search", "something to drink from by the fire", "--kind", "products", "--home", own_home)
    assert found.code == 0 and "A3" in found.out and "Enamel Camp Mug" in found.out
    rules = patron("search", "多久可以退货", "--home", own_home, "--mode", "bm25")
    assert rules.code == 0 and "returns" in rules.out

    said = patron("chat", "--as", "maeve", "--say", "what was my last order?", "--home", own_home)
    assert said.code == 0 and "9002" in said.out and "Enamel Camp Mug" in said.out

    out = tmp_path / "maeve.json"
    assert patron("export", "C100", "--to", out, "--home", own_home).code == 0
    held = json.loads(out.read_text(encoding="utf-8"))
    text = json.dumps(held)
    assert "maeve@example.org" in text and "9001" in text and "2026-06-17T21:00" in text and "what was my last order?" in text
    assert "tom.okafor" not in text and "password" not in text


WRONG = {
    "a role there is not": ("user", "add", "x", "wizard"),
    "a member there is not": ("user", "add", "x", "member", "--member", "C999"),
    "a member without an id": ("user", "add", "x", "member"),
    "a login twice": ("user", "add", "maeve", "member", "--member", "C100"),
    "nobody's password": ("user", "password", "nobody"),
    "a file there is not": ("import", "files", "nowhere.toml"),
    "a data file there is not": ("import", "online-retail", "nowhere.parquet"),
    "a kind there is not": ("search", "mug", "--kind", "people"),
    "a mode there is not": ("search", "mug", "--mode", "magic"),
    "nobody's export": ("export", "C999"),
    "a day there is not": ("demo", "--no-serve", "--today", "2026-13-45"),
}


@pytest.mark.parametrize("words", WRONG.values(), ids=WRONG)
def test_bad_input_is_one_clear_line_and_exit_code_2(patron: Patron, own_home: Path, words: tuple[str, ...]) -> None:
    if not (own_home / "patron.db").exists():
        patron("import", "files", OWN_SHOP, "--home", own_home)
        patron("user", "add", "maeve", "member", "--member", "C100", "--home", own_home)
    ran = patron(*words, "--home", own_home)
    lines = [line for line in ran.out.splitlines() if line.strip() and not line.startswith("Loading weights")]
    assert ran.code == 2 and "Traceback" not in ran.out
    assert len(lines) == 1 or lines[0].startswith("Usage:"), ran.out


def test_a_wrong_setting_is_named(patron: Patron, own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATRON_TOKEN_BUDGET", "plenty")
    ran = patron("user", "list", "--home", own_home)
    assert ran.code == 2 and "PATRON_TOKEN_BUDGET" in ran.out and "Traceback" not in ran.out


def test_an_unknown_verb_is_a_usage_error(patron: Patron) -> None:
    ran = patron("fly")
    assert ran.code == 2 and "fly" in ran.out


# --- beside a running server ------------------------------------------------------------


@pytest.fixture(scope="module")
def running(built_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, "subprocess.Popen[bytes]", int]]:
    """`patron serve` as a process of its own, on a copy of the demo shop."""
    home = worlds.copy_of(load(home=built_home), tmp_path_factory.mktemp("running"))
    port = free_port()
    server = subprocess.Popen([COMMAND, "serve", "--home", home, "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with httpx.Client(transport=httpx.HTTPTransport(retries=0)) as probe:
            for _ in range(900):
                assert server.poll() is None, "the server ended"
                try:
                    if probe.get(f"http://127.0.0.1:{port}/health").status_code == 200:
                        break
                except httpx.TransportError:
                    pass
                time.sleep(0.2)
        yield home, server, port
    finally:
        server.kill()
        server.wait()


def test_search_and_index_go_through_the_running_server(patron: Patron, running: tuple[Path, Any, int]) -> None:
    home, _, port = running
    found = patron("search", "how long may I return things", "--home", home)
    assert found.code == 0 and "returns.time-limits" in found.out
    indexed = patron("index", "--home", home)
    assert indexed.code == 0 and re.search(r"policy\D+0\D+0\D+0\D+\d\d", indexed.out)
    assert oct((home / "server.json").stat().st_mode & 0o777) == "0o600" == oct((home / "secret.key").stat().st_mode & 0o777)
    assert httpx.get(f"http://127.0.0.1:{port}/login").status_code == 200


def test_training_beside_the_server_hands_it_the_new_models(patron: Patron, running: tuple[Path, Any, int]) -> None:
    ran = patron("train", "--no-measure", "--home", running[0])
    assert ran.code == 0 and "answers from the new models" in ran.out


@pytest.mark.parametrize("words", [("chat", "--as", "lina", "--say", "hello"), ("serve", "--port", "1")], ids=["chat", "serve"])
def test_what_would_open_the_index_a_second_time_refuses_with_the_reason(patron: Patron, running: tuple[Path, Any, int], words: tuple[str, ...]) -> None:
    ran = patron(*words, "--home", running[0])
    assert ran.code == 2 and "server" in ran.out and "Traceback" not in ran.out


def test_a_search_the_server_refuses_is_one_clear_line(patron: Patron, running: tuple[Path, Any, int]) -> None:
    ran = patron("search", "mug", "--mode", "magic", "--home", running[0])
    assert ran.code == 2 and "Traceback" not in ran.out and "mode" in ran.out


def test_a_killed_server_gives_its_index_back(patron: Patron, running: tuple[Path, Any, int]) -> None:
    home, server, _ = running
    os.kill(server.pid, signal.SIGKILL)
    server.wait()
    found = patron("search", "how long may I return things", "--home", home)
    assert found.code == 0 and "returns.time-limits" in found.out


# --- members who never were -------------------------------------------------------------


def test_invented_members_are_written_and_learned_once(built_home: Path, tmp_path: Path, patron: Patron) -> None:
    home = worlds.copy_of(load(home=built_home), tmp_path / "shop")
    to = tmp_path / "out" / "members.csv"
    ran = patron("synthesise", "-n", 25, "--method", "copula", "--to", to, "--home", home)
    assert ran.code == 0, ran.out
    rows = to.read_text(encoding="utf-8").splitlines()
    assert len(rows) == 26 and rows[1].startswith("S-000001,") and "M-1" not in to.read_text(encoding="utf-8")
    assert "Learned from" in ran.out and "Learned from" not in patron("synthesise", "-n", 30, "--method", "copula", "--to", to, "--home", home).out
    wrong = patron("synthesise", "--method", "magic", "--home", home)
    assert wrong.code != 0 and "gan or copula" in wrong.out


def test_inventing_before_anything_was_learned_says_what_to_do(tmp_path: Path, patron: Patron) -> None:
    ran = patron("synthesise", "--home", tmp_path / "empty", "--method", "copula")
    assert ran.code != 0 and "patron train" in ran.out
