"""Keeps the evaluation lists out of the training text.

A training request leaks if, words compared in lower case and without punctuation,

    it equals a listed request, or one of the two (of five words or more) contains the other;
    or half of the five-word runs of either are shared, and 0.4 of all content words;
    or 0.6 of all content words are shared (three at least).

Content words are those that remain without the frames of requests ("write a tutorial on how to")
and other small words. Of other text, only a listed request of eight words or more in full counts.
"""
import collections
import csv
import json
import os
import re

SMALL = set("a an the to of for on in that how write with and or guide tutorial step by instructions "
            "give provide me create develop make is are from into without get using as their "
            "someone your you they explain describe what who which when where why do does did can could "
            "would should i my we it its was were be this some please list tell about at if not".split())
RUN = 5


def tokens(text):
    return re.findall(r"[a-z0-9]+", text.lower())


def content_words(text):
    return frozenset(word for word in tokens(text) if word not in SMALL)


def runs(words, size=RUN):
    return {tuple(words[i:i + size]) for i in range(len(words) - size + 1)}


def column_rows(path):
    with open(path, newline="", encoding="utf-8") as rows:
        return list(csv.DictReader(rows))


def column(path, name):
    return [row[name] for row in column_rows(path)]


def evaluation_requests(data):
    """list name -> requests, of everything that the shipped model is measured on; `data` is the
    folder of the public lists, the held-out seeds come from deal() of make-refusal-lists."""
    found = {
        "JailbreakBench": column(f"{data}/llm-past-tense/harmful_behaviors_jailbreakbench.csv", "Goal"),
        "JailbreakBench benign": column(f"{data}/jbb/benign-behaviors.lowercase-header.csv", "goal"),
        "XSTest": column(f"{data}/xstest/xstest_prompts.csv", "prompt"),
        "AdvBench": column(f"{data}/advbench/advbench.csv", "goal")
        + column(f"{data}/advbench/harmful_behaviors.csv", "goal"),
        "stored reformulations": [],
    }
    with open(f"{data}/alpaca_eval/example_outputs.json", encoding="utf-8") as file:
        found["AlpacaEval"] = [row["instruction"] for row in json.load(file)]
    for tense in ("past_tense", "future_tense"):
        for name in sorted(os.listdir(f"{data}/llm-past-tense/{tense}")):
            with open(f"{data}/llm-past-tense/{tense}/{name}", encoding="utf-8") as file:
                found["stored reformulations"] += reformulations(json.load(file))
    return found


def reformulations(value):
    """The rewritten requests of a stored result: every "adv" string, wherever it stands."""
    if isinstance(value, dict):
        own = [text for key, text in value.items()
               if isinstance(text, str) and ("reformulat" in key or key.startswith("adv"))]
        return own + [text for part in value.values() for text in reformulations(part)]
    if isinstance(value, list):
        return [text for part in value for text in reformulations(part)]
    return []


class Lists:
    """Listed requests, indexed to be searched for in many training texts."""

    def __init__(self, named):
        self.items = []                                     # (list name, words, content words)
        self.equal, self.starts = {}, collections.defaultdict(list)
        self.with_word, self.with_run = collections.defaultdict(list), collections.defaultdict(list)
        for name, requests in named.items():
            for request in requests:
                self.add(name, tokens(request), content_words(request))

    def add(self, name, words, content):
        if not words or " ".join(words) in self.equal:
            return
        index = len(self.items)
        self.items.append((name, words, content))
        self.equal[" ".join(words)] = index
        for word in content:
            self.with_word[word].append(index)
        for run in runs(words):
            self.with_run[run].append(index)
        if len(words) >= 8:
            self.starts[tuple(words[:8])].append(index)

    def request_leaks(self, text):
        """(list name, why) of the first listed request that `text` resembles, or None."""
        words, content = tokens(text), content_words(text)
        if " ".join(words) in self.equal:
            return self.items[self.equal[" ".join(words)]][0], "equal"
        shared = collections.Counter(i for word in content for i in self.with_word[word])
        close = [(i, n, n / len(content | self.items[i][2])) for i, n in shared.items()]
        for index, count, share in close:
            if share >= 0.6 and count >= 3:
                return self.items[index][0], "content words"
        mine = runs(words)
        for index, count in collections.Counter(i for run in mine for i in self.with_run[run]).items():
            name, other, other_content = self.items[index]
            fewer = min(len(mine), len(other) - RUN + 1)
            share = shared[index] / max(1, len(content | other_content))
            if count == fewer and (fewer >= 2 or share >= 0.4):
                return name, "contained"
            if 2 * count >= fewer and share >= 0.4:
                return name, "five-word runs"
        return None

    def text_leaks(self, text):
        """The same for text that is no request: only a whole listed request counts."""
        words = tokens(text)
        for at in range(len(words) - 7):
            for index in self.starts.get(tuple(words[at:at + 8]), ()):
                name, other, _ = self.items[index]
                if words[at:at + len(other)] == other:
                    return name, "quoted"
        return None

    def example_leaks(self, messages):
        for message in messages:
            leaks = self.request_leaks if message["role"] == "user" else self.text_leaks
            found = leaks(message["content"])
            if found:
                return found
        return None
