/* SPDX-License-Identifier: ISC */
/*
 * postconf.c - main.cf and master.cf, as postconf(1) prints them
 */
#include "admin/doctor/postconf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/command.h"
#include "admin/doctor/connect.h"

static enum status
ask(const struct doctor *d, const char *option, char **text, struct err *err)
{
	const char *argv[6] = { "postconf" };
	int n = 1;

	if (d->postfix != NULL) {
		argv[n++] = "-c";
		argv[n++] = d->postfix;
	}
	argv[n++] = option;
	argv[n] = NULL;
	return command_read(d->ad->conf, argv, text, err);
}

const char *
postfix_value(const struct postfix *p, const char *name)
{
	const char *v = command_value(p->d->ad->conf, p->main, name);

	return v == NULL ? "" : v;
}

const char *
postfix_field(const struct postfix *p, const char *service, const char *field)
{
	TALLOC_CTX *ctx = p->d->ad->conf;

	return command_value(ctx, p->services, must(talloc_asprintf(ctx,
	    "%s/%s", service, field)));
}

const char *
postfix_override(const struct postfix *p, const char *service, const char *name)
{
	TALLOC_CTX *ctx = p->d->ad->conf;

	return command_value(ctx, p->overrides, must(talloc_asprintf(ctx,
	    "%s/%s", service, name)));
}

/* Each has one line for its command. */
char *
postfix_next(const struct postfix *p, const char **at)
{
	static const char field[] = "/command = ";
	const char *line = *at == NULL ? p->services : *at, *end, *mark;

	for (; *line != '\0'; line = end + (*end == '\n')) {
		end = line + strcspn(line, "\n");
		mark = memmem(line, (size_t)(end - line), field, sizeof(field) -
		    1);
		if (mark == NULL)
			continue;
		*at = end + (*end == '\n');
		return must(talloc_strndup(p->d->ad->conf, line,
		    (size_t)(mark - line)));
	}
	return NULL;
}

bool
postfix_runs(const char *command, const char *program)
{
	const char *at = strstr(command, program), *end;

	if (at == NULL || (at != command && strchr("/ \"'", at[-1]) == NULL))
		return false;
	end = at + strlen(program);
	return *end == '\0' || strchr(" \"'", *end) != NULL;
}

void
postfix_reach(const struct postfix *p, const char *what, const char *path,
    bool jail, const char *program)
{
	const char *queue = postfix_value(p, "queue_directory");
	const char *owner = postfix_value(p, "mail_owner");
	TALLOC_CTX *ctx = p->d->ad->conf;
	const char *in = path;
	int rc;

	if (geteuid() != 0)
		return;
	if (*path != '/')
		in = must(talloc_asprintf(ctx, "%s/%s", jail ? "" : queue,
		    path));
	rc = doctor_connect(in, jail ? queue : NULL, owner);
	if (rc == 0)
		found(p->d, FINE, what, NULL, "%s answers", path);
	else if (rc == ENOENT && jail)
		found(p->d, BAD, what, "let the socket lie below the queue "
		    "directory", "%s: not there inside %s, where Postfix is "
		    "chrooted", path, queue);
	else if (rc == ENOENT || rc == ECONNREFUSED)
		found(p->d, BAD, what, must(talloc_asprintf(ctx, "start %s, or "
		    "correct the path", program)), "%s: nobody answers there",
		    path);
	else
		found(p->d, BAD, what, "mode and owner of the socket and of "
		    "its directories must let Postfix in", "%s: user %s: %s",
		    path, owner, strerror(rc));
}

enum status
postfix_read(struct postfix *p, struct doctor *d, struct err *err)
{
	enum status st;

	*p = (struct postfix){ .d = d };
	st = ask(d, "-x", &p->main, err);
	if (st == ST_OK)
		st = ask(d, "-F", &p->services, err);
	if (st == ST_OK)
		st = ask(d, "-xP", &p->overrides, err);
	if (st == ST_OK)
		p->ours = d->postfix != NULL || getenv("MAIL_CONFIG") != NULL ||
		    strstr(p->main, "mailferry") != NULL ||
		    strstr(p->services, "mailferry") != NULL;
	return st;
}
