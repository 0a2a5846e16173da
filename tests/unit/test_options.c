#include "base/options.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/options_private.h"

#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
    {"model", OPTION_STRING, offsetof(struct settings, model), "DIR",
     "Model directory to start from", "Model"},
    {"note", OPTION_STRING, offsetof(struct settings, note), "TEXT", "A remark", NULL},
    {"steps", OPTION_INTEGER, offsetof(struct settings, steps), "N", "Number of steps",
     "Training"},
    {"lr_peak", OPTION_NUMBER, offsetof(struct settings, lr_peak), "X",
     "Peak learning rate, which is reached after the warmup and then falls along the "
     "schedule "
     "that was chosen",
     NULL},
    {"packing", OPTION_BOOL, offsetof(struct settings, packing), NULL, "Pack documents",
     NULL},
    {"data", OPTION_LIST, offsetof(struct settings, data), "FILE", "Training files", NULL},
    {0},
};

static const struct command_line command = {
    .name = "holdfast train",
    .summary = "Fine-tunes a model.",
    .examples = "  holdfast train --model DIR --steps 10\n",
    .positional = "RUN…",
    .entries = entries,
};

static struct error error;
static struct settings settings;
static struct string_list positional;
static bool help_shown;
static char config_path[] = "/tmp/holdfast-test-options-XXXXXX";

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
    string_list_release(&positional);
    return 0;
}

static int make_config(void **state)
{
    (void)state;
    return close(mkstemp(config_path));
}

static int remove_config(void **state)
{
    (void)state;
    return unlink(config_path);
}

