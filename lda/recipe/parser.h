/* SPDX-License-Identifier: ISC */
/*
 * parser.h - an rc file as a list of statements
 *
 * Nothing is substituted and nothing is run: a statement is kept as it stands
 * in the file, cut at the places where procmail would cut it.  A block is the
 * statements between its recipe and the statement whose index is `past`, so
 * that a block that does not match is passed in one step.
 *
 * Source: procmailrc(5), Format; procmail 3.22 src/procmail.c, mainloop().
 */
#ifndef LDA_RECIPE_PARSER_H
#define LDA_RECIPE_PARSER_H

#include "lda/recipe/lexer.h"

enum statement_kind {
	S_RECIPE,
	S_ASSIGN,		/* NAME=value */
	S_UNSET,		/* NAME */
	S_CLOSE,		/* } */
	S_GARBAGE,		/* is skipped, and reported */
};

enum action_kind {
	ACTION_FOLDER,
	ACTION_PIPE,		/* | command */
	ACTION_FORWARD,		/* ! addresses */
	ACTION_BLOCK,		/* { */
	ACTION_NONE,		/* the file ends: incomplete */
};

enum flag {			/* of a recipe; bits */
	FLAG_H = 1 << 0, FLAG_B = 1 << 1, FLAG_D = 1 << 2, FLAG_A = 1 << 3,
	FLAG_a = 1 << 4, FLAG_h = 1 << 5, FLAG_b = 1 << 6, FLAG_f = 1 << 7,
	FLAG_c = 1 << 8, FLAG_w = 1 << 9, FLAG_W = 1 << 10, FLAG_i = 1 << 11,
	FLAG_E = 1 << 12, FLAG_e = 1 << 13, FLAG_r = 1 << 14,
};

/* The first line of a recipe, after substitution. */
struct head {
	unsigned	 flags;
	bool		 lock;		/* a second `:` */
	const char	*lockfile;	/* NULL: none is named */
	const char	*left;		/* the rest, no flags; NULL: none */
};

struct statement {
	enum statement_kind kind;
	unsigned	 line, column;	/* where it begins, from 1 */
	bool		 unclosed;	/* the file ends within a quote */
	bool		 stray;		/* S_CLOSE: no block is open */
	const char	*name;		/* S_ASSIGN, S_UNSET; S_GARBAGE: line */
	struct text	 value;		/* S_ASSIGN */
	/* S_RECIPE */
	struct text	 head;		/* after the first `:` */
	bool		 fixed;		/* nothing is substituted in it */
	struct head	 fixed_head;
	char	       **condition;	/* NULL-terminated, without the `*` */
	unsigned	*condition_line;
	bool		 missing;	/* it has no action: the next recipe
					   begins */
	enum action_kind action;
	unsigned	 action_line;
	const char	*capture;	/* VAR=| : VAR; NULL */
	struct text	 text;		/* ACTION_FOLDER, ACTION_FORWARD */
	const char	*command;	/* ACTION_PIPE */
	size_t		 past;		/* ACTION_BLOCK: index after it */
	bool		 has_recipe;	/* ... a recipe is in it */
	bool		 open;		/* ... its } is missing */
};

struct rcfile {
	const char	*name;
	const char	*data;		/* borrowed */
	size_t		 len;
	struct statement *statement;
	size_t		 n;		/* number of statements */
};

/*
 * Parse data[0 .. len), of the file `name`; talloc child of ctx.  data is
 * borrowed: the statements point into it.  Never fails: what cannot be
 * understood is a statement of its own.
 */
struct rcfile  *rcfile_parse(TALLOC_CTX *ctx, const char *name,
		    const char *data, size_t len);

/*
 * Parse the words w of a recipe's first line, without its `:`.  The strings of
 * *head are children of ctx.
 */
void		head_parse(TALLOC_CTX *ctx, const struct words *w,
		    struct head *head);

#endif
