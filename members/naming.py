"""Which one is meant by these words?

Finds a named thing by its exact name, by a part of it, or by what is nearly it.
Two that are as near name nothing.
"""

from collections.abc import Mapping

from rapidfuzz import fuzz, process

# From which likeness (0 to 100) on words are taken for a name, and how far ahead of the next it must be.
_NEARLY, _AHEAD = 82.0, 6.0


def nearest(words: str, names: Mapping[str, str]) -> str | None:
    """The key whose name is meant; None for none or for two alike. `names` maps a key to its name."""
    wanted = words.strip().casefold()
    if not wanted:
        return None
    plain = {key: name.strip().casefold() for key, name in names.items() if name.strip()}
    same = [key for key, name in plain.items() if name == wanted]
    if len(same) == 1:
        return same[0]
    inside = [key for key, name in plain.items() if wanted in name or name in wanted]
    if len(inside) == 1:
        return inside[0]
    found = process.extract(wanted, plain, scorer=fuzz.token_set_ratio, limit=2)
    if not found or found[0][1] < _NEARLY or (len(found) > 1 and found[0][1] - found[1][1] < _AHEAD):
        return None
    return str(found[0][2])
