#ifndef HOLDFAST_TRAIN_MERGE_COMMAND_H
#define HOLDFAST_TRAIN_MERGE_COMMAND_H

/*
 * `holdfast merge --model DIR --adapter DIR --out DIR`: a LoRA adapter folded into the
 * weights, in fp32, rounded once to --save-dtype. Returns the exit code.
 */
int merge_command(int argc, char **argv);

#endif