/* Parses the words of `text`, separated by single spaces, as a command line. */
static enum status parse(const char *text)
{
    char *words = memory_duplicate_string(text);
    char *argv[32] = {words};
    char name[] = "train";
    int argc = 1;
    argv[0] = name;
    for (char *word = strtok(words, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    const enum status status =
        options_parse(&command, argc, argv, &settings, &positional, &help_shown, &error);
    free(words);
    return status;
}

static void write_config(const char *text)
{
    assert_int_equal(file_write_all(config_path, text, strlen(text), &error), STATUS_OK);
}

static enum status parse_config(const char *text)
{
    struct text_buffer line = {0};
    write_config(text);
    text_buffer_appendf(&line, "--config %s", config_path);
    const enum status status = parse(line.data);
    text_buffer_release(&line);
    return status;
}

static void assert_usage(enum status status, const char *message)
{
    assert_int_equal(status, STATUS_USAGE);
    assert_string_equal(error.message, message);
}

/* The config's path goes before `message`. */
static void assert_config_rejected(const char *text, const char *message)
{
    struct text_buffer expected = {0};
    text_buffer_appendf(&expected, "%s: %s", config_path, message);
    assert_usage(parse_config(text), expected.data);
    text_buffer_release(&expected);
}

static void assert_list(const struct string_list *list, size_t count, const char *joined)
{
    struct text_buffer text = {0};
    for (size_t i = 0; i < list->count; i++)
        text_buffer_appendf(&text, "%s%s", i > 0 ? "|" : "", list->items[i]);
    assert_string_equal(text_buffer_string(&text), joined);
    assert_int_equal(list->count, count);
    text_buffer_release(&text);
}

static void nothing_given_leaves_the_defaults(void **state)
{
    (void)state;
    assert_int_equal(parse(""), STATUS_OK);
    assert_false(help_shown);
    assert_string_equal(settings.model, "base");
    assert_null(settings.note);
    assert_int_equal(settings.steps, 100);
    assert_list(&settings.data, 1, "default.jsonl");
    assert_int_equal(positional.count, 0);
}

static void options_of_every_type_are_set(void **state)
{
    (void)state;
    assert_int_equal(
        parse("--model m --note=a=b --steps -7 --lr-peak 1e-3 --no-packing run1 "
              "--data a.jsonl run2"),
        STATUS_OK);
    assert_string_equal(settings.model, "m");
    assert_string_equal(settings.note, "a=b");
    assert_int_equal(settings.steps, -7);
    assert_true(settings.lr_peak == 1e-3);
    assert_false(settings.packing);
    assert_list(&settings.data, 1, "a.jsonl");
    assert_list(&positional, 2, "run1|run2");
}

static void underscores_overrides_and_booleans_have_several_spellings(void **state)
{
    (void)state;
    assert_int_equal(parse("--lr_peak 3"), STATUS_OK);
    assert_true(settings.lr_peak == 3);
    assert_int_equal(parse("lr-peak=4 packing=off"), STATUS_OK);
    assert_true(settings.lr_peak == 4);
    assert_false(settings.packing);
    assert_int_equal(parse("lr_peak=inf --packing"), STATUS_OK);
    assert_true(isinf(settings.lr_peak));
    assert_true(settings.packing);
    assert_int_equal(parse("--packing=false"), STATUS_OK);
    assert_false(settings.packing);
}

static void the_last_one_counts(void **state)
{
    (void)state;
    assert_int_equal(parse("--steps 1 steps=2"), STATUS_OK);
    assert_int_equal(settings.steps, 2);
    assert_int_equal(parse("steps=2 --steps 3"), STATUS_OK);
    assert_int_equal(settings.steps, 3);
    assert_int_equal(parse("--packing --no-packing"), STATUS_OK);
    assert_false(settings.packing);
}

static void lists_repeat_and_split_at_commas(void **state)
{
    (void)state;
    assert_int_equal(parse("--data a,b --data c data=d\\,e"), STATUS_OK);
    assert_list(&settings.data, 4, "a|b|c|d,e");
    assert_int_equal(parse("--data x"), STATUS_OK); /* a new command line starts anew */
    assert_list(&settings.data, 1, "x");
    assert_int_equal(parse("data="), STATUS_OK);
    assert_list(&settings.data, 0, "");
    assert_usage(parse("--data a,,b"), "--data: 'a,,b' has an empty item");
    assert_usage(parse("data=a,"), "data: 'a,' has an empty item");
    assert_usage(parse("--data="),
                 "--data: is empty: leave it out, or write data= for none");
}

static void positional_arguments_may_look_like_anything_after_dashes(void **state)
{
    (void)state;
    assert_int_equal(parse("./a=b - -- --steps"), STATUS_OK);
    assert_list(&positional, 3, "./a=b|-|--steps");
}

static void unknown_options_get_the_nearest_name(void **state)
{
    (void)state;
    assert_usage(parse("--setps 3"), "unknown option '--setps'; did you mean --steps?");
    assert_usage(parse("--lr-paek=3"),
                 "unknown option '--lr-paek'; did you mean --lr-peak?");
    assert_usage(parse("stesp=3"), "unknown setting 'stesp'; did you mean steps?");
    assert_usage(parse("lr=3"), "unknown setting 'lr'; 'holdfast train --help' lists them");
    assert_usage(parse("--zzzzzz"),
                 "unknown option '--zzzzzz'; 'holdfast train --help' lists them");
    assert_usage(parse("-x"), "unknown option '-x'; 'holdfast train --help' lists them");
    assert_int_equal(settings.steps, 100); /* nothing was changed */
}

static void values_must_be_there_or_not(void **state)
{
    (void)state;
    assert_usage(parse("--steps"), "--steps needs a value");
    assert_usage(parse("--config"), "--config needs a value");
    assert_usage(parse("--no-packing=x"), "--no-packing takes no value");
    assert_usage(parse("--help=x"), "--help takes no value");
    assert_usage(parse("--packing=maybe"), "--packing: 'maybe' is neither true nor false");
}

static void numbers_are_strict(void **state)
{
    (void)state;
    assert_usage(parse("--steps 10x"), "--steps: '10x' is not a whole number");
    assert_usage(parse("--steps 1e3"), "--steps: '1e3' is not a whole number");
    assert_usage(parse("--steps="), "--steps: '' is not a whole number");
    assert_usage(parse("steps=9223372036854775808"),
                 "steps: '9223372036854775808' is out of range; the largest is "
                 "9223372036854775807");
    assert_usage(parse("--lr-peak 1,5"),
                 "--lr-peak: '1,5' is not a number, or out of range");
    assert_usage(parse("--lr-peak nan"),
                 "--lr-peak: 'nan' is not a number, or out of range");
    assert_usage(parse("--lr-peak 1e999"),
                 "--lr-peak: '1e999' is not a number, or out of range");
}

static void commands_without_positional_arguments_refuse_them(void **state)
{
    (void)state;
    char name[] = "train", word[] = "steps";
    char *argv[] = {name, word, NULL};
    assert_usage(options_parse(&command, 2, argv, &settings, NULL, &help_shown, &error),
                 "unexpected argument 'steps'; write --name steps or name=steps");
}

static void configs_set_every_type(void **state)
{
    (void)state;
    assert_int_equal(parse_config("# a comment\n"
                                  "model: \"C:\\\\x # y\"\n"
                                  "note: 'it''s'\n"
                                  "steps: 5\n"
                                  "lr-peak: 1.5e-4   # both spellings\n"
                                  "packing: no\n"
                                  "data: [a.jsonl, \"b, c\"]\n"),
                     STATUS_OK);
    assert_string_equal(settings.model, "C:\\x # y");
    assert_string_equal(settings.note, "it's");
    assert_int_equal(settings.steps, 5);
    assert_true(settings.lr_peak == 1.5e-4);
    assert_false(settings.packing);
    assert_list(&settings.data, 2, "a.jsonl|b, c");
}

static void configs_may_be_empty_flow_or_block(void **state)
{
    (void)state;
    assert_int_equal(parse_config(""), STATUS_OK);
    assert_int_equal(parse_config("# nothing\n---\n"), STATUS_OK);
    assert_int_equal(settings.steps, 100);
    assert_int_equal(parse_config("{steps: 6, data: []}"), STATUS_OK);
    assert_int_equal(settings.steps, 6);
    assert_list(&settings.data, 0, "");
    assert_int_equal(parse_config("---\nnote: |\n  steps: 9\n  b\ndata:\n  - x\n  - y\n"),
                     STATUS_OK);
    assert_string_equal(settings.note, "steps: 9\nb\n");
    assert_int_equal(settings.steps, 6);
    assert_list(&settings.data, 2, "x|y");
}

static void null_unsets_texts_numbers_and_lists(void **state)
{
    (void)state;
    assert_int_equal(parse_config("model: null\nlr_peak: ~\ndata: null\nnote: 'null'\n"),
                     STATUS_OK);
    assert_null(settings.model);
    assert_true(isnan(settings.lr_peak));
    assert_list(&settings.data, 0, "");
    assert_string_equal(settings.note, "null");
    assert_int_equal(parse_config("note:\nmodel: \"\"\n"), STATUS_OK);
    assert_null(settings.note);
    assert_string_equal(settings.model, "");
    assert_config_rejected("steps: null\n", "line 1: steps: 'null' is not a whole number");
}

static void the_command_line_counts_more_than_the_config(void **state)
{
    (void)state;
    struct text_buffer line = {0};
    write_config("steps: 5\nnote: from config\ndata: [a, b]\n");
    text_buffer_appendf(&line, "--steps 6 --data c --config %s", config_path);
    assert_int_equal(parse(line.data), STATUS_OK);
    assert_int_equal(settings.steps, 6);
    assert_string_equal(settings.note, "from config");
    assert_list(&settings.data, 1, "c");
    text_buffer_release(&line);
}

static void config_errors_name_file_line_and_key(void **state)
{
    (void)state;
    assert_config_rejected(
        "steps: 1\n\nsetps: 2\n",
        "line 3: setps is no setting of holdfast train; did you mean steps?");
    assert_config_rejected("zzzzzzz: 2\n",
                           "line 1: zzzzzzz is no setting of holdfast train");
    assert_config_rejected("steps: 1\n\"zzzzzzz\" : [1]\n",
                           "line 2: zzzzzzz is no setting of holdfast train");
    assert_config_rejected("model: x\nsteps: 5 apples\n",
                           "line 2: steps: '5 apples' is not a whole number");
    assert_config_rejected("steps: 010x\n", "line 1: steps: '010x' is not a whole number");
    assert_config_rejected("packing: ture\n",
                           "line 1: packing: 'ture' is neither true nor false");
    assert_config_rejected("steps: 1\nmodel: x\nsteps: 2\n",
                           "line 3: steps is given twice");
    assert_config_rejected("lr_peak: 1\nlr-peak: 2\n", "line 2: lr-peak is given twice");
    assert_config_rejected("model: [a]\n",
                           "line 1: model takes one plain value, no list and no mapping");
    assert_config_rejected("steps: 1\nmodel:\n  steps: 2\n",
                           "line 2: model takes one plain value, no list and no mapping");
    assert_config_rejected("data: x\n",
                           "line 1: data takes a list of plain values: [a, b]");
    assert_config_rejected("data: [[x]]\n",
                           "line 1: data takes a list of plain values: [a, b]");
}

static void malformed_yaml_is_reported(void **state)
{
    (void)state;
    assert_config_rejected("[a, b]\n", "lines of the form 'name: value' are expected");
    assert_config_rejected("just words\n", "lines of the form 'name: value' are expected");
    assert_config_rejected("? [a]\n: b\n", "lines of the form 'name: value' are expected");
    assert_config_rejected("a: &x 1\nsteps: *x\n",
                           "line 1: a is no setting of holdfast train");
    assert_config_rejected("note: &x 1\nsteps: *x\n",
                           "aliases (*name) are not supported; write the value out");
    assert_config_rejected("steps: 1\n---\nsteps: 2\n",
                           "holds more than one YAML document");
    assert_int_equal(parse_config("steps: 1\nmodel: \"x\nnote: y\n"), STATUS_USAGE);
    assert_non_null(
        strstr(error.message, ": near line 2: malformed YAML: found unexpected end"));
    assert_int_equal(parse_config("model: \xFF\n"), STATUS_USAGE);
    assert_non_null(strstr(error.message, "malformed YAML"));
    assert_int_equal(parse("--config /no/such.yaml"), STATUS_IO);
    assert_string_equal(error.message,
                        "/no/such.yaml: cannot open: No such file or directory");
}

static void assert_same_settings(const struct settings *a, const struct settings *b)
{
    const char *const texts[][2] = {{a->model, b->model}, {a->note, b->note}};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(texts[i][0] == NULL, texts[i][1] == NULL);
        if (texts[i][0])
            assert_string_equal(texts[i][0], texts[i][1]);
    }
    assert_true(a->steps == b->steps);
    assert_memory_equal(&a->lr_peak, &b->lr_peak, sizeof a->lr_peak);
    assert_int_equal(a->packing, b->packing);
    assert_int_equal(a->data.count, b->data.count);
    for (size_t i = 0; i < a->data.count; i++)
        assert_string_equal(a->data.items[i], b->data.items[i]);
}

/* Prints the settings, reads them over the defaults, and compares. */
static void assert_reads_back(const struct settings *written)
{
    struct text_buffer text = {0};
    options_print_yaml(&command, written, &text);
    assert_int_equal(parse_config(text.data), STATUS_OK);
    assert_same_settings(written, &settings);
    text_buffer_release(&text);
}

static void resolved_settings_read_back_identically(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "null",
                                        "~",
                                        "yes",
                                        "1",
                                        "- a",
                                        "a: b",
                                        "# c",
                                        " x ",
                                        "\"q\"",
                                        "it's",
                                        "back\\sl",
                                        "line\nbreak\n",
                                        "\ttab",
                                        "{a}",
                                        "[a]",
                                        "*x",
                                        "&x",
                                        "!tag",
                                        "%x",
                                        "@x",
                                        "\x01",
                                        "\x7F",
                                        "\xC2\x85",
                                        "\xE2\x80\xA8",
                                        "\xEF\xBB\xBF",
                                        "\xC3\xA9\xE4\xB8\xAD\xF0\x9F\x98\x80"};
    static const double numbers[] = {0,   -0.0,   1e-5,     2e300,
                                     0.1, 5e-324, HUGE_VAL, -HUGE_VAL};
    struct settings written = {.model = NULL, .steps = INT64_MIN};
    assert_reads_back(&written);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        free(written.note);
        written.note = memory_duplicate_string(texts[i]);
        string_list_add(&written.data, texts[i]);
        written.lr_peak = numbers[i % 8];
        written.packing = i % 2 == 0;
        assert_reads_back(&written);
    }
    options_release(&command, &written);
    assert_null(written.note);
    assert_int_equal(written.data.count, 0);
}

