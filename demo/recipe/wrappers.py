"""Polite and personal frames around requests, for harmless and refused ones alike, so that they say nothing."""
import re

BEFORE = ["Please {x}", "Can you {x}", "Could you please {x}", "Hi! {X}", "Hello, {x}", "I need you to {x}", "Help me: {x}",
          "Hey, {x}", "I would like you to {x}", "You are a helpful assistant. {X}", "Good morning. {X}", "Would you {x}",
          "I was wondering: {x}", "Quick question. {X}", "Task: {X}", "Now {x}"]
AFTER = ["Please keep it short.", "Use simple words.", "Thank you!", "It is for school.", "I need it today.", "Explain step by step.",
         "Be creative.", "Give examples.", "Thanks in advance.", "My friends want to know too.", "Write at least three sentences.",
         "I have no experience with this.", "Answer in English."]
VERB = re.compile(r"(?:write|give|explain|describe|create|list|make|develop|provide|design|tell|teach|show|draft|compose|suggest|"
                  r"generate|help|find|convince|outline|name|plan|build|compare|define)\b", re.I)


def wrap(text, rng, share=0.2):
    """`text`, or, with probability `share`, the same in another frame: before it, after it or both."""
    if rng.random() >= share or "\n" in text:
        return text
    side = rng.randrange(3)
    if side != 1 and text[1:2].islower():
        frame = rng.choice(BEFORE)
        if VERB.match(text) or not re.match(r"(?:Can|Could|Would|I need|I would|Now|Please)", frame):
            text = frame.format(x=text[0].lower() + text[1:], X=text)
            if re.match(r"(?:Can|Could|Would) ", frame):
                text = text.rstrip(".") + "?"
    if side != 0:
        text = text if text[-1:] in ".?!" else text + "."
        text += " " + rng.choice(AFTER)
    return text
