#ifndef HOLDFAST_TRAIN_INSPECT_H
#define HOLDFAST_TRAIN_INSPECT_H

/*
 * `holdfast inspect tokens|template|mask|logits|gradients|tense`: what holdfast sees of a
 * model or a text, as JSON, npy or safetensors, so that anyone can hold it against
 * transformers. Returns the exit code.
 */
int inspect_command(int argc, char **argv);

#endif
