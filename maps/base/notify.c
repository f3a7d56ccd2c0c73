/* SPDX-License-Identifier: ISC */
/*
 * notify.c - tell systemd how a daemon is, where it was built with libsystemd
 */
#include "maps/base/notify.h"

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>

static void
tell(const char *state)
{
	(void)sd_notify(0, state);
}
#else
static void
tell(const char *state)
{
	(void)state;
}
#endif

void
notify_ready(void)
{
	tell("READY=1");
}

void
notify_reloaded(void)
{
	tell("READY=1\nSTATUS=reloaded");
}

void
notify_stopping(void)
{
	tell("STOPPING=1");
}

void
notify_alive(void)
{
	tell("WATCHDOG=1");
}
