/* SPDX-License-Identifier: ISC */
/*
 * postfix.c - Postfix's delivery, its limits, its tables and its milters
 */
#include "admin/doctor/postfix.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/doctor/milter.h"
#include "admin/doctor/postconf.h"

static bool
has_flag_t(const char *command)
{
	const char *p;

	for (p = strstr(command, " -"); p != NULL; p = strstr(p + 1, " -"))
		if (memchr(p + 2, 't', strcspn(p + 2, " af")) != NULL)
			return true;
	return false;
}

static void
look_at_procmail(const struct postfix *p, const char *command)
{
	enum level level = p->ours ? BAD : WARN;

	found(p->d, level, "postfix mailbox_command", "postconf -e "
	    "'mailbox_command = /usr/bin/mailferry-lda -a \"$EXTENSION\"'",
	    "procmail delivers, to one side, whatever the map says");
	if (!has_flag_t(command))
		found(p->d, level, "postfix mailbox_command", "until then: "
		    "procmail -t", "procmail without -t bounces mail where a "
		    "filer is full or read-only");
}

/* An absolute path that is there and may be run. */
static void
look_at_lda(const struct postfix *p, const char *command)
{
	char *path = must(talloc_strndup(p->d->ad->conf, command,
	    strcspn(command, " ")));

	if (*path == '/' && access(path, X_OK) == -1)
		found(p->d, BAD, "postfix mailbox_command", "name the "
		    "installed program", "%s: %s", path, strerror(errno));
	else if (p->d->ad->conf->extension_mailboxes &&
	    strstr(command, "EXTENSION") == NULL)
		found(p->d, WARN, "postfix mailbox_command", "mailferry-lda -a "
		    "\"$EXTENSION\" says it to other users' programs, too",
		    "extension_mailboxes is set, and no -a \"$EXTENSION\" is "
		    "there");
	else
		found(p->d, FINE, "postfix mailbox_command", NULL, "%s", "");
}

/* `1000s`, `10m`. */
static long
seconds(const char *v)
{
	char *end;
	long n = strtol(v, &end, 10);

	return *end == 'm' ? n * 60 : *end == 'h' ? n * 3600 : *end == 'd' ?
	    n * 86400 : n;
}

static void
look_at_limit(const struct postfix *p, const char *name)
{
	int deadline = p->d->ad->conf->deadline;
	long limit = seconds(postfix_value(p, name));
	char *what = must(talloc_asprintf(p->d->ad->conf, "postfix %s", name));

	if (limit != 0 && limit <= deadline)
		found(p->d, BAD, what, "set deadline well below it",
		    "%ld seconds, and our deadline is %d: what takes longer "
		    "than the limit bounces", limit, deadline);
	else if (limit != 0 && limit < deadline + 30L)
		found(p->d, WARN, what, "set deadline well below it",
		    "%ld seconds, and our deadline is %d: that is near", limit,
		    deadline);
}

static bool
among(const char **list, const char *word)
{
	for (; *list != NULL; list++)
		if (strcmp(*list, word) == 0)
			return true;
	return false;
}

/* `user=vmail:mail` of pipe(8) must be among those that mapd lets ask for
 * everyone. */
static void
look_at_pipe_user(const struct postfix *p, const char *what, const char
    *command)
{
	const struct conf *conf = p->d->ad->conf;
	const char *at = strstr(command, " user=");
	const struct passwd *pw;
	char *name, uid[24] = "";

	if (at == NULL)
		return;
	name = must(talloc_strndup(conf, at + 6, strcspn(at + 6, ": ")));
	pw = getpwnam(name);
	if (pw != NULL)
		(void)snprintf(uid, sizeof(uid), "%lu", (unsigned
		    long)pw->pw_uid);
	if (strcmp(conf->map, "none") != 0 && !among(conf->trusted_users,
	    name) && !among(conf->trusted_users, uid))
		found(p->d, BAD, what, must(talloc_asprintf(conf,
		    "trusted_users = %s, and reload mailferry-mapd", name)),
		    "it delivers as %s, who is not among trusted_users: all "
		    "its mail is deferred", name);
}

/* Flags that pipe(8) takes for one recipient at a time. */
static bool
one_at_a_time(const char *command)
{
	const char *flags = strstr(command, " flags=");
	size_t len;

	if (flags == NULL)
		return false;
	flags += 7;
	len = strcspn(flags, " ");
	return memchr(flags, 'D', len) != NULL || memchr(flags, 'O',
	    len) != NULL || memchr(flags, 'X', len) != NULL;
}

/* A transport that runs our LDA by pipe(8). */
static void
look_at_pipe(const struct postfix *p, const char *service, const char *command)
{
	TALLOC_CTX *ctx = p->d->ad->conf;
	char *name = must(talloc_strndup(ctx, service, strcspn(service, "/")));
	char *what = must(talloc_asprintf(ctx, "postfix %s", name));
	char *key = must(talloc_asprintf(ctx, "%s_destination_recipient_limit",
	    name));

	if (strcmp(postfix_value(p, key), "1") != 0)
		found(p->d, one_at_a_time(command) ? BAD : WARN, what,
		    must(talloc_asprintf(ctx, "postconf -e '%s = 1'", key)),
		    "%s is %s: %s", key, postfix_value(p, key),
		    one_at_a_time(command) ? "with these flags pipe(8) then "
		    "refuses mail to several of its users" : "one of several "
		    "users in a window defers the mail of all of them");
	look_at_limit(p, must(talloc_asprintf(ctx, "%s_time_limit", name)));
	look_at_pipe_user(p, what, command);
}