static void resolved_settings_are_plain_yaml(void **state)
{
    (void)state;
    struct text_buffer text = {0};
    string_list_add(&settings.data, "b.jsonl");
    options_print_yaml(&command, &settings, &text);
    assert_string_equal(text.data, "model: \"base\"\n"
                                   "note: null\n"
                                   "steps: 100\n"
                                   "lr_peak: 2.0e-05\n" /* "2e-05" is text to PyYAML */
                                   "packing: true\n"
                                   "data: [\"default.jsonl\", \"b.jsonl\"]\n");
    text_buffer_release(&text);
}

static void single_settings_are_set(void **state)
{
    (void)state;
    assert_int_equal(options_set(&command, &settings, "lr-peak", "0.5", &error), STATUS_OK);
    assert_true(settings.lr_peak == 0.5);
    assert_int_equal(options_set(&command, &settings, "data", "a,b", &error), STATUS_OK);
    assert_list(&settings.data, 2, "a|b");
    assert_usage(options_set(&command, &settings, "step", "1", &error),
                 "unknown setting 'step'; did you mean steps?");
    assert_usage(options_set(&command, &settings, "steps", "x", &error),
                 "steps: 'x' is not a whole number");
}

static void help_is_laid_out_within_92_columns(void **state)
{
    (void)state;
    struct text_buffer text = {0};
    options_append_help(&command, &settings, &text);
    assert_string_equal(
        text.data,
        "Usage: holdfast train [--name VALUE | name=VALUE]… RUN…\n"
        "\n"
        "Fine-tunes a model.\n"
        "\n"
        "Model:\n"
        "  --model DIR                 Model directory to start from (default: base)\n"
        "  --note TEXT                 A remark\n"
        "\n"
        "Training:\n"
        "  --steps N                   Number of steps (default: 100)\n"
        "  --lr-peak X                 Peak learning rate, which is reached after the "
        "warmup "
        "and then\n"
        "                              falls along the schedule that was chosen (default: "
        "2e-05)\n"
        "  --[no-]packing              Pack documents (default: yes)\n"
        "  --data FILE[,…]             Training files (default: default.jsonl)\n"
        "\n"
        "Always there:\n"
        "  --config FILE               Read settings from a YAML file of 'name: value' "
        "lines; "
        "what\n"
        "                              the command line says counts more\n"
        "  -h, --help                  Show this help\n"
        "\n"
        "Examples:\n"
        "  holdfast train --model DIR --steps 10\n");
    text_buffer_release(&text);
}

