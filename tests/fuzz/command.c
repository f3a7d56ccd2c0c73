/* SPDX-License-Identifier: ISC */
/*
 * command.c - what the verbs of the command need of admin/main.c, main() under
 * another name
 */
int	command_main(int, char **);

#define main command_main
#include "admin/main.c"
