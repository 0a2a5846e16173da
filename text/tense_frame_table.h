#ifndef HOLDFAST_TEXT_TENSE_FRAME_TABLE_H
#define HOLDFAST_TEXT_TENSE_FRAME_TABLE_H

#include "text/tense.h"

/*
 * The sentences that a request is put into, with slots:
 *
 *     {do} did, do/does, will      {does} the same for a singular thing
 *     {is} was, is, will be        {are} were, are, will be
 *     {was}…{be} was, is, will … be; {were} the same by the doer's number
 *     {S} the doer      {for} " for DOER" if the request names one
 *     {V} deed, base    {G} deed, gerund   {P} deed, participle   {D} deed, past
 *     {O} object of the passive, {wasO} its verb, {R} participle and rest
 *     {K} kinds of object, {M} the bare verb    {Q} clause as a question
 *     {N} nouns         {T} time, or place and time
 *     {want} wanted, want
 *     {A} somebody to tell of, {he} {him} {his} and {wasA} for that person or those
 */
enum frame_needs {
    NEEDS_DEED = 1,
    NEEDS_CERTAIN = 2, /* an inflected deed */
    NEEDS_PASSIVE = 4,
    NEEDS_KINDS = 8,
    NEEDS_CLAUSE = 16,
    NEEDS_NOUNS = 32,
    WITH_PLACE = 64,
    NEEDS_PLAIN = 128, /* no adverb before the verb */
    TIME_STAYS = 256,  /* the time may not go to the front */
};

struct frame {
    unsigned tenses; /* bits 1 << TENSE_… */
    unsigned needs;
    const char *text;
};

/* The order is part of what a seed means: new frames go to the end. */
extern const struct frame tense_frame_table[];
extern const int tense_frame_count;

enum { TENSE_FRAME_LIMIT = 160 };

#endif
