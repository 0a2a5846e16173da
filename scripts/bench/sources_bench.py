"""Choosing chats of a large JSON array: holdfast beside Python's json, each in a process of its own."""

import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time

ROWS = int(os.environ.get("ROWS", 1_000_000))
COUNT = int(os.environ.get("COUNT", ROWS // 20))
HOLDFAST = os.environ.get("HOLDFAST", "build/release/holdfast")
MEMORY_LIMIT = 12 << 30  # of the Python peers

PEER = """
import json, random, sys, time
start = time.perf_counter()
{body}
print(json.dumps({{"chosen": len(chosen), "wall": time.perf_counter() - start, "process": time.process_time()}}))
"""
LOAD = """
with open(sys.argv[1]) as file:
    chosen = random.Random(1).sample(json.load(file), int(sys.argv[2]))
"""
# One element a line, as our file has it: a peer that needs little memory, too.
LINES = """
def elements():
    with open(sys.argv[1]) as file:
        for line in file:
            line = line.strip().rstrip(",")
            if line.startswith("{"):
                yield json.loads(line)
dice, chosen, limit = random.Random(1), [], int(sys.argv[2])
for i, element in enumerate(elements()):
    if i < limit:
        chosen.append(element)
    elif (j := dice.randrange(i + 1)) < limit:
        chosen[j] = element
"""


def write_chats(path):
    """Chats of about 1.9 KB: words of our own, with line ends, quotes and letters beyond ASCII."""
    dice = random.Random(7)
    words = ("the of and to in is that for it as with on by at from this be or are an was which one all "
             "garden window morning \"quoted\" river letter between against perhaps caf\u00e9 measure number "
             "answer question because whether something explain describe several different").split()
    texts = []
    for _ in range(3000):
        text = " ".join(dice.choice(words) for _ in range(dice.randint(100, 190)))
        texts.append(json.dumps(text.replace(" the ", ".\n", 3))[1:-1])
    with open(path, "w") as out:
        for i in range(ROWS):
            out.write("[\n" if i == 0 else ",\n")
            out.write('{"id": "chat-%d", "conversations": [{"from": "human", "value": "Question %d: %s"}, '
                      '{"from": "gpt", "value": "%s"}]}' % (i, i, dice.choice(texts), dice.choice(texts)))
        out.write("\n]\n")


def limit_memory():
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))


def measured(command, limit=None):
    """Runs a child; its last line of JSON, seconds by the clock, of processor time, peak bytes."""
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=limit)
    out = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    if status != 0:
        sys.exit(f"bench-sources: {command[0]} failed with {status}")
    return (json.loads(out) if out else {}, time.perf_counter() - start,
            usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def show(name, wall, processor, peak, reference):
    print(f"{name:46} {wall:8.2f} {processor:8.2f} {peak / 1e6:9.0f} {reference[0] / wall:8.1f} "
          f"{reference[1] / processor:8.1f}")


with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
    if shutil.disk_usage(folder).free < 3000 * ROWS:
        sys.exit(f"bench-sources: {folder} has no room for {2000 * ROWS} bytes: set TMPDIR")
    path = f"{folder}/chats.json"
    write_chats(path)
    subprocess.run(["cat", path], stdout=subprocess.DEVNULL, check=True)  # all find it in memory
    print(f"{COUNT} of {ROWS} chats, {os.path.getsize(path) / 1e9:.2f} GB; load average {os.getloadavg()[0]:.1f}")
    print(f"{'':46} {'seconds':>8} {'CPU s':>8} {'peak MB':>9} {'times':>8} {'CPU x':>8}")
    _, wall, processor, peak = measured([sys.executable, "-c", PEER.format(body=LOAD), path, str(COUNT)],
                                        limit_memory)
    reference = wall, processor
    show("Python: json.load, random.sample", wall, processor, peak, reference)
    _, wall, processor, peak = measured([sys.executable, "-c", PEER.format(body=LINES), path, str(COUNT)],
                                        limit_memory)
    show("Python: json.loads of each line, a reservoir", wall, processor, peak, reference)
    ours, _, processor, peak = measured(["build/bench/sources_bench", path, str(COUNT)])
    show("holdfast: choose and parse", ours["choose"], ours["thread"], peak, reference)
    show("holdfast: the same, SHA-256 of the file too", ours["hashed"], ours["process"], peak, reference)
    _, wall, processor, peak = measured(
        [HOLDFAST, "data", "--benign", path, "--ratio", "0", "--count", str(COUNT), "--out",
         f"{folder}/mix.jsonl", "--quiet"])
    show("holdfast data: the mix written and synced too", wall, processor, peak, reference)
