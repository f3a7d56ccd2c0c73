/* SPDX-License-Identifier: ISC */
/*
 * filter.c - what libmilter calls: macros in, reply out
 */
#include "milter/filter.h"

#include <libmilter/mfapi.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "maps/base/clock.h"
#include "maps/base/log.h"
#include "milter/verdict.h"

#define REPEAT_MS	60000	/* between two log lines about the map */

static bool over_tcp;
static atomic_int sessions;
static atomic_ullong served, dry, verdicts[VERDICTS];

static struct {
	pthread_mutex_t	 lock;
	long long	 next;		/* clock_ms() of the next line */
	long long	 times;		/* since the last line */
} unasked = { PTHREAD_MUTEX_INITIALIZER, 0, 0 };

static const char *
macro(SMFICTX *ctx, const char *name)
{
	const char *value = smfi_getsymval(ctx, (char *)(uintptr_t)name);

	return value == NULL || *value == '\0' ? "?" : value;
}

/* Before the first recipient is accepted there is no queue id: `?`. */
static void
log_refusal(SMFICTX *ctx, const char *event, const char *rcpt,
    const struct decision *d)
{
	struct logline l;

	log_begin(&l, LOG_INFO, event);
	log_str(&l, "queue", macro(ctx, "i"));
	log_str(&l, "client", macro(ctx, "{client_addr}"));
	log_str(&l, "sender", macro(ctx, "{mail_addr}"));
	log_str(&l, "rcpt", rcpt);
	log_str(&l, "user", d->user);
	log_str(&l, "state", state_name(d->reply.state));
	log_num(&l, "retry", d->reply.retry);
	log_end(&l);
}

/* While the map is away there is one line a minute, not one for each mail. */
static void
log_unasked(const struct conf *conf, const struct decision *d)
{
	long long now = clock_ms(), times = 0;
	struct logline l;

	(void)pthread_mutex_lock(&unasked.lock);
	unasked.times++;
	if (now >= unasked.next) {
		times = unasked.times;
		unasked.times = 0;
		unasked.next = now + REPEAT_MS;
	}
	(void)pthread_mutex_unlock(&unasked.lock);
	if (times == 0)
		return;
	log_begin(&l, LOG_ERR, "unasked");
	log_str(&l, "verdict", conf->milter_tempfail && !conf->milter_dry_run ?
	    "tempfail" : "accept");
	log_num(&l, "times", times);
	log_str(&l, "why", d->err.text);
	log_end(&l);
}

static sfsistat
tempfail(SMFICTX *ctx, const char *xcode, const char *text)
{
	(void)smfi_setreply(ctx, (char *)(uintptr_t)REPLY_CODE,
	    (char *)(uintptr_t)xcode, (char *)(uintptr_t)text);
	return SMFIS_TEMPFAIL;
}

static sfsistat
answer(SMFICTX *ctx, const struct conf *conf, const char *rcpt,
    const struct decision *d)
{
	atomic_fetch_add_explicit(&verdicts[d->verdict], 1,
	    memory_order_relaxed);
	switch (d->verdict) {
	case VERDICT_TEMPFAIL:
		if (conf->milter_dry_run) {
			atomic_fetch_add(&dry, 1);
			log_refusal(ctx, "dryrun", rcpt, d);
			return SMFIS_CONTINUE;
		}
		log_refusal(ctx, "tempfail", rcpt, d);
		return tempfail(ctx, REPLY_XCODE, d->reply.text);
	case VERDICT_UNASKED:
		log_unasked(conf, d);
		if (conf->milter_tempfail && !conf->milter_dry_run)
			return tempfail(ctx, "4.3.0", "mailbox locations are "
			    "not available, try again later");
		return SMFIS_CONTINUE;
	case VERDICT_ACCEPT:
	case VERDICTS:
		break;
	}
	return SMFIS_CONTINUE;
}

/*
 * {rcpt_mailer} is the transport.  Only with `local` is the local part the name
 * of a system user.  `virtual` and pipe(8) transports deliver to whole
 * addresses: alice@a and alice@b are two users, found by a record's addresses
 * or by `domains`.
 */
