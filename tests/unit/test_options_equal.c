#include "base/memory.h"
#include "base/options.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct settings {
    char *model;
    char *note;
    int64_t steps;
    double lr_peak;
    bool packing;
    struct string_list data;
};

static const struct option_entry entries[] = {
    {"model", OPTION_STRING, offsetof(struct settings, model), "DIR", "", "Model"},
    {"note", OPTION_STRING, offsetof(struct settings, note), "TEXT", "", NULL},
    {"steps", OPTION_INTEGER, offsetof(struct settings, steps), "N", "", NULL},
    {"lr_peak", OPTION_NUMBER, offsetof(struct settings, lr_peak), "X", "", NULL},
    {"packing", OPTION_BOOL, offsetof(struct settings, packing), NULL, "", NULL},
    {"data", OPTION_LIST, offsetof(struct settings, data), "FILE", "", NULL},
    {0},
};
static const struct command_line command = {.name = "holdfast test", .entries = entries};

static struct error error;
static struct settings settings;

static int set_defaults(void **state)
{
    (void)state;
    settings = (struct settings){.steps = 100, .lr_peak = 2e-5, .packing = true};
    settings.model = memory_duplicate_string("base");
    string_list_add(&settings.data, "default.jsonl");
    return 0;
}

static int release(void **state)
{
    (void)state;
    options_release(&command, &settings);
    return 0;
}

/* With one option set, that one is named; with none, all are equal. */
static void unused(const char *name, const char *value)
{
    const char *const names[] = {"model",   "note", "steps", "lr_peak",
                                 "packing", "data", NULL};
    struct settings defaults = settings;
    settings = (struct settings){
        .steps = defaults.steps, .lr_peak = defaults.lr_peak, .packing = defaults.packing};
    settings.model = memory_duplicate_string(defaults.model);
    string_list_add(&settings.data, "default.jsonl");
    assert_int_equal(options_check_equal(&command, &settings, &defaults, names,
                                         "is for something else", &error),
                     STATUS_OK);
    assert_int_equal(options_set(&command, &settings, name, value, &error), STATUS_OK);
    struct text_buffer message = {0};
    text_buffer_appendf(&message, "--%s is for something else", name);
    assert_int_equal(options_check_equal(&command, &settings, &defaults, names,
                                         "is for something else", &error),
                     STATUS_USAGE);
    assert_string_equal(error.message, text_buffer_string(&message));
    text_buffer_release(&message);
    options_release(&command, &settings);
    settings = defaults;
}

static void options_that_would_do_nothing_are_named(void **state)
{
    (void)state;
    unused("model", "other");
    unused("note", "");
    unused("steps", "101");
    unused("lr_peak", "2.0000001e-5");
    unused("packing", "false");
    unused("data", "default.jsonl,more.jsonl");
    unused("data", "other.jsonl");
    settings.lr_peak = (double)NAN; /* not given */
    unused("lr_peak", "1");
    const char *const other[] = {"model", NULL};
    struct settings defaults = settings;
    settings.steps = 1;
    assert_int_equal(options_check_equal(&command, &settings, &defaults, other, "", &error),
                     STATUS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(options_that_would_do_nothing_are_named,
                                        set_defaults, release),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
