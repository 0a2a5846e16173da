#ifndef HOLDFAST_CHAT_CHAT_COMMAND_H
#define HOLDFAST_CHAT_CHAT_COMMAND_H

/*
 * `holdfast chat`: with --prompt one reply on stdout; without, a line from stdin is a turn
 * and the conversation is kept until end of file. Returns the exit code.
 */
int chat_command(int argc, char **argv);

#endif
