#include "base/options_private.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct settings {
    char *model;
    char *system_prompt;
    int64_t steps;
    double lr_peak;
    bool packing;
    struct string_list data;
};

static const struct option_entry entries[] = {
    {"model", OPTION_STRING, offsetof(struct settings, model), "DIR", "", NULL},
    {"system_prompt", OPTION_STRING, offsetof(struct settings, system_prompt), "T", "",
     NULL},
    {"steps", OPTION_INTEGER, offsetof(struct settings, steps), "N", "", NULL},
    {"lr-peak", OPTION_NUMBER, offsetof(struct settings, lr_peak), "X", "", NULL},
    {"packing", OPTION_BOOL, offsetof(struct settings, packing), NULL, "", NULL},
    {"data", OPTION_LIST, offsetof(struct settings, data), "FILE", "", NULL},
    {0},
};

static const struct command_line command = {.name = "fuzz", .entries = entries};

/* Reads `count` bytes as a config through a file in memory. */
static enum status read_config(struct settings *settings, const void *bytes, size_t count)
{
    struct error error;
    char path[64];
    const int descriptor = memfd_create("config", MFD_CLOEXEC);
    CHECK(descriptor >= 0 && write(descriptor, bytes, count) == (ssize_t)count);
    snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
    const enum status status = options_read_yaml(&command, settings, path, &error);
    close(descriptor);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is read prints as a config that reads back and prints as the same text. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct settings first = {0}, second = {0};
    struct text_buffer printed = {0}, again = {0};
    if (read_config(&first, data, size) == STATUS_OK) {
        options_print_yaml(&command, &first, &printed);
        CHECK(read_config(&second, printed.data, printed.length) == STATUS_OK);
        options_print_yaml(&command, &second, &again);
        CHECK(strcmp(printed.data, again.data) == 0);
    }
    options_release(&command, &first);
    options_release(&command, &second);
    text_buffer_release(&printed);
    text_buffer_release(&again);
    return 0;
}
