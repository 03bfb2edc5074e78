/* Where a directory's mapping file has its entries. */
#include "base/str.h"
#include "plan/dn.h"
#include "plan/loader.h"

/* The fixed end of a dn, by a text in which each interpolation is one character that no mapping has. */
static char *fixed_end(const struct value *locator)
{
    cleanup_free char *sample = template_sample(locator->template, "\001");
    const char *last = sample != NULL ? strrchr(sample, '\001') : NULL;
    const char *end = sample != NULL ? dn_behind(sample, last != NULL ? (size_t)(last - sample) : 0) : NULL;

    return str_dup(end);
}

static void add_place(struct mapping *mapping, struct connector_line *free_place, const char *name, const struct value *locator)
{
    char *dn = locator != NULL && locator->kind == VALUE_TEMPLATE ? fixed_end(locator) : NULL;

    if (dn != NULL)
        *free_place = (struct connector_line){ name, dn, mapping->path, locator->line };
}

void load_places(struct loader *loader)
{
    struct mapping *mapping = loader->mapping;
    struct connector_line *places = mapping->places = calloc(3, sizeof(*places));

    if (places == NULL)
        abort();
    if (!mapping->directory)
        return;
    add_place(mapping, places, "account.dn", mapping->locator);
    mapping->base = str_dup(places->dn);
    add_place(mapping, places + (places->name != NULL), "disable.dn", mapping->disable_locator);
}
