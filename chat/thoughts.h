#ifndef HOLDFAST_CHAT_THOUGHTS_H
#define HOLDFAST_CHAT_THOUGHTS_H

/*
 * What a reasoning model writes before its reply, where nothing took it out: between
 * <think>, <thinking> or [THINK] at the very beginning and the end tag. Some templates put
 * the first tag into the prompt: then an end tag that ends its line ends the thoughts, if
 * no tag opens before it. Thoughts are no reply: they talk of refusing and of answering.
 *
 * Returns where the reply begins, in `text`: its beginning if there are no thoughts, its
 * end if there is nothing else, or the thoughts were cut.
 */
const char *reply_after_thoughts(const char *text);

/* The tag that a prompt ends with, so that the reply begins within thoughts; NULL: none. */
const char *thoughts_opened_by(const char *prompt);

#endif
