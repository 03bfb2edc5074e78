#include "tests/support/rest_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/str.h"

/* %1$s: the name, %2$s: the key. */
static const char rendering[] =
    "{'requests':{"
    " 'match':[{'path':'/employees','query':{'external_id':'00u%1$s'},'items':'/items'},"
    "          {'path':'/employees','query':{'email':'%1$s@example.com'},'items':'/items','where':{'email':'%1$s@example.com'}}],"
    " 'read':{'path':'/employees/%2$s'},"
    " 'list':{'path':'/employees','query':{'limit':2},'items':'/items','next':{'by':'cursor','parameter':'cursor','pointer':'/next'}},"
    " 'create':{'path':'/employees'},"
    " 'update':{'path':'/employees/%2$s','send':'merge_patch'},"
    " 'disable':{'path':'/employees/%2$s/terminate','body':{'last_working_day':'2026-11-20'}},"
    " 'enable':{'path':'/employees/%2$s/rehire','body':{'start_date':'2026-12-01'}},"
    " 'remove':{'path':'/employees/%2$s'}},"
    "'result':{'id':'/id','error':'/error/message','disabled':{'pointer':'/status','values':['terminated']}},"
    "'pointers':{'first_name':'/name/given','last_name':'/name/family'}}";

static const char account[] = "{'external_id':'00u%1$s','email':'%1$s@example.com','first_name':'Ann','last_name':'Lee',"
                              "'start_date':'2026-11-01','department':'Sales'}";

json_t *rest_json(const char *text)
{
    cleanup_free char *copy = strdup(text);
    json_error_t error;

    for (char *p = copy; *p != '\0'; p++)
        *p = *p == '\'' ? '"' : *p;
    json_t *value = json_loads(copy, JSON_DECODE_ANY, &error);
    if (value == NULL)
        fail_msg("%s: %s", text, error.text);
    return value;
}

json_t *rest_render(const char *name, const char *key)
{
    cleanup_free char *text = str_printf(rendering, name, key != NULL ? key : "0");

    return rest_json(text);
}

json_t *rest_values(const char *name)
{
    cleanup_free char *text = str_printf(account, name);

    return rest_json(text);
}

void rest_put(json_t *settings, const char *path, const char *json)
{
    cleanup_free char *copy = strdup(path);
    char *rest = copy, *last = strrchr(copy, '.');

    *last++ = '\0';
    for (char *part; (part = strsep(&rest, ".")) != NULL;)
        settings = json_object_get(settings, part);
    assert_int_equal(json_object_set_new(settings, last, rest_json(json)), 0);
}
