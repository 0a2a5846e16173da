#include "text/english.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *base, *past, *participle, *gerund, *third;
} conjugations[] = {
    {"write", "wrote", "written", "writing", "writes"},
    {"go", "went", "gone", "going", "goes"},
    {"have", "had", "had", "having", "has"},
    {"do", "did", "done", "doing", "does"},
    {"make", "made", "made", "making", "makes"},
    {"steal", "stole", "stolen", "stealing", "steals"},
    {"teach", "taught", "taught", "teaching", "teaches"},
    {"put", "put", "put", "putting", "puts"},
    {"begin", "began", "begun", "beginning", "begins"},
    {"overthrow", "overthrew", "overthrown", "overthrowing", "overthrows"},
    {"lie", "lay", "lain", "lying", "lies"},
    {"die", "died", "died", "dying", "dies"},
    {"stop", "stopped", "stopped", "stopping", "stops"},
    {"rob", "robbed", "robbed", "robbing", "robs"},
    {"admit", "admitted", "admitted", "admitting", "admits"},
    {"edit", "edited", "edited", "editing", "edits"},
    {"offer", "offered", "offered", "offering", "offers"},
    {"traffic", "trafficked", "trafficked", "trafficking", "traffics"},
    {"carry", "carried", "carried", "carrying", "carries"},
    {"destroy", "destroyed", "destroyed", "destroying", "destroys"},
    {"bake", "baked", "baked", "baking", "bakes"},
    {"dye", "dyed", "dyed", "dyeing", "dyes"},
    {"free", "freed", "freed", "freeing", "frees"},
    {"fix", "fixed", "fixed", "fixing", "fixes"},
    {"bypass", "bypassed", "bypassed", "bypassing", "bypasses"},
    {"launch", "launched", "launched", "launching", "launches"},
    {"kidnap", "kidnapped", "kidnapped", "kidnapping", "kidnaps"},
    {"poison", "poisoned", "poisoned", "poisoning", "poisons"},
    {"quit", "quit", "quit", "quitting", "quits"},
    {"organise", "organised", "organised", "organising", "organises"},
};

static void assert_form(const char *base, enum word_form form, const char *expected)
{
    struct text_buffer text = {0};
    struct word word = word_of(base);
    word.form = form;
    word_append(&text, word);
    assert_string_equal(text_buffer_string(&text), expected);
    text_buffer_release(&text);
}

static void verbs_inflect(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof conjugations / sizeof *conjugations; i++) {
        assert_form(conjugations[i].base, WORD_PAST, conjugations[i].past);
        assert_form(conjugations[i].base, WORD_PARTICIPLE, conjugations[i].participle);
        assert_form(conjugations[i].base, WORD_GERUND, conjugations[i].gerund);
        assert_form(conjugations[i].base, WORD_THIRD, conjugations[i].third);
    }
}

static void assert_base(bool found, const struct verb *verb, const char *base)
{
    assert_true(found);
    assert_true(word_is(verb->base, base));
}

static void verbs_are_recognised(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof conjugations / sizeof *conjugations; i++) {
        struct verb verb;
        const char *base = conjugations[i].base;
        const bool gerund = verb_of_gerund(word_of(conjugations[i].gerund), &verb);
        assert_base(gerund, &verb, base);
        assert_base(verb_of_third(word_of(conjugations[i].third), &verb), &verb, base);
        assert_true(verb_of_past(word_of(conjugations[i].past), &verb));
        assert_true(verb_of_participle(word_of(conjugations[i].participle), &verb));
    }
    struct verb verb;
    assert_base(verb_of_gerund(word_of("travelling"), &verb), &verb, "travel");
    assert_false(verb_of_gerund(word_of("ceiling"), &verb));
    assert_false(verb_of_base(word_of("the"), &verb));
}

/* Whatever letter they begin with. */
static void every_irregular_form_is_recognised(void **state)
{
    (void)state;
    for (int i = 0; i < english_irregular_verb_count; i++) {
        char base[40], past[40], participle[40];
        struct verb verb;
        assert_int_equal(sscanf(english_irregular_verbs[i], "%39s %39s %39[a-z]", base,
                                past, participle),
                         3);
        assert_true(verb_of_past(word_of(past), &verb));
        assert_true(verb_of_participle(word_of(participle), &verb));
    }
    struct verb verb;
    assert_base(verb_of_past(word_of("Went"), &verb), &verb, "go");
    assert_false(verb_of_past(word_of(""), &verb));
}

static void tables_are_sorted(void **state)
{
    (void)state;
    assert_true(english_irregular_verb_count >= 250);
    int regular = 0;
    for (int i = 1; i < english_irregular_verb_count; i++)
        assert_true(strcmp(english_irregular_verbs[i - 1], english_irregular_verbs[i]) < 0);
    for (int letter = 0; letter < 26; letter++)
        for (const char *c = english_regular_verbs[letter]; *c; c++)
            if (*c == ' ' && c[1] != '\0' && c[1] != ' ') {
                assert_int_equal(c[1], 'a' + letter);
                regular++;
            }
    assert_true(regular >= 600);
}

static void nouns_inflect(void **state)
{
    (void)state;
    static const char *const plurals[][2] = {
        {"bomb", "bombs"},      {"city", "cities"},       {"toy", "toys"},
        {"box", "boxes"},       {"person", "people"},     {"child", "children"},
        {"thief", "thieves"},   {"analysis", "analyses"}, {"policeman", "policemen"},
        {"church", "churches"}, {"knife", "knives"},      {"synthesis", "syntheses"},
    };
    for (size_t i = 0; i < sizeof plurals / sizeof *plurals; i++) {
        assert_form(plurals[i][0], WORD_PLURAL, plurals[i][1]);
        assert_true(noun_is_plural(word_of(plurals[i][1])));
        assert_false(noun_is_plural(word_of(plurals[i][0])));
    }
    assert_false(noun_is_plural(word_of("virus")));
    assert_true(noun_is_mass(word_of("ransomware")));
}

static void names_keep_capitals(void **state)
{
    (void)state;
    assert_form("Write", WORD_LOWER, "write");
    assert_form("FBI", WORD_LOWER, "FBI");
    assert_form("iPhone", WORD_LOWER, "iPhone");
    assert_form("U.S.", WORD_LOWER, "U.S.");
    assert_form("I", WORD_LOWER, "I");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verbs_inflect),
        cmocka_unit_test(verbs_are_recognised),
        cmocka_unit_test(every_irregular_form_is_recognised),
        cmocka_unit_test(tables_are_sorted),
        cmocka_unit_test(nouns_inflect),
        cmocka_unit_test(names_keep_capitals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
