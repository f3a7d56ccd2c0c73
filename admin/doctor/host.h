/* SPDX-License-Identifier: ISC */
/*
 * host.h - this host: configuration, sockets, the map behind them
 */
#ifndef ADMIN_DOCTOR_HOST_H
#define ADMIN_DOCTOR_HOST_H

#include "admin/doctor/finding.h"

/* Report on the configuration file and what it names on this host. */
void		doctor_host(struct doctor *d);

/* Report on the map: does mailferry-mapd answer a recipient, and what does the
 * map hold? */
void		doctor_map(struct doctor *d);

#endif
