/* SPDX-License-Identifier: ISC */
/*
 * notify.h - report a daemon's state to systemd
 *
 * Built without libsystemd, or not started by systemd, these do nothing.
 */
#ifndef MAPS_BASE_NOTIFY_H
#define MAPS_BASE_NOTIFY_H

#include <stdbool.h>

/* Everything listens. */
void	notify_ready(void);
/* A new configuration is in force. */
void	notify_reloaded(void);
void	notify_stopping(void);
/* Still answering: at least twice in WatchdogSec. */
void	notify_alive(void);

#endif
