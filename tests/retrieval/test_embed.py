"""Are the packaged vectors the ones that were looked at, and of unit length?"""

import hashlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from retrieval.embed import PACKAGED_SHA256, SentenceVectors, packaged_model


def test_the_packaged_weights_are_the_known_ones() -> None:
    weights = packaged_model() / "model.safetensors"
    assert hashlib.sha256(weights.read_bytes()).hexdigest() == PACKAGED_SHA256


def test_vectors_have_unit_length_and_one_row_a_text(sentences: SentenceVectors) -> None:
    made = sentences(["a kettle", "a lamp", "a very long sentence about nothing at all", ""])
    assert made.shape == (4, 384) and made.dtype == np.float32
    assert np.allclose(np.linalg.norm(made, axis=1), 1, atol=1e-5)


def test_alike_meanings_lie_nearer_than_unlike_ones(sentences: SentenceVectors) -> None:
    kettle, teapot, tax = sentences(["a kettle for tea", "a pot to brew tea in", "income tax return"])
    assert kettle @ teapot > kettle @ tax + 0.3


def test_the_same_text_twice_is_the_same_vector_in_any_company(sentences: SentenceVectors) -> None:
    alone = sentences(["a bamboo steamer"])[0]
    again = SentenceVectors()(["a lamp", "a bamboo steamer", "a bamboo steamer"])
    assert np.allclose(alone, again[1], atol=1e-5) and np.array_equal(again[1], again[2])


def test_a_remembered_text_is_not_computed_again() -> None:
    embed = SentenceVectors()
    first = embed(["a kettle"])
    # Without its model it can only answer from memory.
    embed._load = None  # type: ignore[assignment, method-assign]
    assert np.array_equal(embed(["a kettle"]), first)


def test_no_texts_give_no_rows(sentences: SentenceVectors) -> None:
    assert len(sentences([])) == 0


def test_several_threads_get_their_own_rows(sentences: SentenceVectors) -> None:
    texts = [f"thing number {n}" for n in range(24)]
    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(lambda text: sentences([text])[0], texts))
    assert np.allclose(np.stack(made), sentences(texts), atol=1e-5)


def test_the_packaged_vectors_say_that_they_read_no_chinese() -> None:
    assert SentenceVectors().reads_chinese is False
    assert SentenceVectors("/some/model").reads_chinese is True
