/*
 * doctor_postfix.c - main.cf and master.cf, as postconf(1) tells them
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/doctor.h"
#include "admin/program.h"

struct postfix {
	struct doctor	*d;
	char		*main;		/* `name = value` of all parameters */
	char		*chroot;	/* `service/type/chroot = y` */
	bool		 ours;		/* it mentions mailferry, or was named */
};

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
	return program_read(d->ad->conf, argv, text, err);
}

static const char *
value(const struct postfix *p, const char *name)
{
	const char *v = program_value(p->d->ad->conf, p->main, name);

	return v == NULL ? "" : v;
}

/* The program of the command line, without its directory. */
static bool
runs(const char *command, const char *program)
{
	const char *at = strstr(command, program), *end;

	if (at == NULL || (at != command && strchr("/ \"'", at[-1]) == NULL))
		return false;
	end = at + strlen(program);
	return *end == '\0' || strchr(" \"'", *end) != NULL;
}

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
		    "procmail -t", "procmail without -t bounces mail where a filer "
		    "is full or read-only");
}

/* An absolute path that is there and may be run. */
static void
look_at_lda(const struct postfix *p, const char *command)
{
	char *path = must(talloc_strndup(p->d->ad->conf, command,
	    strcspn(command, " ")));

	if (*path == '/' && access(path, X_OK) == -1)
		found(p->d, BAD, "postfix mailbox_command", "name the installed "
		    "program", "%s: %s", path, strerror(errno));
	else if (p->d->ad->conf->extension_mailboxes &&
	    strstr(command, "EXTENSION") == NULL)
		found(p->d, WARN, "postfix mailbox_command", "mailferry-lda -a "
		    "\"$EXTENSION\" says it to other users' programs, too",
		    "extension_mailboxes is set, and no -a \"$EXTENSION\" is there");
	else
		found(p->d, FINE, "postfix mailbox_command", NULL, "%s", "");
}

static void
look_at_delivery(const struct postfix *p)
{
	static const char *const past[] = { "mailbox_transport",
	    "mailbox_transport_maps", "mailbox_command_maps", "home_mailbox" };
	const char *command = value(p, "mailbox_command"), *v;
	size_t i;

	if (runs(command, "procmail"))
		look_at_procmail(p, command);
	else if (runs(command, "mailferry-lda"))
		look_at_lda(p, command);
	else
		found(p->d, WARN, "postfix mailbox_command", "postconf -e "
		    "'mailbox_command = /usr/bin/mailferry-lda -a \"$EXTENSION\"', or "
		    "a pipe(8) transport", "it does not run mailferry-lda: %s",
		    *command == '\0' ? "it is empty" : command);
	for (i = 0; i < sizeof(past) / sizeof(past[0]) - 1; i++) {
		v = value(p, past[i]);
		if (*v != '\0')
			found(p->d, WARN, past[i], "who is not yet in new must not "
			    "be among them", "it goes before mailbox_command: %s",
			    v);
	}
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
look_at_limits(const struct postfix *p)
{
	static const char *const limits[] = { "command_time_limit" };
	int deadline = p->d->ad->conf->deadline;
	long limit = seconds(value(p, limits[0]));

	if (limit != 0 && limit <= deadline)
		found(p->d, BAD, "postfix command_time_limit", "set deadline well "
		    "below it", "%ld seconds, and our deadline is %d: what takes "
		    "longer than the limit bounces", limit, deadline);
	else if (limit != 0 && limit < deadline + 30L)
		found(p->d, WARN, "postfix command_time_limit", "set deadline well "
		    "below it", "%ld seconds, and our deadline is %d: that is near",
		    limit, deadline);
}

/* Is this service chrooted?  For one that has several, any of them. */
static bool
chrooted(const struct postfix *p, const char *service)
{
	const char *at, *end;
	size_t len = strlen(service);

	for (at = p->chroot; *at != '\0'; at = end + (*end == '\n')) {
		end = at + strcspn(at, "\n");
		if (strncmp(at, service, len) == 0 && at[len] == '/' &&
		    end > at && end[-1] == 'y')
			return true;
	}
	return false;
}

/* Every address of a TCP service is smtpd's: `smtp`, `submission`, `127.0.0.1:25`. */
static bool
smtpd_chrooted(const struct postfix *p)
{
	const char *at, *end;

	for (at = p->chroot; *at != '\0'; at = end + (*end == '\n')) {
		end = at + strcspn(at, "\n");
		if (memmem(at, (size_t)(end - at), "/inet/chroot = y", 16) != NULL)
			return true;
	}
	return chrooted(p, "smtpd");
}

/* As the Postfix user reaches it, a relative path from the queue directory. */
static void
look_at_reach(const struct postfix *p, const char *what, const char *path,
    bool jail, const char *program)
{
	const char *queue = value(p, "queue_directory");
	const char *owner = value(p, "mail_owner");
	TALLOC_CTX *ctx = p->d->ad->conf;
	const char *in = path;
	int rc;

	if (geteuid() != 0)
		return;
	if (*path != '/')
		in = must(talloc_asprintf(ctx, "%s/%s", jail ? "" : queue, path));
	rc = doctor_connect(in, jail ? queue : NULL, owner);
	if (rc == 0)
		found(p->d, FINE, what, NULL, "%s answers", path);
	else if (rc == ENOENT && jail)
		found(p->d, BAD, what, "let the socket lie below the queue "
		    "directory", "%s: not there inside %s, where Postfix is "
		    "chrooted", path, queue);
	else if (rc == ENOENT || rc == ECONNREFUSED)
		found(p->d, BAD, what, must(talloc_asprintf(ctx, "start %s, or "
		    "correct the path", program)), "%s: nobody answers there", path);
	else
		found(p->d, BAD, what, "mode and owner of the socket and of its "
		    "directories must let Postfix in", "%s: user %s: %s", path,
		    owner, strerror(rc));
}

/* `unix:PATH` up to a blank, a comma, or the next colon. */
static char *
unix_path(TALLOC_CTX *ctx, const char *v)
{
	const char *at = strstr(v, "unix:");

	return at == NULL ? NULL : must(talloc_strndup(ctx, at + 5,
	    strcspn(at + 5, " ,:}")));
}

/* Our milter among those of a list: by its socket's name. */
static bool
is_ours(const struct postfix *p, const char *v)
{
	const char *socket = p->d->ad->conf->milter_socket;
	const char *name = strrchr(socket, '/');

	return strstr(v, "mailferry") != NULL || strstr(v, name == NULL ? socket :
	    name + 1) != NULL;
}

static void
look_at_milter(const struct postfix *p)
{
	const char *v = value(p, "smtpd_milters"), *how;
	char *path;

	if (is_ours(p, value(p, "non_smtpd_milters")))
		found(p->d, BAD, "postfix non_smtpd_milters", "leave it out of "
		    "there", "our milter is in it: a tempfail there keeps the whole "
		    "message in maildrop");
	if (!is_ours(p, v)) {
		found(p->d, WARN, "postfix smtpd_milters", "smtpd_milters = unix:"
		    "PATH of milter_socket", "our milter is not in it: in a window "
		    "the LDA defers, and the sender is not told");
		return;
	}
	how = value(p, "milter_default_action");
	if (strcmp(how, "accept") != 0)
		found(p->d, WARN, "postfix milter_default_action",
		    "milter_default_action = accept is safe: the LDA is exact",
		    "%s: all mail stops while the milter is away", how);
	if (strstr(value(p, "milter_rcpt_macros"), "{rcpt_addr}") == NULL)
		found(p->d, BAD, "postfix milter_rcpt_macros", "postconf -X "
		    "milter_rcpt_macros", "it lacks {rcpt_addr}, by which our milter "
		    "knows the recipient");
	path = unix_path(p->d->ad->conf, v);
	if (path != NULL)
		look_at_reach(p, "postfix smtpd_milters", path, smtpd_chrooted(p),
		    "mailferry-milter");
}

static void
look_at_tables(const struct postfix *p)
{
	static const struct { const char *name, *service; } table[] = {
		{ "transport_maps", "rewrite" },
		{ "smtpd_recipient_restrictions", NULL },
		{ "smtpd_relay_restrictions", NULL },
	};
	const char *v;
	size_t i;
	char *path;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		v = strstr(value(p, table[i].name), "socketmap:unix:");
		path = v == NULL ? NULL : unix_path(p->d->ad->conf, v);
		if (path == NULL)
			continue;
		look_at_reach(p, table[i].name, path, table[i].service != NULL ?
		    chrooted(p, table[i].service) : smtpd_chrooted(p),
		    "mailferry-mapd");
	}
}

