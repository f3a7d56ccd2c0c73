/* SPDX-License-Identifier: ISC */
/*
 * parser.h - an rc file as a list of statements
 *
 * Nothing is substituted and nothing is run: what a statement says is kept as it
 * stands in the file, cut at the places where procmail would cut it.  A block is
 * the statements between its recipe and the statement that `past` names, so that
 * a block that does not match is one step.
 */
#ifndef LDA_RECIPE_PARSER_H
#define LDA_RECIPE_PARSER_H

#include "lda/recipe/lexer.h"

enum statement_kind {
	S_RECIPE,
	S_ASSIGN,		/* NAME=value */
	S_UNSET,		/* NAME */
	S_CLOSE,		/* } */
	S_GARBAGE,		/* is skipped, and told */
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

/* The first line of a recipe, substituted. */
struct head {
	unsigned	 flags;
	bool		 lock;		/* a second `:` */
	const char	*lockfile;	/* NULL: none is named */
	const char	*left;		/* what is no flag; NULL: all was */
};

struct statement {
	enum statement_kind kind;
	unsigned	 line, column;	/* where it begins, from 1 */
	bool		 unclosed;	/* a quote that the file ends in */
	bool		 stray;		/* S_CLOSE: there is nothing to close */
	const char	*name;		/* S_ASSIGN, S_UNSET; S_GARBAGE: the line */
	struct text	 value;		/* S_ASSIGN */
	/* S_RECIPE */
	struct text	 head;		/* behind the first `:` */
	bool		 fixed;		/* nothing is substituted in it: */
	struct head	 fixed_head;
	char	       **condition;	/* NULL-terminated, without the `*` */
	unsigned	*condition_line;
	bool		 missing;	/* a recipe without action came before it */
	enum action_kind action;
	unsigned	 action_line;
	const char	*capture;	/* VAR=| : VAR; NULL */
	struct text	 text;		/* the action's: S_FOLDER and S_FORWARD */
	const char	*command;	/* ACTION_PIPE */
	size_t		 past;		/* ACTION_BLOCK: the statement after it */
	bool		 has_recipe;	/* ... a recipe is in it */
	bool		 open;		/* ... its } is missing */
};

struct rcfile {
	const char	*name;
	const char	*data;
	size_t		 len;
	struct statement *statement;
	size_t		 n;
};

/*
 * Parse.  data is borrowed: the statements point into it.  Never fails: what
 * cannot be understood is a statement of its own.  Talloc child of ctx.
 */
struct rcfile  *rcfile_parse(TALLOC_CTX *ctx, const char *name,
		    const char *data, size_t len);

/* Understand a recipe's first line, of which w has the words; it is used up. */
void		head_parse(TALLOC_CTX *ctx, const struct words *w,
		    struct head *head);

#endif
