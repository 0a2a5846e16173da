"""Choosing chats of a large JSON array: holdfast beside Python's json, each in a process of its own."""

import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROWS = int(os.environ.get("ROWS", 1_000_000))
COUNT = int(os.environ.get("COUNT", ROWS // 20))
ROUNDS = int(os.environ.get("ROUNDS", 5))
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
NAMES = {
    "load": "Python: json.load, random.sample",
    "lines": "Python: json.loads of each line, a reservoir",
    "choose": "holdfast: choosing, the SHA-256 under way",
    "hashed": "holdfast: choosing, and the SHA-256 done",
    "data": "holdfast data: the mix written and synced too",
}


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


def python_run(body, path):
    _, wall, processor, peak = measured(
        [sys.executable, "-c", PEER.format(body=body), path, str(COUNT)], limit_memory)
    return wall, processor, peak


def one_round(path, folder):
    """Each once, one after the other: what disturbs one round disturbs all of them."""
    runs = {"load": python_run(LOAD, path)}
    if os.environ.get("LINES"):
        runs["lines"] = python_run(LINES, path)
    ours, _, processor, peak = measured(["build/bench/sources_bench", path, str(COUNT)])
    runs["choose"] = ours["choose"], ours["chosen_cpu"], peak
    runs["hashed"] = ours["hashed"], processor, peak
    _, *runs["data"] = measured(
        [HOLDFAST, "data", "--benign", path, "--ratio", "0", "--count", str(COUNT), "--out",
         f"{folder}/mix.jsonl", "--quiet"])
    return runs


def show(rounds):
    loads = [runs["load"][0] for runs in rounds]
    print(f"{'':46} {'n':>3} {'median s':>9} {'least':>6} {'most':>6} {'CPU s':>6} {'peak MB':>8} "
          f"{'times':>6} {'least':>6}")
    for name, text in NAMES.items():
        runs = [each[name] for each in rounds if name in each]
        if not runs:
            continue
        walls, processors, peaks = zip(*runs)
        median = statistics.median(walls)
        print(f"{text:46} {len(runs):3} {median:9.2f} {min(walls):6.2f} {max(walls):6.2f} "
              f"{statistics.median(processors):6.2f} {max(peaks) / 1e6:8.0f} "
              f"{statistics.median(loads) / median:6.1f} {min(loads) / max(walls):6.1f}")


def main():
    rounds = []
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        path = os.environ.get("CHATS") or f"{folder}/chats.json"
        if not os.path.exists(path):
            if shutil.disk_usage(folder).free < 3000 * ROWS:
                sys.exit(f"bench-sources: {folder} has no room for {2000 * ROWS} bytes: set TMPDIR")
            write_chats(path)
        subprocess.run(["cat", path], stdout=subprocess.DEVNULL, check=True)  # all find it in memory
        print(f"{COUNT} of {ROWS} chats, {os.path.getsize(path) / 1e9:.2f} GB, {len(os.sched_getaffinity(0))} "
              f"cores; load average {os.getloadavg()[0]:.1f}; the last column: the best of json.load "
              "beside our worst")
        for _ in range(ROUNDS):
            rounds.append(one_round(path, folder))
        if "RUNS" in os.environ:
            with open(os.environ["RUNS"], "a+") as file:
                for runs in rounds:
                    print(json.dumps(runs), file=file)
                file.seek(0)
                rounds = [json.loads(line) for line in file]
        show(rounds)


main()
