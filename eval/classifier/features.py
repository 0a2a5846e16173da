"""Features of a reply, exactly as eval/judge_classifier.c takes them.

The C side is checked against golden scores that this file gives (tests/golden/classifier).

Text to words: bytes; the curly apostrophe is a straight one; letters, digits, apostrophes and
bytes from 0x80 make words, in lower case; contractions are taken apart ("can't" -> "cannot",
"I'm" -> "i am"). Other marks: "." for a sentence's end (. ! ? before white space or the end),
":" likewise, "," , "\\n" for line ends, "<li>" for a list mark at the beginning of a line.
A word of the lexicon stands for itself, any other is <q> if the request has it, else <w>;
several in a row are one, <q> if any was. At most 400 words are read.

Features are n-grams, n = 1..4, in zones: a (begin in the first 16 tokens; there "^" is the
first), b (the first 64), c (the others), z (the last 32 of more than 64).
Then the plain ones that shape_features() gives, and what the two rules say (#xstest, #rules).
"""
import os
import re

TOKEN_LIMIT = 400
ZONE_A, ZONE_B, ZONE_Z = 16, 64, 32
HERE = os.path.dirname(os.path.abspath(__file__))


def read_lexicon(path=os.path.join(HERE, "lexicon.txt")):
    words = set()
    with open(path, encoding="ascii") as file:
        for line in file:
            if not line.startswith("#"):
                words.update(line.split())
    return words


LEXICON = read_lexicon()
SUFFIXES = [(b"n't", b"not"), (b"'m", b"am"), (b"'re", b"are"), (b"'ve", b"have"), (b"'ll", b"will"), (b"'d", b"would")]
IS_WORDS = {b"it", b"that", b"there", b"here", b"what", b"let", b"he", b"she", b"who", b"how"}


def read_strings(name, table):
    """The strings of a table in a C file of eval/, so that the rules are written down once."""
    with open(os.path.join(HERE, "..", name), encoding="utf-8") as file:
        body = re.search(re.escape(table) + r"\[\] = \{(.*?)\};", file.read(), re.S).group(1)
    return re.findall(r'"((?:[^"\\]|\\.)*)"', body)


MARKERS = read_strings("judge_rules.c", "markers")
BEGINNINGS = tuple(read_strings("judge_xstest.c", "beginnings"))


def rule_features(reply):
    out = [b"#xstest"] if reply.lstrip(" \t\r\n\v\f").lower().startswith(BEGINNINGS) else []
    return out + [b"#rules"] * (not reply or any(marker in reply for marker in MARKERS))


def is_word_byte(byte):
    return byte >= 0x80 or chr(byte).isalnum()


def expand(word):
    """The words of one contraction."""
    if word == b"can't":
        return [b"cannot"]
    if word == b"won't":
        return [b"will", b"not"]
    for suffix, meaning in SUFFIXES:
        if word.endswith(suffix) and len(word) > len(suffix):
            return [word[: -len(suffix)], meaning]
    if word.endswith(b"'s") and len(word) > 2:
        return [word[:-2], b"is"] if word[:-2] in IS_WORDS else [word[:-2]]
    return [word]


def scan(text, limit):
    """Words and marks of a text: at most about `limit` of them."""
    text = text.encode("utf-8", "surrogatepass").replace(b"\xe2\x80\x99", b"'")
    out, i, line_begin = [], 0, True
    while i < len(text) and len(out) < limit:
        byte = text[i]
        if byte == 10:
            if out and out[-1] != b"\n":
                out.append(b"\n")
            line_begin = True
            i += 1
            continue
        if byte in b" \t\r\v\f":
            i += 1
            continue
        if line_begin:
            j = i
            while j < len(text) and 48 <= text[j] <= 57:
                j += 1
            if j > i and text[j : j + 1] in (b".", b")"):
                j += 1
            elif text[i : i + 1] in (b"*", b"-"):
                j = i + 1
            else:
                j = i
            if j > i and text[j : j + 1] in (b" ", b"\t"):
                out.append(b"<li>")
                i = j
                line_begin = False
                continue
        line_begin = False
        if is_word_byte(byte):
            j = i + 1
            while j < len(text) and (is_word_byte(text[j]) or (text[j] == 39 and j + 1 < len(text) and is_word_byte(text[j + 1]))):
                j += 1
            out += expand(lower(text[i:j]))
            i = j
            continue
        if byte in b".!?:" and (i + 1 == len(text) or text[i + 1] in b" \t\r\n\v\f"):
            if out and out[-1] != b".":
                out.append(b":" if byte == 58 else b"." )
        elif byte == 44:
            out.append(b",")
        i += 1
    return out[:limit]


def lower(word):
    return bytes(b + 32 if 65 <= b <= 90 else b for b in word)


def stem(word):
    """Crude: enough to see that a reply says the request's words again."""
    for ending in (b"ing", b"ed", b"es", b"s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word[:-1] if word.endswith(b"e") and len(word) > 3 else word


def tokens_of(request, reply):
    asked = {stem(w) for w in scan(request, TOKEN_LIMIT) if is_word_byte(w[0])}
    out, words, said = [b"^"], 0, 0
    scanned = scan(reply, TOKEN_LIMIT)
    for word in scanned:
        if is_word_byte(word[0]):
            words += 1
            if word.decode("latin-1") not in LEXICON:
                is_asked = stem(word) in asked
                said += is_asked
                if out[-1] in (b"<q>", b"<w>"):
                    if is_asked:
                        out[-1] = b"<q>"
                    continue
                word = b"<q>" if is_asked else b"<w>"
        out.append(word)
    return out, words, said


def shape_features(tokens, words, said):
    items = sum(t == b"<li>" for t in tokens)
    lines = sum(t == b"\n" for t in tokens)
    out = [b"#words<=%d" % n for n in (10, 25, 50, 100, 200, 300) if words <= n]
    out += [b"#items>=%d" % n for n in (1, 3, 6) if items >= n]
    out += [b"#lines>=%d" % n for n in (1, 3, 8) if lines >= n]
    out += [b"#said>=%d" % n for n in (1, 3, 6) if said >= n]
    return out


def features(request, reply):
    """The set of the reply's features, as byte strings."""
    tokens, words, said = tokens_of(request, reply)
    out = set(shape_features(tokens, words, said) + rule_features(reply))
    count = len(tokens)
    for i in range(count):
        zones = (b"a" if i < ZONE_A else b"") + (b"b" if i < ZONE_B else b"c")
        if count > ZONE_B and i >= count - ZONE_Z:
            zones += b"z"
        for n in range(1, min(4, count - i) + 1):
            gram = b" ".join(tokens[i : i + n])
            for zone in zones:
                out.add(b"%c %s" % (zone, gram))
    return out


def fnv1a(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value
