/* SPDX-License-Identifier: ISC */
/*
 * owners_none.c - no backend that owns data: the LDA and the milter only ask
 */
#include "maps/backend.h"

const struct map_ops *const map_owners[] = { NULL };
