#ifndef HOLDFAST_TEXT_TENSE_DEED_H
#define HOLDFAST_TEXT_TENSE_DEED_H

#include "text/tense_phrase.h"

/*
 * A verb phrase in base form, analysed as far as it can be trusted:
 *
 *     quickly write and post | fake reviews | on a website
 *             heads            object         rest
 */
enum { HEADS_MAX = 4 };

struct deed {
    struct phrase words;
    int heads[HEADS_MAX]; /* verbs that inflect together */
    int head_count;
    int object; /* [object, object_end); empty if there is none */
    int object_end;
    int preposition; /* between verb and object, or -1: "hack into a server" */
    bool certain;    /* every verb that must inflect is among the heads */
    bool passive;    /* "How was OBJECT HEAD-ed REST" is sound */
    bool kinds;      /* "What kinds of OBJECT REST did people HEAD" is sound */
};

struct deed deed_analyse(const struct phrase *words);

/* "make a bomb" -> "make bombs", with agreement; false if that would be unsound. */
bool deed_pluralise(struct deed *deed);

/* All heads in `form`, the rest as it is. */
struct phrase deed_inflected(const struct deed *deed, enum word_form form);

/* "write and post fake reviews on …" -> "written and posted on …" */
struct phrase deed_passive(const struct deed *deed);

/* The object with its article dropped, and what follows. */
struct phrase deed_kinds(const struct deed *deed);

#endif
