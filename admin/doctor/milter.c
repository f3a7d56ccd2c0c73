/* SPDX-License-Identifier: ISC */
/*
 * milter.c - our milter among those that each smtpd(8) asks
 */
#include "admin/doctor/milter.h"

#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>


/* One of a list: `ADDRESS`, or `{ ADDRESS, NAME=VALUE ... }`. */
struct milter {
	char	*address;
	char	*action;		/* its own default_action, or NULL */
};

/* `default_action=accept` or `default_action = accept` among the words. */
static char *
own_action(TALLOC_CTX *ctx, const char *words)
{
	const char *at = strstr(words, "default_action");

	if (at == NULL)
		return NULL;
	at += strlen("default_action");
	at += strspn(at, " \t=");
	return must(talloc_strndup(ctx, at, strcspn(at, " \t,}")));
}

static bool
next_milter(TALLOC_CTX *ctx, const char **list, struct milter *m)
{
	const char *p = *list + strspn(*list, " \t,");
	size_t len;

	if (*p == '\0')
		return false;
	m->action = NULL;
	if (*p == '{') {
		len = strcspn(p, "}");
		m->action = own_action(ctx, must(talloc_strndup(ctx, p, len)));
		*list = p + len + (p[len] == '}');
		p += 1 + strspn(p + 1, " \t");
		len = strcspn(p, " \t,}");
	} else {
		len = strcspn(p, " \t,");
		*list = p + len;
	}
	m->address = must(talloc_strndup(ctx, p, len));
	return true;
}

static const char *
path_of(const char *address)
{
	return strncmp(address, "unix:", 5) == 0 ? address + 5 : NULL;
}

/* `inet:HOST:PORT` of Postfix; `inet:PORT@HOST` of a milter. */
static const char *
port_of(const char *address)
{
	const char *colon = strrchr(address, ':');

	return strncmp(address, "inet", 4) != 0 || colon == NULL ||
	    colon == strchr(address, ':') ? NULL : colon + 1;
}

static bool
same_port(const char *address, const char *socket)
{
	const char *port = port_of(address), *mine = strchr(socket, ':');

	return port != NULL && strncmp(socket, "inet", 4) == 0 &&
	    mine != NULL && strlen(port) == strcspn(mine + 1, "@") &&
	    strncmp(port, mine + 1, strlen(port)) == 0;
}

/* The very socket, as Postfix names it from inside its queue directory or
 * not. */
static bool
is_it(const struct postfix *p, const char *address)
{
	const char *path = path_of(address);
	const char *socket = p->d->ad->conf->milter_socket;
	const char *queue = postfix_value(p, "queue_directory");
	size_t len = strlen(queue);

	if (path == NULL)
		return same_port(address, socket);
	if (strcmp(path, socket) == 0)
		return true;
	path += *path == '/';
	return strncmp(socket, queue, len) == 0 && socket[len] == '/' &&
	    strcmp(socket + len + 1, path) == 0;
}

/* What was meant for it, though it is wrong. */
static bool
may_be_it(const struct postfix *p, const char *address)
{
	const char *path = path_of(address), *a, *b;
	const char *socket = p->d->ad->conf->milter_socket;

	if (strstr(address, "mailferry") != NULL)
		return true;
	a = path == NULL ? NULL : strrchr(path, '/');
	b = strrchr(socket, '/');
	return path != NULL && b != NULL &&
	    strcmp(a == NULL ? path : a + 1, b + 1) == 0;
}

static bool
find_ours(const struct postfix *p, const char *list, struct milter *ours)
{
	const char *all = list;
	struct milter m;

	while (next_milter(p->d->ad->conf, &list, &m))
		if (is_it(p, m.address)) {
			*ours = m;
			return true;
		}
	while (next_milter(p->d->ad->conf, &all, &m))
		if (may_be_it(p, m.address)) {
			*ours = m;
			return true;
		}
	return false;
}

static bool
answers(const char *address)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *ai = NULL, *a;
	char *host = must(talloc_strdup(NULL, strchr(address, ':') + 1));
	char *port = strrchr(host, ':');
	bool yes = false;
	int fd;

	*port++ = '\0';
	if (*host == '[' && port - host > 2) {		/* [::1] */
		port[-2] = '\0';
		memmove(host, host + 1, strlen(host));
	}
	if (getaddrinfo(host, port, &hints, &ai) != 0)
		ai = NULL;
	for (a = ai; a != NULL && !yes; a = a->ai_next) {
		fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		yes = fd != -1 && connect(fd, a->ai_addr, a->ai_addrlen) == 0;
		if (fd != -1)
			(void)close(fd);
	}
	if (ai != NULL)
		freeaddrinfo(ai);
	talloc_free(host);
	return yes;
}

