"""bench-near-duplicates: texts with near copies of known Jaccard index, holdfast beside datasketch.

Every text is of random words; of every fifth a copy follows somewhere later, with edits that people
make: words replaced, left out, put in, swapped, or the end cut off. Two texts that are no copy of
each other share no 5-gram to speak of, so the pairs to be found are known: those of copy and
original whose index, computed here exactly, reaches the threshold.
"""
import random
import subprocess
import sys
import time

from datasketch import MinHash, MinHashLSH

BENCH, COUNT, THRESHOLD, FOLDER = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]


def edited(words, rng):
    words = list(words)
    for _ in range(rng.randint(0, max(1, len(words) // 12))):
        at = rng.randrange(len(words))
        what = rng.choice("replace leave put swap".split())
        if what == "replace":
            words[at] = f"new{rng.randrange(10**6)}"
        elif what == "leave" and len(words) > 6:
            del words[at]
        elif what == "put":
            words.insert(at, f"new{rng.randrange(10**6)}")
        elif at:
            words[at - 1], words[at] = words[at], words[at - 1]
    if rng.random() < 0.2:
        words = words[:max(6, int(len(words) * rng.uniform(0.6, 1)))]
    return words


def grams(words):
    return {tuple(words[i:i + 5]) for i in range(len(words) - 4)}


def index(a, b):
    a, b = grams(a), grams(b)
    return len(a & b) / len(a | b)


def made_set():
    rng = random.Random(1)
    vocabulary = [f"word{i}" for i in range(5000)]
    weights = [1 / (i + 10) for i in range(5000)]  # as words are spread in text
    texts, original_of = [], {}
    while len(texts) < COUNT:
        if texts and rng.random() < 0.2:
            original = rng.randrange(len(texts))
            if original not in original_of:
                original_of[len(texts)] = original
                texts.append(edited(texts[original], rng))
                continue
        texts.append(rng.choices(vocabulary, weights, k=rng.randint(10, 120)))
    return texts, original_of


def holdfast(path):
    done = subprocess.run([BENCH, path, str(THRESHOLD)], check=True, capture_output=True, text=True)
    found = {}
    for line in done.stdout.split("\n"):
        if line:
            text, other = map(int, line.split())
            found[text] = other
    return found, float(done.stderr)


def datasketch(lines, exact):
    """128 permutations and its LSH; with `exact`, candidates are compared as holdfast does."""
    begin = time.process_time()
    lsh = MinHashLSH(threshold=THRESHOLD, num_perm=128)
    sets, found = {}, {}
    for number, line in enumerate(lines):
        words = line.lower().split()
        pieces = {" ".join(words[i:i + 5]) for i in range(len(words) - 4)}
        minhash = MinHash(num_perm=128)
        minhash.update_batch([piece.encode() for piece in pieces])
        near = lsh.query(minhash)
        if exact:
            near = [n for n in near if len(sets[n] & pieces) / len(sets[n] | pieces) >= THRESHOLD]
        if near:
            found[number] = min(near)
            continue
        lsh.insert(number, minhash)
        if exact:
            sets[number] = pieces
    return found, time.process_time() - begin


def report(name, found, seconds, near):
    right = sum(1 for text in found if text in near)
    precision = right / len(found) if found else 1
    recall = right / len(near)
    print(f"{name:<38} {seconds:8.2f} CPU s {COUNT / seconds:9.0f} texts/s   precision {precision:.4f} "
          f"({right} of {len(found)})   recall {recall:.4f} ({right} of {len(near)})", flush=True)


def main():
    texts, original_of = made_set()
    indices = {copy: index(texts[copy], texts[original]) for copy, original in original_of.items()}
    near = {copy for copy, value in indices.items() if value >= THRESHOLD}
    # Copies of one original that are kept may have near-duplicates among its later copies.
    groups = {}
    for copy, original in original_of.items():
        groups.setdefault(original, []).append(copy)
    for copies in groups.values():
        for i, copy in enumerate(copies):
            if any(index(texts[copy], texts[c]) >= THRESHOLD for c in copies[:i] if c not in near):
                near.add(copy)
    lines = [" ".join(words) for words in texts]
    path = f"{FOLDER}/texts.txt"
    with open(path, "w") as out:
        out.write("\n".join(lines) + "\n")
    print(f"{COUNT} texts, {len(original_of)} copies, {len(near)} of them near-duplicates at {THRESHOLD}")
    report("holdfast (exact after MinHash)", *holdfast(path), near)
    report("datasketch (MinHash LSH alone)", *datasketch(lines, False), near)
    report("datasketch (exact after MinHash LSH)", *datasketch(lines, True), near)


main()
