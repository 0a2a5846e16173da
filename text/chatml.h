#ifndef HOLDFAST_TEXT_CHATML_H
#define HOLDFAST_TEXT_CHATML_H

#include "base/error.h"

#include <stdbool.h>

/*
 * The ChatML family: what a template of it does beyond
 *
 *     <|im_start|>ROLE\nCONTENT<|im_end|>\n … <|im_start|>assistant\n
 *
 * All strings are literal text; "" where there is none.
 */
struct chatml_form {
    const char *head;          /* before everything; behind it the bos token if bos */
    const char *before_turn;   /* before each <|im_start|> */
    const char *after_turn;    /* after the newline behind each <|im_end|> */
    const char *after_turns;   /* behind the last turn */
    const char *before_prompt; /* around the generation prompt */
    const char *after_prompt;
    const char *after_bos;
    bool bos;       /* starts with the bos token */
    bool strip;     /* content without white space at its ends */
    bool alternate; /* roles other than user/assistant/user/… are refused */
    char *system;   /* default system turn if the first message is none; NULL: none */
};

/*
 * Recognises a template's text. Fails with STATUS_UNSUPPORTED and a message that says
 * what it looks like. Release frees what recognising allocated.
 */
enum status chatml_recognize(struct chatml_form *form, const char *source,
                             struct error *error);
void chatml_form_release(struct chatml_form *form);

#endif
