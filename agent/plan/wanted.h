/*
 * wanted.h: an account as a mapping and an identity's facts want it, before
 * it is compared with what is there. Private to plan/. Pure.
 * Ownership: wanted_clear. Errors: ERROR_INVALID with file:line and the
 * attribute's name.
 */
#ifndef PROVOST_PLAN_WANTED_H
#define PROVOST_PLAN_WANTED_H

#include "plan/mapping.h"

struct wanted {
    char *locator;          /* NULL: cannot be rendered */
    char *disabled_locator; /* of the `disable` group; NULL: stays */
    json_t **values;        /* one for each attribute of the mapping; NULL: absent */
    bool *unknown;          /* not known: to be left as it is */
    bool *overlaid;         /* the value comes from `disable` */
};

/*
 * `disabled` lays the `disable` group over it. With `lenient` an attribute
 * that cannot be rendered is left as it is instead of failing the whole: a
 * mistake in a name must not keep a leaver's account open.
 * An attribute is not known when it is absent and would come from a profile
 * that was never read. `since` is what `now` means in `disable`; 0: since the
 * status holds.
 */
int wanted_render(const struct mapping *mapping, const struct identity *identity, struct wall since, bool disabled, bool lenient,
                  struct wanted *ret_wanted, struct error *error);
void wanted_clear(const struct mapping *mapping, struct wanted *wanted);

/* The values under their names; a new reference, NULL: out of memory. */
json_t *wanted_values(const struct mapping *mapping, const struct wanted *wanted);

/* The locator alone, as it is while enabled; NULL: cannot be rendered. */
int wanted_locator(const struct mapping *mapping, const struct identity *identity, char **ret_locator, struct error *error);

#endif
