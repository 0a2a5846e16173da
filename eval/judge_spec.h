#ifndef HOLDFAST_EVAL_JUDGE_SPEC_H
#define HOLDFAST_EVAL_JUDGE_SPEC_H

#include "eval/judge.h"
#include "eval/judge_prompt.h"

/*
 * A judge as it stands on the command line:
 *
 *     rules, xstest                    a rule (judge.h)
 *     [NAME=]rating:TARGET             a chat model with a prompt of ours (or safety:,
 *                                      refusal3:)
 *     [NAME=]prompt=FILE:TARGET        … with the prompt of a file (judge_prompt.h)
 *     [NAME=]prompt:TARGET             … with the file of --judge-prompt
 *
 * TARGET is what --model takes: a directory, openai:URL#name or anthropic:URL#name. A judge
 * of a model is called NAME; without one, as its file says, as its file is called, or as
 * its kind. FILE ends before the first ':' up to which it names a file.
 */
struct judge_spec {
    char *name;
    const struct judge *rule; /* NULL: a chat model */
    char *kind;               /* "rating", … "prompt"; NULL: a rule */
    char *target;
    struct judge_prompt prompt;
    bool prompt_is_option; /* the file is that of --judge-prompt */
};

/* Reads the prompt file too. Errors: an unknown form or name, an unreadable or bad file;
 * then nothing is held. `prompt_path` is --judge-prompt, NULL: not given. */
enum status judge_spec_parse(struct judge_spec *spec, const char *text,
                             const char *prompt_path, struct error *error);
void judge_spec_release(struct judge_spec *spec);

#endif