/* Is there any? */
static bool
look_at_pipes(const struct postfix *p)
{
	const char *at = NULL, *command;
	bool any = false;
	char *service;

	while ((service = postfix_next(p, &at)) != NULL) {
		command = postfix_field(p, service, "command");
		if (strncmp(command, "pipe ", 5) != 0 ||
		    strstr(command, "mailferry-lda") == NULL)
			continue;
		look_at_pipe(p, service, command);
		any = true;
	}
	return any;
}

static void
look_at_delivery(const struct postfix *p)
{
	bool piped = look_at_pipes(p);
	static const char *const past[] = { "mailbox_transport",
	    "mailbox_transport_maps", "mailbox_command_maps" };
	const char *command = postfix_value(p, "mailbox_command"), *v;
	size_t i;

	if (postfix_runs(command, "procmail"))
		look_at_procmail(p, command);
	else if (postfix_runs(command, "mailferry-lda"))
		look_at_lda(p, command);
	else if (!piped)
		found(p->d, WARN, "postfix mailbox_command", "postconf -e "
		    "'mailbox_command = /usr/bin/mailferry-lda -a "
		    "\"$EXTENSION\"', or a pipe(8) transport", "it does not "
		    "run mailferry-lda: %s", *command == '\0' ? "it is empty" :
		    command);
	for (i = 0; i < sizeof(past) / sizeof(past[0]); i++) {
		v = postfix_value(p, past[i]);
		if (*v != '\0')
			found(p->d, WARN, past[i], "users who are not yet in "
			    "new must not be among them", "it goes before "
			    "mailbox_command: %s", v);
	}
}

static bool
chrooted(const struct postfix *p, const char *service)
{
	const char *chroot = postfix_field(p, service, "chroot");

	return chroot != NULL && *chroot == 'y';
}

/* Any smtpd(8): `smtp`, `submission`, `127.0.0.1:25`. */
static bool
smtpd_chrooted(const struct postfix *p)
{
	const char *at = NULL;
	char *service;

	while ((service = postfix_next(p, &at)) != NULL)
		if (postfix_runs(postfix_field(p, service, "command"),
		    "smtpd") && chrooted(p, service))
			return true;
	return false;
}

/* `unix:PATH` up to a blank, a comma, or the next colon. */
static char *
unix_path(TALLOC_CTX *ctx, const char *v)
{
	const char *at = strstr(v, "unix:");

	return at == NULL ? NULL : must(talloc_strndup(ctx, at + 5,
	    strcspn(at + 5, " ,:}")));
}

static void
look_at_tables(const struct postfix *p)
{
	static const struct { const char *name, *service; } table[] = {
		{ "transport_maps", "rewrite/unix" },
		{ "smtpd_recipient_restrictions", NULL },
		{ "smtpd_relay_restrictions", NULL },
	};
	const char *v;
	size_t i;
	char *path;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		v = strstr(postfix_value(p, table[i].name), "socketmap:unix:");
		path = v == NULL ? NULL : unix_path(p->d->ad->conf, v);
		if (path == NULL)
			continue;
		postfix_reach(p, table[i].name, path, table[i].service != NULL ?
		    chrooted(p, table[i].service) : smtpd_chrooted(p),
		    "mailferry-mapd");
	}
}

static void
look_at_addresses(const struct postfix *p)
{
	const struct conf *conf = p->d->ad->conf;
	const char *delimiter = postfix_value(p, "recipient_delimiter");
	const char *mine = conf->delimiter == NULL ? "" : conf->delimiter;
	char *copy = must(talloc_strdup(conf, postfix_value(p,
	    "mydestination")));
	char *word, *save = NULL;

	if (strcmp(delimiter, mine) != 0)
		found(p->d, WARN, "postfix recipient_delimiter", "make "
		    "recipient_delimiter the same in both", "it is \"%s\", "
		    "ours is \"%s\"", delimiter, mine);
	for (word = strtok_r(copy, " ,\t", &save); word != NULL;
	    word = strtok_r(NULL, " ,\t", &save))
		if (strchr(word, '.') != NULL && strpbrk(word, ":/$") == NULL &&
		    !among(conf->domains, word)) {
			found(p->d, WARN, "domains", "domains = those of "
			    "mydestination", "%s is a destination of Postfix "
			    "and not among them: in the socketmap its users "
			    "are known by the addresses of their records alone",
			    word);
			return;
		}
}

void
doctor_postfix(struct doctor *d)
{
	struct postfix p;
	enum status st;
	struct err err;

	st = postfix_read(&p, d, &err);
	if (st == ST_NONE)
		return;
	if (st != ST_OK) {
		found(d, BAD, "postfix", "postconf says what is wrong with its "
		    "files", "%s", err.text);
		return;
	}
	look_at_delivery(&p);
	if (!p.ours)
		return;		/* not ours yet: the rest would be noise */
	look_at_limit(&p, "command_time_limit");
	doctor_milters(&p);
	look_at_tables(&p);
	look_at_addresses(&p);
}