static void words_too_long_for_the_help_are_broken(void **state)
{
    (void)state;
    struct text_buffer text = {0};
    free(settings.model);
    settings.model = memory_allocate(301);
    memset(settings.model, 'x', 300);
    options_append_help(&command, &settings, &text);
    struct line_reader lines = {.data = text.data, .bytes = text.length};
    while (line_next(&lines)) {
        size_t columns = 0;
        for (size_t i = 0; i < lines.line_bytes; i++)
            columns += ((unsigned char)lines.line[i] & 0xC0) != 0x80;
        assert_true(columns <= 92);
    }
    text_buffer_release(&text);
}

static void help_goes_to_stdout(void **state)
{
    (void)state;
    char path[] = "/tmp/holdfast-test-help-XXXXXX";
    struct text_buffer shown = {0}, expected = {0};
    fflush(stdout);
    const int kept = dup(STDOUT_FILENO);
    const int file = mkstemp(path);
    dup2(file, STDOUT_FILENO);
    const enum status status = parse("--steps 3 --help");
    fflush(stdout);
    dup2(kept, STDOUT_FILENO);
    close(kept);
    close(file);
    assert_int_equal(status, STATUS_OK);
    assert_true(help_shown);
    options_append_help(&command, &settings, &expected);
    assert_int_equal(file_read(&shown, path, 0, &error), STATUS_OK);
    assert_string_equal(shown.data, expected.data);
    assert_int_equal(settings.steps, 100); /* the defaults are what it shows */
    unlink(path);
    text_buffer_release(&shown);
    text_buffer_release(&expected);
}

