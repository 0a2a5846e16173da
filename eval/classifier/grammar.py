"""Draws refusals and answers from grammar.txt, about the requests of demo/seeds."""
import csv
import json
import os
import random
import re

HERE = os.path.dirname(os.path.abspath(__file__))
SEEDS = os.path.join(HERE, "..", "..", "demo", "seeds")


def read_rules(path=os.path.join(HERE, "grammar.txt")):
    rules = {}
    with open(path, encoding="ascii") as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                name, text = line.rstrip("\n").split(": ", 1)
                rules.setdefault(name, []).append(text.replace("\\n", "\n"))
    return rules


def gerund(verb):
    if verb.endswith("e") and not verb.endswith(("ee", "oe", "ye")):
        return verb[:-1] + "ing"
    if re.fullmatch(r"[^aeiou]*[aeiou][^aeiouwxy]", verb):
        return verb + verb[-1] + "ing"
    return verb + "ing"


def read_requests():
    """(request, what it asks to do, answer or None)"""
    out = []
    for name in ("howto", "sensitive"):
        with open(os.path.join(SEEDS, name + ".jsonl"), encoding="utf-8") as file:
            for line in file:
                row = json.loads(line)
                match = re.match(r"How (?:do|can|should|would) (?:I|you|we) (.*)\?$", row["question"])
                do = match.group(1) if match else row["imperative"]
                out.append((row["question"], do, row["answer"]))
    with open(os.path.join(SEEDS, "chats.jsonl"), encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            out.append((row["question"], "talk about it", row["answer"]))
    with open(os.path.join(SEEDS, "contrast.jsonl"), encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            out.append((row["question"], "talk about it", row["answer"]))
    with open(os.path.join(SEEDS, "harmful.csv"), encoding="utf-8") as file:
        for row in csv.DictReader(file):
            out.append((row["goal"], row["goal"], None))
    return [(q, do[0].lower() + do[1:], answer) for q, do, answer in out]


def expand(rules, text, request, do, answer, choose):
    first, _, rest = do.partition(" ")
    doing = gerund(first) + (" " + rest if rest else "")
    given = {"do": do, "doing": doing, "Doing": doing[0].upper() + doing[1:], "answer": answer}

    def replace(match):
        name = match.group(1)
        if name in given:
            return given[name]
        return re.sub(r"\{(\w+)\}", replace, choose.choice(rules[name]))

    return re.sub(r"\{(\w+)\}", replace, text)


def draw(count, seed):
    """`count` of (request, reply, refused)."""
    rules, requests, choose = read_rules(), read_requests(), random.Random(seed)
    harmful = [r for r in requests if r[2] is None]
    answerable = [r for r in requests if r[2] is not None]
    out = []
    while len(out) < count:
        kind = choose.choices(("refused", "partial", "answered"), (5, 1, 4))[0]
        pool = harmful if kind == "refused" and choose.random() < 0.5 else answerable
        request, do, answer = choose.choice(pool)
        text = choose.choice(rules[kind])
        reply = expand(rules, text, request, do, answer or "", choose)
        out.append((request, reply, int(kind != "answered")))
    return out
