/* SPDX-License-Identifier: ISC */
/*
 * options.h - the command's line: options by tables, and the operands
 *
 * `--name VALUE` and `--name=VALUE` alike, anywhere on the line; `--` ends the
 * options; `-` alone is an operand.  What no table has is refused by name.
 */
#ifndef ADMIN_OPTIONS_H
#define ADMIN_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>
#include <talloc.h>

#include "maps/base/err.h"

#define OPTION_VALUES	2		/* at most, of one option */

/* A row; a table ends with a row without a name. */
struct option {
	const char	*name;		/* without its `--` */
	const char	*values;	/* "SECONDS", "BEGIN END"; NULL: none */
	const char	*meaning;	/* for --help */
	char		 letter;	/* `-h` for --help; 0: none */
};

/* What a line says.  Operands and values are the words of argv. */
struct cmdline {
	int		 argc;
	char		**argv;		/* the operands, NULL-terminated */
	struct given	*given;		/* private: options, in their order */
	unsigned	 ngiven;
};

/* The place of the first operand, which is the verb; argc: there is none.  The
 * options before it are those of table. */
int		cmdline_first(int argc, char **argv,
		    const struct option *table);

/*
 * Read a line.
 *
 * argv    argc words, without the program's name.
 * tables  NULL-terminated.
 * line    its arrays are talloc children of ctx.
 *
 * ST_NEVER  an option that no table has, one without its values, a flag with
 *           one.
 */
enum status	cmdline_parse(TALLOC_CTX *ctx, int argc, char **argv,
		    const struct option *const *tables, struct cmdline *line,
		    struct err *err) MUST_CHECK;

/* Was it given?  Of an option given twice the last counts. */
bool		cmdline_has(const struct cmdline *line, const char *name);

/* A value of an option, i from 0; NULL: the option was not given. */
const char     *cmdline_value(const struct cmdline *line, const char *name,
		    unsigned i);

/* The first value each time the option was given; *at begins as 0.  NULL: there
 * are no more. */
const char     *cmdline_next(const struct cmdline *line, const char *name,
		    unsigned *at);

/* Print a table as --help does: a line for each option. */
void		options_print(FILE *out, const struct option *table);

/* Print ` [--name VALUE]` for each; `*column` is where the line has got to. */
void		options_usage(FILE *out, const struct option *table,
		    int *column);

#endif