/* Behind a content filter, on loopback, the milter has been asked already. */
static bool
is_inner(const char *service)
{
	return strncmp(service, "127.", 4) == 0 ||
	    strncmp(service, "localhost:", 10) == 0 ||
	    strncmp(service, "[::1]:", 6) == 0;
}

static void
look_at_action(const struct postfix *p, const char *service,
    const struct milter *m)
{
	const char *how = postfix_override(p, service, "milter_default_action");

	if (m->action != NULL)
		how = m->action;
	else if (how == NULL)
		how = postfix_value(p, "milter_default_action");
	if (strcmp(how, "accept") != 0)
		found(p->d, WARN, "postfix milter_default_action",
		    "milter_default_action = accept is safe: the LDA is exact",
		    "%s: all mail stops while the milter is away", how);
}

static void
look_at_macros(const struct postfix *p)
{
	if (strstr(postfix_value(p, "milter_rcpt_macros"), "{rcpt_addr}") ==
	    NULL)
		found(p->d, BAD, "postfix milter_rcpt_macros", "postconf -X "
		    "milter_rcpt_macros", "it lacks {rcpt_addr}, by which our "
		    "milter knows the recipient");
}

static void
look_at_way(const struct postfix *p, const char *service, const char *address)
{
	const char *chroot = postfix_field(p, service, "chroot");

	if (path_of(address) != NULL)
		postfix_reach(p, "postfix smtpd_milters", path_of(address),
		    chroot != NULL && *chroot == 'y', "mailferry-milter");
	else if (port_of(address) != NULL)
		found(p->d, answers(address) ? FINE : BAD, "postfix "
		    "smtpd_milters", answers(address) ? NULL : "start "
		    "mailferry-milter, or correct the address",
		    answers(address) ? "%s answers" : "%s: nobody answers "
		    "there", address);
}

static bool
is_smtpd(const struct postfix *p, const char *service)
{
	const char *command = postfix_field(p, service, "command");

	return command != NULL && strncmp(command, "smtpd", 5) == 0 &&
	    strchr(" \t", command[5]) != NULL;	/* or the end */
}

/* Reported once for each way to it: services that are alike say the same. */
static void
look_at_service(const struct postfix *p, const char *service,
    const struct milter *m, char **reported)
{
	const char *chroot = postfix_field(p, service, "chroot");
	char *key = must(talloc_asprintf(p->d->ad->conf, "|%s %c|", m->address,
	    chroot == NULL ? 'n' : *chroot));

	if (strstr(*reported, key) != NULL)
		return;
	if (**reported == '\0') {
		look_at_action(p, service, m);
		look_at_macros(p);
	}
	*reported = must(talloc_strdup_append(*reported, key));
	look_at_way(p, service, m->address);
}

static void
look_at_services(const struct postfix *p)
{
	char *reported = must(talloc_strdup(p->d->ad->conf, ""));
	char *service, *left = NULL;
	const char *at = NULL, *list, *own;
	struct milter m;

	while ((service = postfix_next(p, &at)) != NULL) {
		if (!is_smtpd(p, service))
			continue;
		own = postfix_override(p, service, "smtpd_milters");
		list = own != NULL ? own : postfix_value(p, "smtpd_milters");
		if (find_ours(p, list, &m))
			look_at_service(p, service, &m, &reported);
		else if (!is_inner(service) && left == NULL)
			left = service;
	}
	if (left != NULL && *reported == '\0')
		found(p->d, WARN, "postfix smtpd_milters", "smtpd_milters = "
		    "unix:PATH of milter_socket", "our milter is not in it: in "
		    "a window the LDA defers, and SMTP does not say so");
	else if (left != NULL)
		found(p->d, WARN, "postfix smtpd_milters", "leave -o "
		    "smtpd_milters out there, or name our milter in it, too",
		    "our milter is not in it for %s of master.cf", left);
}

void
doctor_milters(const struct postfix *p)
{
	struct milter m;

	if (find_ours(p, postfix_value(p, "non_smtpd_milters"), &m))
		found(p->d, BAD, "postfix non_smtpd_milters", "leave it out of "
		    "there", "our milter is in it: a tempfail there keeps the "
		    "whole message in maildrop");
	look_at_services(p);
}
