/* SPDX-License-Identifier: ISC */
/*
 * comsat.c - COMSAT: a notice to biff(1) that mail has come
 */
#include "lda/recipe/comsat.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lda/recipe/engine.h"
#include "maps/base/file.h"

#define BIFF_PORT	512
#define HOSTS_MAX	(1024 * 1024)

static bool
host_by_name(struct engine *e, const char *name, struct in_addr *to)
{
	char *text, *line, *save = NULL, *word, *words, *addr;
	struct err err;
	size_t len;

	if (*name == '\0' || strcasecmp(name, "localhost") == 0)
		name = "127.0.0.1";
	if (inet_pton(AF_INET, name, to) == 1)
		return true;
	if (file_read(e->ctx, AT_FDCWD, "/etc/hosts", HOSTS_MAX, &text, &len,
	    &err) != ST_OK)
		return false;
	for (line = strtok_r(text, "\n", &save); line != NULL;
	    line = strtok_r(NULL, "\n", &save)) {
		line[strcspn(line, "#")] = '\0';
		addr = strtok_r(line, " \t", &words);
		if (addr == NULL || inet_pton(AF_INET, addr, to) != 1)
			continue;
		while ((word = strtok_r(NULL, " \t", &words)) != NULL)
			if (strcasecmp(word, name) == 0)
				return true;
	}
	return false;
}

bool
comsat_set(struct engine *e, const char *value)
{
	struct comsat *c = &e->comsat;
	const char *at = strchr(value, '@');
	char *service;
	long port;

	c->on = false;
	if (at == NULL && vars_number(-1, value) == 0)
		return true;
	service = must(talloc_strndup(e->ctx, value, at == NULL ? 0 :
	    (size_t)(at - value)));
	port = *service == '\0' || strcmp(service, "biff") == 0 ||
	    strcmp(service, "comsat") == 0 ? BIFF_PORT : strtol(service, NULL,
	    10);
	c->to.sin_family = AF_INET;
	c->to.sin_port = htons((unsigned short)port);
	if (port <= 0 || port > 65535 ||
	    !host_by_name(e, at == NULL ? "" : at + 1, &c->to.sin_addr))
		return false;
	c->on = true;
	return true;
}

void
comsat_send(struct engine *e, const char *folder)
{
	const char *name = vars_text(e->vars, "LOGNAME"), *dir, *slash;
	long long tell = (long long)e->last.tell;
	char *text;
	int fd;

	if (!e->comsat.on || *name == '\0' || folder == NULL)
		return;
	dir = *folder == '/' || *folder == '*' ? "" :
	    vars_text(e->vars, "MAILDIR");
	slash = *dir == '\0' ? "" : "/";
	text = tell >= 0 ?
	    must(talloc_asprintf(e->ctx, "%s@%lld:%s%s%s", name, tell, dir,
	    slash, folder)) :
	    must(talloc_asprintf(e->ctx, "%s@:%s%s%s", name, dir, slash,
	    folder));
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return;
	if (sendto(fd, text, strlen(text), 0, (struct sockaddr *)&e->comsat.to,
	    sizeof(e->comsat.to)) != -1)
		rclog_verbose(&e->log, "Notified comsat:", text);
	(void)close(fd);
}
