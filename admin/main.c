/* SPDX-License-Identifier: ISC */
/*
 * main.c - mailferry: the command's line, its verbs and its exit status
 */
#include <stdio.h>
#include <string.h>

#include "admin/verbs.h"

static const struct verb {
	const char	*name;
	verb_fn		*run;
	const char	*usage;
} verbs[] = {
	{ "add", verb_add, "USER [--state STATE] [--old MAILDIR] [--new MAILDIR] [--address A]..." },
	{ "show", verb_show, "USER" },
	{ "list", verb_list, "[STATE]" },
	{ "step", verb_step, "USER STATE [--for SECONDS | --window BEGIN END]" },
	{ "undo", verb_undo, "USER" },
	{ "delete", verb_delete, "USER" },
	{ "default", verb_default, "[old | new]" },
	{ "import", verb_import, "[--format jsonl|csv] FILE" },
	{ "export", verb_export, "[--format jsonl|csv|ldif|transport|access|passwd-file] [--map-entry DN] [FILE]" },
	{ "history", verb_history, "[--limit N] [USER]" },
	{ "watch", verb_watch, "[USER]" },
	{ "explain", verb_explain, "USER | ADDRESS" },
	{ "status", verb_status, "[--metrics]" },
	{ "doctor", verb_doctor, "[--init | [--postfix DIR] [--dovecot FILE]]" },
	{ "lint", verb_lint, "FILE | USER..." },
};

#define NVERBS (sizeof(verbs) / sizeof(verbs[0]))

static void
usage(FILE *out)
{
	size_t i;

	(void)fputs("usage: mailferry [--config FILE] VERB ... [--why TEXT] "
	    "[--dry-run] [--json]\n", out);
	for (i = 0; i < NVERBS; i++)
		(void)fprintf(out, "       mailferry %s %s\n", verbs[i].name,
		    verbs[i].usage);
}

/* Options of all verbs are taken out of argv, wherever they stand. */
static int
common_options(struct admin *ad, int argc, char **argv, const char **config)
{
	int i, n = 0;

	ad->argv = must(talloc_zero_array(NULL, char *, (unsigned)argc + 1));
	for (i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--dry-run") == 0)
			ad->dry_run = true;
		else if (strcmp(argv[i], "--json") == 0)
			ad->json = true;
		else if (strncmp(argv[i], "--config=", 9) == 0)
			*config = argv[i] + 9;
		else if (strcmp(argv[i], "--config") == 0 && i + 1 < argc)
			*config = argv[++i];
		else if (strcmp(argv[i], "--why") == 0 && i + 1 < argc)
			ad->why = argv[++i];
		else
			ad->argv[n++] = argv[i];
	}
	ad->argc = n;
	return n;
}

static int
run(struct admin *ad, const char *config, const struct verb *v)
{
	struct err err;
	enum status st;
	int rc;

	st = admin_open(ad, config, &err);
	rc = st == ST_OK ? v->run(ad, &err) : admin_status(st);
	if (rc == EXIT_USAGE)
		(void)fprintf(stderr, "usage: mailferry %s %s\n", v->name, v->usage);
	else if (rc != EXIT_DONE)
		(void)fprintf(stderr, "mailferry: %s\n", err.text);
	admin_close(ad);
	if (fflush(stdout) != 0 && rc == EXIT_DONE)
		rc = EXIT_LATER;
	return rc;
}

int
main(int argc, char **argv)
{
	struct admin ad = { .why = "" };
	const char *config = NULL;
	size_t i;

	must_exit(EXIT_LATER);
	if (common_options(&ad, argc, argv, &config) == 0) {
		usage(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(ad.argv[0], "--help") == 0) {
		usage(stdout);
		return EXIT_DONE;
	}
	if (strcmp(ad.argv[0], "--version") == 0) {
		(void)puts("mailferry " VERSION);
		return EXIT_DONE;
	}
	for (i = 0; i < NVERBS; i++)
		if (strcmp(ad.argv[0], verbs[i].name) == 0) {
			ad.argv++;
			ad.argc--;
			return run(&ad, config, &verbs[i]);
		}
	(void)fprintf(stderr, "mailferry: no such verb: %s\n", ad.argv[0]);
	usage(stderr);
	return EXIT_USAGE;
}
