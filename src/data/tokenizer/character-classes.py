"""Writes generated/character-classes.ts: the classes of characters as the reference tokenizers (Rust) see them.

Every code point is passed through the reference's BertNormalizer and BertPreTokenizer, so that the classes do not
change with the Unicode version of a JavaScript engine. Run: python character-classes.py (tokenizers 0.23.3).
"""

from pathlib import Path

from tokenizers import normalizers, pre_tokenizers


def normalizer(**flags):
    off = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    return normalizers.BertNormalizer(**{**off, **flags})


clean, strip = normalizer(clean_text=True), normalizer(strip_accents=True)
split = pre_tokenizers.BertPreTokenizer()
classes = {"REMOVED": [], "MARKS": [], "PUNCTUATION": [], "WHITE_SPACE": []}
for code in range(0x110000):
    if 0xD800 <= code < 0xE000:
        continue
    character = chr(code)
    if clean.normalize_str(character) == "":
        classes["REMOVED"].append(code)
    if strip.normalize_str(character) == "":
        classes["MARKS"].append(code)
    pieces = len([piece for piece, _ in split.pre_tokenize_str("a" + character + "b")])
    if pieces == 3:
        classes["PUNCTUATION"].append(code)
    if pieces == 2:
        classes["WHITE_SPACE"].append(code)


def base36(value):
    digits = ""
    while True:
        value, rest = divmod(value, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[rest] + digits
        if value == 0:
            return digits


def encode(codes):
    """Alternating run lengths, outside then inside, in base 36."""
    runs, position, index = [], 0, 0
    while index < len(codes):
        last = index
        while last + 1 < len(codes) and codes[last + 1] == codes[last] + 1:
            last += 1
        runs += [codes[index] - position, codes[last] + 1 - codes[index]]
        position, index = codes[last] + 1, last + 1
    return " ".join(base36(run) for run in runs)


lines = ["// Written by character-classes.py. Alternating run lengths of code points, outside then inside, in base 36."]
lines += [f"export const {name} =\n  '{encode(codes)}';" for name, codes in classes.items()]
(Path(__file__).parent / "generated" / "character-classes.ts").write_text("\n".join(lines) + "\n")
