"""What is there to find?

Reads policy documents (Markdown, one folder a language) and cuts them into
passages, and describes catalogue items as texts. A passage has one id in every
language, made from the English heading, so that a citation survives an edit.
"""

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path

from retrieval.words import has_han

PACKAGED = Path(__file__).parent / "knowledge"
_FRONT = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)


@dataclass(frozen=True)
class Entry:
    """One findable thing: a passage or a product, with its texts by language.

    `titles` and `texts` map a language to what is shown; `facts` hold what can
    be filtered on (price_cents, category, in_stock).
    """

    id: str
    titles: dict[str, str]
    texts: dict[str, str]
    document: dict[str, str] = field(default_factory=dict)
    facts: dict[str, str | int | float | bool] = field(default_factory=dict)

    def text(self, language: str) -> str:
        """The text in a language, or in the one there is."""
        return self.texts.get(language) or next(iter(self.texts.values()), "")

    def title(self, language: str) -> str:
        """The heading or name in a language, or in the one there is."""
        return self.titles.get(language) or next(iter(self.titles.values()), "")

    def citation(self, language: str) -> str:
        """`Returns and refunds › Time limits`."""
        document = self.document.get(language) or next(iter(self.document.values()), "")
        return f"{document} › {self.title(language)}" if document else self.title(language)

    def digest(self) -> str:
        """A hash that changes when anything searchable does."""
        parts = [self.id, *(f"{k}={v}" for part in (self.titles, self.texts, self.document, self.facts) for k, v in sorted(part.items()))]
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


def slug(heading: str) -> str:
    """A heading as part of an id: `Time limits` → `time-limits`."""
    return re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-")


def load_knowledge(folder: Path = PACKAGED) -> list[Entry]:
    """Every passage of a folder of `<language>/<document>.md`, or of `<document>.md` alone.

    The section of a translation belongs to the English section at the same
    place; a document in one language alone uses its own headings. Raises
    ValueError when two languages of a document have different numbers of sections.
    """
    languages = sorted(path.name for path in folder.iterdir() if any(path.glob("*.md")))
    if not languages:
        return [passage for path in sorted(folder.glob("*.md")) for passage in _document(path.stem, {_language(path): path})]
    names = sorted({path.stem for language in languages for path in (folder / language).glob("*.md")})
    return [
        passage
        for name in names
        for passage in _document(name, {lang: folder / lang / f"{name}.md" for lang in languages if (folder / lang / f"{name}.md").is_file()})
    ]


def _language(path: Path) -> str:
    """The language a document is written in; a Chinese word in an English one does not make it Chinese."""
    text = path.read_text(encoding="utf-8")
    return "zh" if sum(has_han(character) for character in text) > len(text) / 10 else "en"


def _document(name: str, files: dict[str, Path]) -> list[Entry]:
    titles: dict[str, str] = {}
    sections: dict[str, list[tuple[str, str]]] = {}
    for language, path in files.items():
        titles[language], sections[language] = _parts(path.read_text(encoding="utf-8"), name)
    counts = {language: len(parts) for language, parts in sections.items()}
    if len(set(counts.values())) > 1:
        raise ValueError(f"{name}.md has different numbers of sections: {counts}")
    lead = "en" if "en" in sections else next(iter(sections))
    found, taken = [], set[str]()
    for place, (heading, _) in enumerate(sections[lead]):
        # A heading without Latin letters has no slug; its place serves.
        part = slug(heading) or str(place + 1)
        part = part if part not in taken else f"{part}-{place + 1}"
        taken.add(part)
        heads = {language: parts[place][0] for language, parts in sections.items()}
        texts = {language: parts[place][1] for language, parts in sections.items()}
        found.append(Entry(f"{name}.{part}", heads, texts, dict(titles)))
    return found


def _parts(markdown: str, name: str) -> tuple[str, list[tuple[str, str]]]:
    """Title and (heading, text) pairs of one file; text before the first heading gets the title's."""
    markdown = markdown.lstrip("\ufeff").replace("\r\n", "\n")
    front = _FRONT.match(markdown)
    title = re.search(r"^title:\s*(.+)$", front.group(1), re.MULTILINE) if front else None
    shown = title.group(1).strip().strip("\"'") if title else name.replace("-", " ").capitalize()
    pieces = re.split(r"^##\s+(.+)$", markdown[front.end() :] if front else markdown, flags=re.MULTILINE)
    lead = re.sub(r"^#\s+.+$", "", pieces[0], flags=re.MULTILINE).strip()
    sections = [(shown, lead)] if lead else []
    sections += [(head.strip(), body.strip()) for head, body in zip(pieces[1::2], pieces[2::2], strict=True)]
    return shown, sections