static sfsistat
on_rcpt(SMFICTX *ctx, char **argv)
{
	const char *rcpt = smfi_getsymval(ctx,
	    (char *)(uintptr_t)"{rcpt_addr}");
	bool local = strcmp(macro(ctx, "{rcpt_mailer}"), "local") == 0;
	struct setup *s = setup_take();
	struct decision d;
	sfsistat rc;
	size_t len;

	if (rcpt != NULL)
		len = strlen(rcpt);
	else
		rcpt = reply_address(argv[0], &len);
	d.user[0] = '\0';
	decide(s, rcpt, len, local, &d);
	rc = answer(ctx, setup_conf(s), rcpt, &d);
	setup_give(s);
	return rc;
}

/*
 * RCPT brings all that we need, so every other stage is switched off: one round
 * trip for each recipient.  DATA stays on over TCP.  Postfix sends the macros
 * of a stage even if the stage is off: smtpd(8) ends with those of DATA, then
 * cleanup(8) begins on the same connection.  Two small packets without an
 * answer between them wait for a delayed ACK, 40 ms for each message.
 */
static sfsistat
on_negotiate(SMFICTX *ctx, unsigned long f0, unsigned long f1, unsigned long f2,
    unsigned long f3, unsigned long *pf0, unsigned long *pf1,
    unsigned long *pf2, unsigned long *pf3)
{
	static char wanted[] =
	    "{rcpt_addr} {rcpt_mailer} i {client_addr} {mail_addr}";

	(void)f2;
	(void)f3;
	*pf0 = f0 & SMFIF_SETSYMLIST;
	*pf1 = f1 & (SMFIP_NOCONNECT | SMFIP_NOHELO | SMFIP_NOMAIL |
	    SMFIP_NODATA | SMFIP_NOUNKNOWN | SMFIP_NOHDRS | SMFIP_NOEOH |
	    SMFIP_NOBODY);
	*pf2 = *pf3 = 0;
	if (over_tcp)
		*pf1 &= ~(unsigned long)SMFIP_NODATA;
	if (*pf0 != 0)
		(void)smfi_setsymlist(ctx, SMFIM_ENVRCPT, wanted);
	if (smfi_getpriv(ctx) == NULL && smfi_setpriv(ctx, &sessions) ==
	    MI_SUCCESS) {
		atomic_fetch_add(&sessions, 1);
		atomic_fetch_add(&served, 1);
	}
	return SMFIS_CONTINUE;
}

static sfsistat
on_data(SMFICTX *ctx)
{
	(void)ctx;
	return SMFIS_CONTINUE;
}

static sfsistat
on_close(SMFICTX *ctx)
{
	if (smfi_getpriv(ctx) == NULL)
		return SMFIS_CONTINUE;
	(void)smfi_setpriv(ctx, NULL);
	atomic_fetch_sub(&sessions, 1);
	return SMFIS_CONTINUE;
}

bool
filter_register(bool tcp)
{
	struct smfiDesc desc = {
		.xxfi_name = (char *)(uintptr_t)"mailferry-milter",
		.xxfi_version = SMFI_VERSION,
		.xxfi_flags = SMFIF_SETSYMLIST,
		.xxfi_negotiate = on_negotiate,
		.xxfi_envrcpt = on_rcpt,
		.xxfi_data = on_data,
		.xxfi_close = on_close,
	};

	over_tcp = tcp;
	return smfi_register(desc) == MI_SUCCESS;
}

int
filter_sessions(void)
{
	return atomic_load(&sessions);
}

void
filter_log_counts(void)
{
	struct logline l;

	log_begin(&l, LOG_INFO, "counts");
	log_num(&l, "accept", (long long)verdicts[VERDICT_ACCEPT]);
	log_num(&l, "tempfail", (long long)(verdicts[VERDICT_TEMPFAIL] - dry));
	log_num(&l, "dryrun", (long long)dry);
	log_num(&l, "unasked", (long long)verdicts[VERDICT_UNASKED]);
	log_num(&l, "sessions", (long long)served);
	log_num(&l, "open", filter_sessions());
	log_end(&l);
}
