/* SPDX-License-Identifier: ISC */
/*
 * milter.h - our milter among those that each smtpd(8) asks
 */
#ifndef ADMIN_DOCTOR_MILTER_H
#define ADMIN_DOCTOR_MILTER_H

#include "admin/doctor/postconf.h"

/* Report on smtpd_milters of each smtpd(8), and on non_smtpd_milters. */
void		doctor_milters(const struct postfix *p);

#endif
