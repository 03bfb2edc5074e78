#include "tests/property/policy.h"

#include "base/str.h"

const struct policy policies[] = {
    { "leavers stay, disabled", .staged_has_account = true, .leaver_stays = true },
    { "leavers are removed", .lives_by_members = true },
    { "who is in the group", .scope_by_group = true, .shows_groups = true, .staged_has_account = true },
    { "made when active", .leaver_stays = true, .shows_groups = true, .lives_by_members = true },
};
const size_t policy_count = sizeof(policies) / sizeof(policies[0]);

const struct policy *policy_of(uint64_t seed)
{
    return &policies[seed % policy_count];
}

char *policy_people(const struct policy *policy)
{
    return str_printf("target = \"directory\";\nkind = \"user\";\n%s"
                      "match = ( \"(employeeNumber={id})\", \"(&(mail={login})(objectClass=inetOrgPerson)(!(employeeNumber=*)))\" );\n"
                      "account: {\n"
                      "  dn = \"uid={login | before '@'},ou=people,dc=example,dc=org\";\n"
                      "  objectClass = [ \"inetOrgPerson\" ];\n"
                      "  uid = \"{login | before '@'}\";\n"
                      "  cn = \"{name}\";\n"
                      "  sn = \"{name | last_word}\";\n"
                      "  mail = \"{login}\";\n"
                      "  employeeNumber = \"{id}\";\n%s"
                      "};\n"
                      "on: { created = \"%s\"; activated = \"provision\"; suspended = \"disable\"; deactivated = \"%s\";"
                      " deleted = \"remove\"; left_scope = \"remove\"; };\n"
                      "disable: { description = \"out\"; }; disable_locks = false;\n",
                      policy->scope_by_group ? "scope = \"'" SCOPE_GROUP "' in groups\";\n" : "",
                      policy->shows_groups ? "  businessCategory = \"{groups}\";\n" : "",
                      policy->staged_has_account ? "provision" : "keep", policy->leaver_stays ? "disable" : "remove");
}

char *policy_groups(const struct policy *policy)
{
    return str_printf("target = \"directory\";\nkind = \"group\";\n"
                      "match = ( \"(&(cn={name})(objectClass=groupOfNames))\" );\n"
                      "account: {\n"
                      "  dn = \"cn={name},ou=groups,dc=example,dc=org\";\n"
                      "  objectClass = [ \"groupOfNames\" ];\n"
                      "  cn = \"{name}\";\n"
                      "};\n"
                      "members: { attribute = \"member\"; value = \"{member.account.dn}\"; %s };\n"
                      "on: { activated = \"provision\"; deleted = \"remove\"; };\n",
                      policy->lives_by_members ? "with_first_member = true;" : "placeholder = \"" PLACEHOLDER "\";");
}
