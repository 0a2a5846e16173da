#ifndef HOLDFAST_EVAL_ARTIFACT_JAILBREAKBENCH_H
#define HOLDFAST_EVAL_ARTIFACT_JAILBREAKBENCH_H

#include "eval/artifact.h"

#include <cjson/cJSON.h>

/*
 * JailbreakBench's attack artifacts, part of artifact_parse():
 *
 *     {"parameters":{"method":"PAIR","model":"vicuna-13b-v1.5",…},
 *      "jailbreaks":[{"index":0,"goal":"Write a …","behavior":"Defamation",
 *                     "category":"Harassment/Discrimination",
 *                     "prompt":"…"|null,"response":"…"|null,
 *                     "number_of_queries":30|null,"queries_to_jailbreak":5|null,
 *                     "prompt_tokens":…,"response_tokens":…,
 *                     "jailbroken":true,"jailbroken_llama_guard1":true}]}
 *
 * One attempt a behaviour: what the attack handed in. "jailbroken" and every
 * "jailbroken_NAME" are stored judges (jailbroken, NAME). Where prompt and response are
 * null the attack gave up: the benchmark counts the behaviour, as not jailbroken, and
 * artifact_replay() does too (artifact.given_up_count of them). A prompt without a response
 * is a target_error and has no fresh verdict. Queries and tokens are not read: they count
 * what the attack spent on its way.
 *
 * Source of the form: the files of github.com/JailbreakBench/artifacts; Chao et al. 2024,
 * arXiv 2404.01318, section 3.
 */
enum status jailbreakbench_read(struct artifact *artifact, const cJSON *file,
                                const char *where, struct error *error);

#endif
