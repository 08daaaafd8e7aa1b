"""Do passages keep their ids, whatever language or place they are read in?"""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.documents import Entry, load_knowledge, slug


def _write(folder: Path, language: str, name: str, text: str) -> None:
    place = folder / language
    place.mkdir(parents=True, exist_ok=True)
    (place / f"{name}.md").write_text(text, encoding="utf-8")


def _ids(folder: Path) -> list[str]:
    return [entry.id for entry in load_knowledge(folder)]


EN = "---\ntitle: Returns and refunds\n---\n\n## Time limits\nThirty days.\n\n## What it costs\nNothing.\n"
ZH = "---\ntitle: 退货和退款\n---\n\n## 退货期限\n三十天。\n\n## 退货运费\n免费。\n"


def test_both_languages_of_a_section_are_one_passage_with_the_english_id(tmp_path: Path) -> None:
    _write(tmp_path, "en", "returns", EN)
    _write(tmp_path, "zh", "returns", ZH)
    first, second = load_knowledge(tmp_path)
    assert (first.id, second.id) == ("returns.time-limits", "returns.what-it-costs")
    assert first.text("en") == "Thirty days." and first.text("zh") == "三十天。"
    assert first.citation("en") == "Returns and refunds › Time limits"
    assert first.citation("zh") == "退货和退款 › 退货期限"


def test_editing_a_text_or_adding_a_section_keeps_the_other_ids(tmp_path: Path) -> None:
    _write(tmp_path, "en", "returns", EN)
    before = _ids(tmp_path)
    _write(tmp_path, "en", "returns", EN.replace("Thirty", "Sixty").replace("## Time", "## New first\nHello.\n\n## Time"))
    assert set(before) < set(_ids(tmp_path))


def test_an_edit_changes_the_digest_and_reading_again_does_not(tmp_path: Path) -> None:
    _write(tmp_path, "en", "returns", EN)
    before = load_knowledge(tmp_path)[0].digest()
    assert load_knowledge(tmp_path)[0].digest() == before
    _write(tmp_path, "en", "returns", EN.replace("Thirty", "Sixty"))
    assert load_knowledge(tmp_path)[0].digest() != before


def test_languages_with_different_numbers_of_sections_are_refused_by_name(tmp_path: Path) -> None:
    _write(tmp_path, "en", "returns", EN)
    _write(tmp_path, "zh", "returns", ZH.split("## 退货运费")[0])
    with pytest.raises(ValueError, match=r"returns\.md.*'en': 2.*'zh': 1"):
        load_knowledge(tmp_path)


def test_a_document_of_one_language_uses_its_own_headings(tmp_path: Path) -> None:
    _write(tmp_path, "en", "returns", EN)
    _write(tmp_path, "zh", "returns", ZH)
    _write(tmp_path, "zh", "gifts", "## 礼品卡\n可以用。\n\n## 余额\n随时查。\n")
    own = [entry for entry in load_knowledge(tmp_path) if entry.id.startswith("gifts.")]
    assert [entry.id for entry in own] == ["gifts.1", "gifts.2"]
    assert own[0].text("en") == "可以用。" and own[0].title("en") == "礼品卡"


def test_two_headings_alike_get_two_ids(tmp_path: Path) -> None:
    _write(tmp_path, "en", "faq", "## More\nOne.\n\n## More\nTwo.\n")
    ids = _ids(tmp_path)
    assert len(set(ids)) == 2 and ids[0] == "faq.more"


def test_text_before_the_first_heading_is_a_passage_under_the_title(tmp_path: Path) -> None:
    _write(tmp_path, "en", "faq", "---\ntitle: Questions\n---\n# Questions\nAsk away.\n\n## More\nTwo.\n")
    assert [(e.id, e.title("en"), e.text("en")) for e in load_knowledge(tmp_path)] == [
        ("faq.questions", "Questions", "Ask away."),
        ("faq.more", "More", "Two."),
    ]


def test_windows_line_ends_and_a_byte_order_mark_change_nothing(tmp_path: Path) -> None:
    _write(tmp_path / "a", "en", "returns", EN)
    _write(tmp_path / "b", "en", "returns", "\ufeff" + EN)
    (tmp_path / "c" / "en").mkdir(parents=True)
    (tmp_path / "c" / "en" / "returns.md").write_bytes(EN.replace("\n", "\r\n").encode())
    plain = load_knowledge(tmp_path / "a")
    assert load_knowledge(tmp_path / "b") == plain
    assert load_knowledge(tmp_path / "c") == plain


def test_the_packaged_policy_is_whole_in_both_languages() -> None:
    found = load_knowledge()
    assert len(found) > 60
    assert len({entry.id for entry in found}) == len(found)
    for entry in found:
        assert set(entry.texts) == {"en", "zh"} and all(text.strip() for text in entry.texts.values()), entry.id
        assert "›" in entry.citation("en") and "›" in entry.citation("zh")


@given(st.text(max_size=40))
def test_a_slug_is_lower_case_letters_digits_and_single_dashes(heading: str) -> None:
    made = slug(heading)
    assert made == made.strip("-") and "--" not in made
    assert all(c in "abcdefghijklmnopqrstuvwxyz0123456789-" for c in made)
    assert slug(made) == made


@given(st.dictionaries(st.sampled_from(["price_cents", "category", "in_stock"]), st.one_of(st.integers(), st.text(max_size=5), st.booleans())))
def test_facts_in_another_order_are_the_same_entry(facts: dict[str, object]) -> None:
    turned = dict(reversed(list(facts.items())))
    assert Entry("P", {"en": "a"}, {"en": "b"}, {}, facts).digest() == Entry("P", {"en": "a"}, {"en": "b"}, {}, turned).digest()  # type: ignore[arg-type]
