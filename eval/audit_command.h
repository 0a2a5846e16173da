#ifndef HOLDFAST_EVAL_AUDIT_COMMAND_H
#define HOLDFAST_EVAL_AUDIT_COMMAND_H

/*
 * `holdfast audit leak`: whether requests of evaluation lists stand in training files
 * (data_gen/leak.h). Exit code 100 if any does, 0 if none or with --report-only.
 *
 * --json prints
 *
 *     {"threshold",
 *      "train":[{"path","sha256","rows","unread"}],
 *      "eval":[{"name","path","sha256","requests","leaked","rate","ci95":[,]}],
 *      "modes":{MODE:{"leaked","n","rate","ci95":[,],"training_rows","training_rate",
 *                     "training_ci95":[,]},…,"any":{…}},
 *      "leaks":[{"list","index","line","request",
 *                "modes":{MODE:{"score","training_rows","file","line","text"}}}]}
 *
 * with the modes that were looked at, a rate's n being requests, a training_rate's rows.
 */
int audit_command(int argc, char **argv);

#endif
