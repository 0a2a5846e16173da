#ifndef HOLDFAST_EVAL_REPORT_COMMAND_H
#define HOLDFAST_EVAL_REPORT_COMMAND_H

/* `holdfast report RUN… --out report.html`; argv[0] is "report". Returns an exit code. */
int report_command(int argc, char **argv);

#endif
