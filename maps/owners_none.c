/* SPDX-License-Identifier: ISC */
/*
 * owners_none.c - no map of its own: the LDA and the milter only ask
 */
#include "maps/backend.h"

const struct map_ops *const map_owners[] = { NULL };
