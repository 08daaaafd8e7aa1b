"""Where are the vectors kept, and who may write them?

One Chroma collection a kind of entry, in a persistent directory or on a Chroma
server. A directory has one owner process at a time, held by a lock: a second
process would miss the first one's writes. Re-indexing embeds only entries whose
digest changed.
"""

import fcntl
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlparse

import chromadb
import numpy as np
from chromadb.api import ClientAPI
from chromadb.config import Settings
from numpy.typing import NDArray

from retrieval.documents import Entry
from retrieval.embed import Embeds
from retrieval.words import gloss, has_han

KINDS = ("policy", "products")
_AT_ONCE = 256


class IndexBusy(RuntimeError):
    """Another process owns this directory."""


@dataclass(frozen=True)
class Changes:
    """What an indexing run did."""

    added: int
    changed: int
    removed: int
    unchanged: int


class Index:
    """The entries of each kind and their vectors, kept in step."""

    def __init__(self, folder: Path, embed: Embeds, *, url: str = "") -> None:
        """Open the directory as its owner, or connect to the Chroma server at `url`.

        Raises IndexBusy when another process owns the directory.
        """
        self.folder, self.embed = folder, embed
        folder.mkdir(parents=True, exist_ok=True)
        self._lock: IO[str] | None = None if url else _own(folder / "owner.lock")
        self._client = _connect(folder / "chroma", url)
        self.entries: dict[str, list[Entry]] = {kind: _read(folder / f"{kind}.jsonl") for kind in KINDS}

    def update(self, kind: str, entries: Sequence[Entry], progress: Callable[[int, int], None] = lambda done, total: None) -> Changes:
        """Make a kind hold exactly these entries, embedding only what is new or changed."""
        shelf = self._collection(kind)
        known = {entry_id: (meta or {}).get("digest") for entry_id, meta in _all_metadata(shelf)}
        fresh = [entry for entry in entries if known.get(entry.id) != _digest(entry, self.embed)]
        gone = sorted(set(known) - {entry.id for entry in entries})
        for start in range(0, len(fresh), _AT_ONCE):
            part = fresh[start : start + _AT_ONCE]
            vectors = self.embed([readable(entry, self.embed) for entry in part])
            metadata = [{"digest": _digest(entry, self.embed), **entry.facts} for entry in part]
            shelf.upsert(ids=[entry.id for entry in part], embeddings=vectors.tolist(), metadatas=metadata)
            progress(min(start + _AT_ONCE, len(fresh)), len(fresh))
        for start in range(0, len(gone), _AT_ONCE):
            shelf.delete(ids=gone[start : start + _AT_ONCE])
        _write(self.folder / f"{kind}.jsonl", entries)
        self.entries[kind] = list(entries)
        added = sum(entry.id not in known for entry in fresh)
        return Changes(added, len(fresh) - added, len(gone), len(entries) - len(fresh))

    def nearest(self, kind: str, vector: NDArray[np.float32], *, limit: int, where: dict[str, Any] | None = None) -> dict[str, float]:
        """Ids of the nearest entries with their cosine similarity."""
        shelf = self._collection(kind)
        limit = min(limit, len(self.entries[kind]))
        if not limit:
            return {}
        found = shelf.query(query_embeddings=[vector.tolist()], n_results=limit, where=where, include=["distances"])
        return {entry_id: 1.0 - float(distance) for entry_id, distance in zip(found["ids"][0], (found["distances"] or [[]])[0], strict=True)}

    def close(self) -> None:
        """Give the directory back."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _collection(self, kind: str) -> Any:
        # embedding_function=None: the default one would download a model.
        return self._client.get_or_create_collection(kind, embedding_function=None, configuration={"hnsw": {"space": "cosine"}})


def readable(entry: Entry, embed: Embeds) -> str:
    """What the vector model is given: the English text, else the text if it reads Chinese, else its gloss."""
    language = "en" if entry.texts.get("en") else next(iter(entry.texts), "en")
    whole = f"{entry.document.get(language, '')} {entry.title(language)}. {entry.text(language)}".strip()
    return whole if embed.reads_chinese or not has_han(whole) else gloss(whole)


def _digest(entry: Entry, embed: Embeds) -> str:
    return f"{entry.digest()}:{getattr(embed, 'name', '')}"


def _own(path: Path) -> IO[str]:
    lock = path.open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise IndexBusy(f"Another process owns the index in {path.parent}: most likely the server. Ask the server, or stop it first.") from error
    return lock


def _connect(folder: Path, url: str) -> ClientAPI:
    settings = Settings(anonymized_telemetry=False)
    if url:
        place = urlparse(url)
        return chromadb.HttpClient(host=place.hostname or "localhost", port=place.port or 8000, ssl=place.scheme == "https", settings=settings)
    return chromadb.PersistentClient(path=str(folder), settings=settings)


def _all_metadata(shelf: Any) -> list[tuple[str, dict[str, Any] | None]]:
    found = shelf.get(include=["metadatas"])
    return list(zip(found["ids"], found["metadatas"] or [], strict=True))


def _read(path: Path) -> list[Entry]:
    if not path.is_file():
        return []
    return [Entry(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def _write(path: Path, entries: Sequence[Entry]) -> None:
    part = path.with_suffix(".part")
    part.write_text("".join(json.dumps(asdict(entry), ensure_ascii=False) + "\n" for entry in entries), encoding="utf-8")
    part.replace(path)
