/* SPDX-License-Identifier: ISC */
/*
 * notify.c - report a daemon's state to systemd
 */
#include "maps/base/notify.h"

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>

static void
report(const char *state)
{
	(void)sd_notify(0, state);
}
#else
static void
report(const char *state)
{
	(void)state;
}
#endif

void
notify_ready(void)
{
	report("READY=1");
}

void
notify_reloaded(void)
{
	report("READY=1\nSTATUS=reloaded");
}

void
notify_stopping(void)
{
	report("STOPPING=1");
}

void
notify_alive(void)
{
	report("WATCHDOG=1");
}
