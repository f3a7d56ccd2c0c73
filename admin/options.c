/* SPDX-License-Identifier: ISC */
/*
 * options.c - the command's line: options by tables, and the operands
 */
#include "admin/options.h"

#include <string.h>

#define WIDTH		79		/* of what is printed */
#define MARGIN		7		/* below `usage: ` */
#define MEANING		24		/* the column where a meaning begins */

struct given {
	const struct option	*option;
	const char		*value[OPTION_VALUES];
};

static unsigned
count_values(const struct option *o)
{
	return o->values == NULL ? 0 : strchr(o->values, ' ') == NULL ? 1 : 2;
}

/* The row for `--name`, `--name=...` or `-letter`. */
static const struct option *
find_row(const struct option *table, const char *word)
{
	size_t len;

	if (word[1] != '-') {
		for (; table->name != NULL; table++)
			if (table->letter == word[1] && word[2] == '\0')
				return table;
		return NULL;
	}
	len = strcspn(word + 2, "=");
	for (; table->name != NULL; table++)
		if (strlen(table->name) == len &&
		    strncmp(table->name, word + 2, len) == 0)
			return table;
	return NULL;
}

static bool
is_option(const char *word)
{
	return word[0] == '-' && word[1] != '\0';
}

int
cmdline_first(int argc, char **argv, const struct option *table)
{
	const struct option *o;
	int i;

	for (i = 0; i < argc && is_option(argv[i]); i++) {
		if (strcmp(argv[i], "--") == 0)
			return i + 1;
		o = find_row(table, argv[i]);
		if (o != NULL && strchr(argv[i], '=') == NULL)
			i += (int)count_values(o);
	}
	return i < argc ? i : argc;
}

static enum status
unknown(const char *word, struct err *err)
{
	return err_set(err, ST_NEVER, "unknown option %.*s",
	    (int)strcspn(word, "="), word);
}

/* An option at argv[*i]; *i comes to stand on the last word that belongs to
 * it. */
static enum status
take_option(struct cmdline *line, int argc, char **argv,
    const struct option *const *tables, int *i, struct err *err)
{
	const char *word = argv[*i], *inside = strchr(word, '=');
	const struct option *o = NULL;
	struct given *g;
	unsigned n = 0, want;

	while (o == NULL && *tables != NULL)
		o = find_row(*tables++, word);
	if (o == NULL)
		return unknown(word, err);
	want = count_values(o);
	if (want == 0 && inside != NULL)
		return err_set(err, ST_NEVER, "--%s takes no value", o->name);
	line->given = must(talloc_realloc(line->argv, line->given, struct given,
	    line->ngiven + 1));
	g = &line->given[line->ngiven++];
	*g = (struct given){ .option = o };
	if (inside != NULL)
		g->value[n++] = inside + 1;
	for (; n < want; n++) {
		if (*i + 1 >= argc)
			return err_set(err, ST_NEVER, "--%s needs %s", o->name,
			    o->values);
		g->value[n] = argv[++*i];
	}
	return ST_OK;
}

enum status
cmdline_parse(TALLOC_CTX *ctx, int argc, char **argv,
    const struct option *const *tables, struct cmdline *line, struct err *err)
{
	enum status st = ST_OK;
	bool ended = false;
	int i;

	*line = (struct cmdline){ .argc = 0 };
	line->argv = must(talloc_zero_array(ctx, char *, (unsigned)argc + 1));
	for (i = 0; i < argc && st == ST_OK; i++) {
		if (ended || !is_option(argv[i]))
			line->argv[line->argc++] = argv[i];
		else if (strcmp(argv[i], "--") == 0)
			ended = true;
		else
			st = take_option(line, argc, argv, tables, &i, err);
	}
	return st;
}

static const struct given *
find_given(const struct cmdline *line, const char *name)
{
	unsigned i;

	for (i = line->ngiven; i > 0; i--)
		if (strcmp(line->given[i - 1].option->name, name) == 0)
			return &line->given[i - 1];
	return NULL;
}

bool
cmdline_has(const struct cmdline *line, const char *name)
{
	return find_given(line, name) != NULL;
}

const char *
cmdline_value(const struct cmdline *line, const char *name, unsigned i)
{
	const struct given *g = find_given(line, name);

	return g == NULL ? NULL : g->value[i];
}

const char *
cmdline_next(const struct cmdline *line, const char *name, unsigned *at)
{
	const struct given *g;

	while (*at < line->ngiven) {
		g = &line->given[(*at)++];
		if (strcmp(g->option->name, name) == 0)
			return g->value[0];
	}
	return NULL;
}

void
options_print(FILE *out, const struct option *table)
{
	int column;

	for (; table->name != NULL; table++) {
		column = fprintf(out, "  --%s%s%s", table->name,
		    table->values == NULL ? "" : " ",
		    table->values == NULL ? "" : table->values);
		if (column >= MEANING)
			(void)fprintf(out, "\n%*s%s\n", MEANING, "",
			    table->meaning);
		else
			(void)fprintf(out, "%*s%s\n", MEANING - column, "",
			    table->meaning);
	}
}

void
options_usage(FILE *out, const struct option *table, int *column)
{
	int len;

	for (; table->name != NULL; table++) {
		len = (int)strlen(table->name) + 5;
		if (table->values != NULL)
			len += (int)strlen(table->values) + 1;
		if (*column + len > WIDTH) {
			(void)fprintf(out, "\n%*s", MARGIN, "");
			*column = MARGIN;
		}
		(void)fprintf(out, " [--%s%s%s]", table->name,
		    table->values == NULL ? "" : " ",
		    table->values == NULL ? "" : table->values);
		*column += len;
	}
}
