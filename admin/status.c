/* SPDX-License-Identifier: ISC */
/*
 * status.c - how far the migration is, and what mailferry-mapd counts
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "admin/record_json.h"
#include "admin/verbs.h"
#include "maps/base/file.h"
#include "maps/route.h"

#define PATIENCE	10		/* seconds for mapd's numbers */
#define NUMBERS_MAX	(1024 * 1024)

static enum status
cannot(const struct admin *ad, struct err *err)
{
	return err_sys(err, "cannot ask mailferry-mapd at %s",
	    ad->conf->metrics_socket);
}

/* All that the socket says; talloc child of the configuration. */
static enum status
read_numbers(struct admin *ad, char **text, struct err *err)
{
	static const char request[] = "GET /metrics HTTP/1.0\r\n\r\n";
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct timeval tv = { PATIENCE, 0 };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	enum status st = ST_OK;
	char buf[4096];
	ssize_t n = 1;

	*text = must(talloc_strdup(ad->conf, ""));
	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s",
	    ad->conf->metrics_socket);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	if (fd == -1 || connect(fd, (struct sockaddr *)&addr,
	    sizeof(addr)) == -1 || file_write(fd, request,
	    sizeof(request) - 1) == -1)
		st = cannot(ad, err);
	while (st == ST_OK && n > 0 && talloc_get_size(*text) < NUMBERS_MAX) {
		n = read(fd, buf, sizeof(buf));
		if (n == -1)
			st = cannot(ad, err);
		else
			*text = must(talloc_strndup_append_buffer(*text, buf,
			    (size_t)n));
	}
	if (fd != -1)
		(void)close(fd);
	return st;
}

static enum status
print_numbers(struct admin *ad, struct err *err)
{
	enum status st;
	char *text, *body;

	st = read_numbers(ad, &text, err);
	if (st != ST_OK)
		return st;
	body = strstr(text, "\r\n\r\n");
	if (body == NULL || strncmp(text, "HTTP/1.0 200 ", 13) != 0)
		return err_set(err, ST_AGAIN, "%s does not answer as "
		    "mailferry-mapd does", ad->conf->metrics_socket);
	(void)fputs(body + 4, stdout);
	return ST_OK;
}

struct census {
	unsigned long	 users, state[STATE_NEW + 1];
	json_t		*window;	/* records with one open or planned */
	time_t		 now;
};

static enum status
count(const struct record *rec, void *arg, struct err *err)
{
	struct census *c = arg;

	(void)err;
	c->users++;
	c->state[route_effective(rec, c->now)]++;
	if (rec->end > c->now)
		(void)json_array_append_new(c->window, record_json_shown(rec,
		    c->now));
	return ST_OK;
}

static void
print_window(const json_t *w)
{
	(void)printf("window %s %s %s %s\n",
	    json_string_value(json_object_get(w, "user")),
	    json_string_value(json_object_get(w, "effective")),
	    json_string_value(json_object_get(w, "begin")),
	    json_string_value(json_object_get(w, "end")));
}

static void
print_census(const struct admin *ad, const struct census *c, enum state dflt)
{
	json_t *obj, *states = json_object();
	enum state s;
	size_t i;

	for (s = STATE_OLD; s <= STATE_NEW; s++) {
		if (!ad->json)
			(void)printf("%s %lu\n", state_name(s), c->state[s]);
		(void)json_object_set_new(states, state_name(s),
		    json_integer((json_int_t)c->state[s]));
	}
	if (ad->json) {
		obj = must(json_pack("{sIsssosO}", "users",
		    (json_int_t)c->users, "default", state_name(dflt), "states",
		    states, "windows", c->window));
		json_print(stdout, obj);
		return;
	}
	json_decref(states);
	(void)printf("default %s\n", state_name(dflt));
	for (i = 0; i < json_array_size(c->window); i++)
		print_window(json_array_get(c->window, i));
}

static int
run(struct admin *ad, struct err *err)
{
	struct census c = { .now = time(NULL) };
	struct record *dflt = NULL;
	enum status st;

	if (cmdline_has(&ad->line, "metrics"))
		return admin_status(print_numbers(ad, err));
	c.window = must(json_array());
	st = map_get_stored(ad->map, ad->conf, RECORD_DEFAULT, &dflt, err);
	if (st == ST_OK || st == ST_NONE)
		st = map_each(ad->map, count, &c, err);
	if (st == ST_OK)
		print_census(ad, &c, dflt == NULL ? STATE_OLD : dflt->state);
	json_decref(c.window);
	return admin_status(st);
}

static const struct option status_options[] = {
	{ "metrics", NULL, "the numbers of mailferry-mapd, as Prometheus reads "
	    "them", 0 },
	{ NULL, NULL, NULL, 0 },
};

const struct verb verb_status = {
	.name = "status", .run = run, .operands = "", .options = status_options,
	.does = "Print how many users are in each state, and whose windows are "
	    "open or planned.",
};
