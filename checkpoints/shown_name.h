#ifndef HOLDFAST_CHECKPOINTS_SHOWN_NAME_H
#define HOLDFAST_CHECKPOINTS_SHOWN_NAME_H

/*
 * A name out of an untrusted file, fit to be shown on a terminal: control characters
 * become '?', and what is longer than 95 bytes is cut between characters and ends in
 * "...". Returned by value, so that a call may stand inside an error_set().
 */
struct shown_name {
    char text[100];
};
struct shown_name show_name(const char *name);

#endif
