#include "eval/eval_command.h"

#include "base/log.h"

#include <stdio.h>

int eval_command(int argc, char **argv)
{
    struct eval_options options;
    struct text_buffer shown = {0};
    struct error error = {0};
    bool help_shown = false;
    eval_options_defaults(&options);
    enum status status =
        options_parse(&eval_command_line, argc, argv, &options, NULL, &help_shown, &error);
    if (!status && !help_shown)
        status = eval_options_check(&options, &error);
    if (!status && !help_shown)
        status = eval_run_showing(&options, &shown, &error);
    fputs(text_buffer_string(&shown), stdout);
    fflush(stdout);
    if (status)
        log_error("%s", error.message);
    text_buffer_release(&shown);
    options_release(&eval_command_line, &options);
    return status_exit_code(status);
}