#define WITH_DEFAULTS(test) cmocka_unit_test_setup_teardown(test, set_defaults, release)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DEFAULTS(nothing_given_leaves_the_defaults),
        WITH_DEFAULTS(options_of_every_type_are_set),
        WITH_DEFAULTS(underscores_overrides_and_booleans_have_several_spellings),
        WITH_DEFAULTS(the_last_one_counts),
        WITH_DEFAULTS(lists_repeat_and_split_at_commas),
        WITH_DEFAULTS(positional_arguments_may_look_like_anything_after_dashes),
        WITH_DEFAULTS(unknown_options_get_the_nearest_name),
        WITH_DEFAULTS(values_must_be_there_or_not),
        WITH_DEFAULTS(numbers_are_strict),
        WITH_DEFAULTS(commands_without_positional_arguments_refuse_them),
        WITH_DEFAULTS(configs_set_every_type),
        WITH_DEFAULTS(configs_may_be_empty_flow_or_block),
        WITH_DEFAULTS(null_unsets_texts_numbers_and_lists),
        WITH_DEFAULTS(the_command_line_counts_more_than_the_config),
        WITH_DEFAULTS(config_errors_name_file_line_and_key),
        WITH_DEFAULTS(malformed_yaml_is_reported),
        WITH_DEFAULTS(resolved_settings_read_back_identically),
        WITH_DEFAULTS(resolved_settings_are_plain_yaml),
        WITH_DEFAULTS(single_settings_are_set),
        WITH_DEFAULTS(help_is_laid_out_within_92_columns),
        WITH_DEFAULTS(words_too_long_for_the_help_are_broken),
        WITH_DEFAULTS(help_goes_to_stdout),
    };
    return cmocka_run_group_tests(tests, make_config, remove_config);
}
