/* SPDX-License-Identifier: ISC */
/*
 * metrics.c - the metrics of mailferry-mapd, as Prometheus text
 *
 * Source: Prometheus' text exposition format 0.0.4.
 */
#include "maps/mapd/metrics.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#define PROTOCOLS	5

static const struct {
	const char	*name, *type, *help;
} single[M_LAST] = {
	[M_CHANGES] = { "mailferry_changes_total", "counter",
	    "Records added, changed or deleted." },
	[M_CONFLICTS] = { "mailferry_conflicts_total", "counter",
	    "Changes refused because the record had changed meanwhile." },
	[M_DEFERRALS] = { "mailferry_deferrals_total", "counter",
	    "Answers about a user whose window is open." },
	[M_REFUSED] = { "mailferry_refused_clients_total", "counter",
	    "Clients turned away at max_connections." },
	[M_WHOLE] = { "mailferry_map_whole", "gauge",
	    "1 while the map is undamaged." },
	[M_CACHED] = { "mailferry_cached_answers_total", "counter",
	    "Answers from the copy of all records." },
	[M_CACHE_AGE] = { "mailferry_cache_age_seconds", "gauge",
	    "Since the LDAP server last confirmed the copy." },
	[M_WORKERS_LOST] = { "mailferry_workers_lost_total", "counter",
	    "Worker processes that ended or were killed." },
};

/* Upper bounds of the latency's buckets, microseconds. */
static const struct { long long us; const char *seconds; } bound[] = {
	{ 50, "0.00005" }, { 100, "0.0001" }, { 250, "0.00025" },
	{ 1000, "0.001" }, { 2500, "0.0025" }, { 10000, "0.01" },
	{ 100000, "0.1" }, { 1000000, "1" }, { 5000000, "5" },
};
#define BOUNDS (sizeof(bound) / sizeof(bound[0]))

static const char *const outcome[] = {
	[ST_OK] = "ok", [ST_NONE] = "none", [ST_AGAIN] = "again",
	[ST_NEVER] = "never",
};
#define OUTCOMES (sizeof(outcome) / sizeof(outcome[0]))

struct counts {				/* of one protocol */
	const struct protocol *pr;
	uint64_t	 clients;
	uint64_t	 requests[OUTCOMES];
	uint64_t	 bucket[BOUNDS + 1];
	uint64_t	 us;
};

static struct {
	uint64_t	 single[M_LAST];
	uint64_t	 users[STATE_NEW + 1];
	struct counts	 counts[PROTOCOLS];
	time_t		 start;
} all;

void
metrics_add(enum metric m, uint64_t n)
{
	all.single[m] += n;
}

void
metrics_set(enum metric m, uint64_t n)
{
	all.single[m] = n;
}

void
metrics_user(const struct record *was, const struct record *is)
{
	if (was != NULL && strcmp(was->user, RECORD_DEFAULT) != 0)
		all.users[was->state]--;
	if (is != NULL && strcmp(is->user, RECORD_DEFAULT) != 0)
		all.users[is->state]++;
}

void
metrics_users(const uint64_t *n)
{
	memcpy(all.users, n, sizeof(all.users));
}

static struct counts *
counts_of(const struct protocol *pr)
{
	int i;

	for (i = 0; i < PROTOCOLS - 1; i++)
		if (all.counts[i].pr == pr || all.counts[i].pr == NULL)
			break;
	all.counts[i].pr = pr;
	return &all.counts[i];
}

void
metrics_request(const struct protocol *pr, enum status st, long long us)
{
	struct counts *c = counts_of(pr);
	size_t i;

	for (i = 0; i < BOUNDS && us > bound[i].us; i++)
		continue;
	c->bucket[i]++;
	c->us += us < 0 ? 0 : (uint64_t)us;
	c->requests[st]++;
}

void
metrics_client(const struct protocol *pr, int n)
{
	if (all.start == 0)
		all.start = time(NULL);
	counts_of(pr)->clients += (uint64_t)n;
}

