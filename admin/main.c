/* SPDX-License-Identifier: ISC */
/*
 * main.c - mailferry: the command's line, its verbs and its exit status
 */
#include <stdio.h>
#include <string.h>

#include "admin/shown.h"
#include "admin/users.h"
#include "admin/verbs.h"

static const struct verb *const verbs[] = {
	&verb_add, &verb_show, &verb_list, &verb_step, &verb_undo, &verb_delete,
	&verb_default, &verb_import, &verb_export, &verb_history, &verb_watch,
	&verb_explain, &verb_status, &verb_doctor, &verb_lint,
};

#define NVERBS (sizeof(verbs) / sizeof(verbs[0]))

static const struct option common_options[] = {
	{ "config", "FILE", "read this configuration, not the default one", 0 },
	{ "why", "TEXT", "the reason, for the history", 0 },
	{ "dry-run", NULL, "say what would change, and change nothing", 0 },
	{ "json", NULL, "print JSON, an object a line", 0 },
	{ "help", NULL, "print this", 'h' },
	{ "version", NULL, "print the version", 'V' },
	{ NULL, NULL, NULL, 0 },
};

static void
print_usage(FILE *out, const struct verb *v)
{
	int column = fprintf(out, "usage: mailferry %s%s%s", v->name,
	    *v->operands == '\0' ? "" : " ", v->operands);

	if (v->options != NULL)
		options_usage(out, v->options, &column);
	if (v->users)
		options_usage(out, users_options, &column);
	(void)fputc('\n', out);
}

static int
help_verb(const struct verb *v)
{
	print_usage(stdout, v);
	(void)printf("\n%s\n\n", v->does);
	if (v->options != NULL)
		options_print(stdout, v->options);
	if (v->users)
		options_print(stdout, users_options);
	options_print(stdout, common_options);
	(void)printf("\nmailferry(8) says more.\n");
	return EXIT_DONE;
}

static void
print_verbs(FILE *out)
{
	size_t i;

	(void)fprintf(out, "usage: mailferry [OPTION...] VERB [WORD...]\n"
	    "       mailferry VERB --help\n\n");
	for (i = 0; i < NVERBS; i++)
		if (*verbs[i]->operands == '\0')
			(void)fprintf(out, "  %s\n", verbs[i]->name);
		else
			(void)fprintf(out, "  %-10s%s\n", verbs[i]->name,
			    verbs[i]->operands);
	(void)fputc('\n', out);
	options_print(out, common_options);
}

static const struct verb *
find_verb(const char *name)
{
	size_t i;

	for (i = 0; i < NVERBS; i++)
		if (strcmp(name, verbs[i]->name) == 0)
			return verbs[i];
	return NULL;
}

static int
refuse(const char *what)
{
	(void)fprintf(stderr, "mailferry: %s (mailferry --help)\n", what);
	return EXIT_USAGE;
}

static int
no_such_verb(const char *name)
{
	(void)fprintf(stderr, "mailferry: no such verb: %s\n", name);
	print_verbs(stderr);
	return EXIT_USAGE;
}

/* `mailferry help [VERB]`. */
static int
help(const char *name)
{
	const struct verb *v = name == NULL ? NULL : find_verb(name);

	if (name != NULL && v == NULL)
		return no_such_verb(name);
	if (v != NULL)
		return help_verb(v);
	print_verbs(stdout);
	return EXIT_DONE;
}

static int
version(void)
{
	(void)puts("mailferry " VERSION);
	return EXIT_DONE;
}

/* A line without a verb. */
static int
no_verb(int argc, char **argv)
{
	const struct option *const tables[] = { common_options, NULL };
	struct cmdline line;
	struct err err;

	if (cmdline_parse(NULL, argc, argv, tables, &line, &err) != ST_OK)
		return refuse(err.text);
	if (cmdline_has(&line, "help"))
		return help(NULL);
	if (cmdline_has(&line, "version"))
		return version();
	print_verbs(stderr);
	return EXIT_USAGE;
}

static bool
count_operands(const struct verb *v, const struct cmdline *line,
    struct err *err)
{
	if (line->argc > v->max)
		(void)admin_usage(err, "one word too many: %s",
		    line->argv[v->max]);
	else if (line->argc < v->min)
		(void)admin_usage(err, "a word is missing");
	else
		return true;
	return false;
}

static int
run(struct admin *ad, const struct verb *v, struct err *err)
{
	enum status st;
	int rc;

	if (!count_operands(v, &ad->line, err))
		return EXIT_USAGE;
	ad->dry_run = cmdline_has(&ad->line, "dry-run");
	ad->json = cmdline_has(&ad->line, "json");
	/* JSON has escapes of its own, and an export is data. */
	if (!ad->json && v != &verb_export)
		shown_guard(&stdout);
	if (cmdline_has(&ad->line, "why"))
		ad->why = cmdline_value(&ad->line, "why", 0);
	st = admin_open(ad, cmdline_value(&ad->line, "config", 0), err);
	rc = st == ST_OK ? v->run(ad, err) : admin_status(st);
	admin_close(ad);
	return rc;
}

static int
run_verb(const struct verb *v, int argc, char **argv)
{
	const struct option *tables[] = { common_options,
	    v->users ? users_options : v->options, v->options, NULL };
	struct admin ad = { .why = "" };
	struct err err = { .code = 0 };
	int rc = EXIT_USAGE;

	if (cmdline_parse(NULL, argc, argv, tables, &ad.line, &err) == ST_OK) {
		if (cmdline_has(&ad.line, "help"))
			return help_verb(v);
		if (cmdline_has(&ad.line, "version"))
			return version();
		rc = run(&ad, v, &err);
	}
	if (fflush(stdout) != 0 && rc == EXIT_DONE)
		rc = EXIT_LATER;
	if (rc != EXIT_DONE && err.text[0] != '\0')
		(void)fprintf(stderr, "mailferry: %s\n", err.text);
	if (rc == EXIT_USAGE)
		print_usage(stderr, v);
	return rc;
}

int
main(int argc, char **argv)
{
	const struct verb *v;
	const char *name;
	int at, i;

	must_exit(EXIT_LATER);
	shown_guard(&stderr);
	argc--;
	argv++;
	at = cmdline_first(argc, argv, common_options);
	if (at == argc)
		return no_verb(argc, argv);
	name = argv[at];
	/* The verb is taken out of its words. */
	for (i = at; i + 1 < argc; i++)
		argv[i] = argv[i + 1];
	argc--;
	if (strcmp(name, "help") == 0)
		return help(argc > at ? argv[at] : NULL);
	v = find_verb(name);
	return v == NULL ? no_such_verb(name) : run_verb(v, argc, argv);
}
