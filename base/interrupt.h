#ifndef HOLDFAST_BASE_INTERRUPT_H
#define HOLDFAST_BASE_INTERRUPT_H

/*
 * What someone reads who stops a long run with Ctrl-C, SIGTERM or SIGHUP: that nothing is
 * lost, and how to go on. The process then ends by the signal, as it would without. Calls
 * nest: of a command within a command (ablate runs eval) the outer one's words stay.
 * Signals that are ignored (nohup) stay ignored. Text that is too long is cut.
 *
 *     interrupt_hint("go on with: holdfast eval --config %s/config.yaml --resume", run);
 *     …
 *     interrupt_clear();
 */
void interrupt_hint(const char *format, ...) __attribute__((format(printf, 1, 2)));
void interrupt_clear(void); /* once for each hint */

#endif