static char *
head(char *out, const char *name, const char *type, const char *help)
{
	return must(talloc_asprintf_append_buffer(out,
	    "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type));
}

static char *
put_users(char *out)
{
	enum state s;

	out = head(out, "mailferry_users", "gauge",
	    "Users with a record, by state.");
	for (s = STATE_OLD; s <= STATE_NEW; s++)
		out = must(talloc_asprintf_append_buffer(out,
		    "mailferry_users{state=\"%s\"} %" PRIu64 "\n",
		    state_name(s), all.users[s]));
	return out;
}

static char *
put_requests(char *out)
{
	const struct counts *c;
	size_t o;

	out = head(out, "mailferry_requests_total", "counter",
	    "Requests answered.");
	for (c = all.counts; c < all.counts + PROTOCOLS && c->pr != NULL; c++)
		for (o = 0; o < OUTCOMES; o++)
			out = must(talloc_asprintf_append_buffer(out,
			    "mailferry_requests_total{protocol=\"%s\",outcome="
			    "\"%s\"} %" PRIu64 "\n", c->pr->name, outcome[o],
			    c->requests[o]));
	return out;
}

static char *
put_clients(char *out)
{
	const struct counts *c;

	out = head(out, "mailferry_clients", "gauge", "Connections open now.");
	for (c = all.counts; c < all.counts + PROTOCOLS && c->pr != NULL; c++)
		out = must(talloc_asprintf_append_buffer(out,
		    "mailferry_clients{protocol=\"%s\"} %" PRIu64 "\n",
		    c->pr->name, c->clients));
	return out;
}

static char *
put_latency(char *out, const struct counts *c)
{
	static const char name[] = "mailferry_request_seconds";
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i <= BOUNDS; i++) {
		sum += c->bucket[i];
		out = must(talloc_asprintf_append_buffer(out,
		    "%s_bucket{protocol=\"%s\",le=\"%s\"} %" PRIu64 "\n",
		    name, c->pr->name, i == BOUNDS ? "+Inf" : bound[i].seconds,
		    sum));
	}
	return must(talloc_asprintf_append_buffer(out,
	    "%s_sum{protocol=\"%s\"} %" PRIu64 ".%06" PRIu64 "\n"
	    "%s_count{protocol=\"%s\"} %" PRIu64 "\n", name, c->pr->name,
	    c->us / 1000000, c->us % 1000000, name, c->pr->name, sum));
}

char *
metrics_text(TALLOC_CTX *ctx)
{
	char *out = must(talloc_strdup(ctx, ""));
	const struct counts *c;
	int m;

	out = put_users(out);
	out = put_requests(out);
	out = put_clients(out);
	out = head(out, "mailferry_request_seconds", "histogram",
	    "How long an answer took, from the whole request to the answer.");
	for (c = all.counts; c < all.counts + PROTOCOLS && c->pr != NULL; c++)
		out = put_latency(out, c);
	for (m = 0; m < M_LAST; m++) {
		out = head(out, single[m].name, single[m].type, single[m].help);
		out = must(talloc_asprintf_append_buffer(out,
		    "%s %" PRIu64 "\n", single[m].name, all.single[m]));
	}
	out = head(out, "mailferry_start_time_seconds", "gauge",
	    "When mailferry-mapd started, in seconds UTC.");
	return must(talloc_asprintf_append_buffer(out,
	    "mailferry_start_time_seconds %lld\n", (long long)all.start));
}

/* A request ends with an empty line. */
static enum status
http_parse(const char *buf, size_t len, const char **req, size_t *rlen,
    size_t *used)
{
	const char *end = memmem(buf, len, "\r\n\r\n", 4);
	size_t size = 4;

	if (end == NULL) {
		end = memmem(buf, len, "\n\n", 2);
		size = 2;
	}
	if (end == NULL)
		return len >= protocol_metrics.request_max ? ST_NEVER :
		    ST_AGAIN;
	*req = buf;
	*rlen = (size_t)(end - buf);
	*used = *rlen + size;
	return ST_OK;
}

static void
http_answer(TALLOC_CTX *ctx, struct map *map, const struct wire_peer *peer,
    const char *req, size_t rlen, struct answer *out)
{
	char *text;

	(void)map;
	(void)peer;
	out->close = true;
	if (rlen < 4 || memcmp(req, "GET ", 4) != 0) {
		out->st = ST_NEVER;
		out->data = must(talloc_strdup(ctx,
		    "HTTP/1.0 405 Method Not Allowed\r\nAllow: GET\r\n\r\n"));
	} else {
		text = metrics_text(ctx);
		out->data = must(talloc_asprintf(ctx, "HTTP/1.0 200 OK\r\n"
		    "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
		    "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
		    strlen(text), text));
	}
	out->len = strlen(out->data);
}

const struct protocol protocol_metrics = {
	.name = "metrics", .request_max = 8192, .parse = http_parse,
	.answer = http_answer, .mapless = true,
	.busy = "HTTP/1.0 503 Service Unavailable\r\n\r\n",
};