static bool
among(const char **list, const char *word)
{
	for (; *list != NULL; list++)
		if (strcmp(*list, word) == 0)
			return true;
	return false;
}

static void
look_at_addresses(const struct postfix *p)
{
	const struct conf *conf = p->d->ad->conf;
	const char *delimiter = value(p, "recipient_delimiter");
	const char *mine = conf->delimiter == NULL ? "" : conf->delimiter;
	char *copy = must(talloc_strdup(conf, value(p, "mydestination")));
	char *word, *save = NULL;

	if (strcmp(delimiter, mine) != 0)
		found(p->d, WARN, "postfix recipient_delimiter", "make "
		    "recipient_delimiter the same in both", "it is \"%s\", ours is "
		    "\"%s\"", delimiter, mine);
	for (word = strtok_r(copy, " ,\t", &save); word != NULL;
	    word = strtok_r(NULL, " ,\t", &save))
		if (strchr(word, '.') != NULL && strpbrk(word, ":/$") == NULL &&
		    !among(conf->domains, word)) {
			found(p->d, WARN, "domains", "domains = those of "
			    "mydestination", "%s is a destination of Postfix and not "
			    "among them: in the socketmap its users are known by the "
			    "addresses of their records alone", word);
			return;
		}
}

void
doctor_postfix(struct doctor *d)
{
	struct postfix p = { .d = d };
	enum status st;
	struct err err;

	st = ask(d, "-x", &p.main, &err);
	if (st == ST_OK)
		st = ask(d, "-F", &p.chroot, &err);
	if (st == ST_NONE)
		return;
	if (st != ST_OK) {
		found(d, BAD, "postfix", "postconf says what is wrong with its "
		    "files", "%s", err.text);
		return;
	}
	p.ours = d->postfix != NULL || getenv("MAIL_CONFIG") != NULL ||
	    strstr(p.main, "mailferry") != NULL ||
	    strstr(p.chroot, "mailferry") != NULL;
	look_at_delivery(&p);
	if (!p.ours)
		return;			/* not ours yet: the rest would be noise */
	look_at_limits(&p);
	look_at_milter(&p);
	look_at_tables(&p);
	look_at_addresses(&p);
}
