// A SCIM 2.0 service that is not ours: SCIMMY on Express, with its users and groups in memory.
// Run by scim_service.py beside the packages that it fetched. Prints its URL once it listens; ends on SIGTERM.
import { randomUUID } from "node:crypto";
import express from "express";
import SCIMMY from "scimmy";
import SCIMMYRouters from "scimmy-routers";

const token = process.env.SCIM_TOKEN;
const users = new Map();
const groups = new Map();
const requests = [];

const groupsOf = (id) => [...groups.values()].filter((group) => group.members?.some((member) => member.value === id))
    .map((group) => ({ value: group.id, display: group.displayName }));
const withGroups = (user) => ({ ...user, groups: groupsOf(user.id) });

// What stands in a map, as SCIMMY wants it: one by its id, or all that a filter matches.
function stored(map, show = (item) => item) {
    return (resource) => {
        if (resource.id) {
            if (!map.has(resource.id)) throw new SCIMMY.Types.Error(404, null, `Resource ${resource.id} not found`);
            return show(map.get(resource.id));
        }
        const all = [...map.values()].map(show);
        return resource.filter ? resource.filter.match(all) : all;
    };
}

// A value that is added twice is there once (RFC 7644 3.5.2.1), which SCIMMY leaves to whoever stores.
const once = (members) => [...new Map(members.map((member) => [member.value, member])).values()];

function storing(map, unique, show = (item) => item) {
    return (resource, data) => {
        const id = resource.id ?? randomUUID();
        const item = JSON.parse(JSON.stringify({ ...data, id }));
        if (item.members) item.members = once(item.members);
        for (const other of map.values())
            if (other.id !== id && other[unique]?.toLowerCase() === item[unique]?.toLowerCase())
                throw new SCIMMY.Types.Error(409, "uniqueness", `${unique} is taken`);
        if (resource.id && !map.has(id)) throw new SCIMMY.Types.Error(404, null, `Resource ${id} not found`);
        map.set(id, item);
        return show(item);
    };
}

function removing(map) {
    return (resource) => {
        if (!map.delete(resource.id)) throw new SCIMMY.Types.Error(404, null, `Resource ${resource.id} not found`);
    };
}

SCIMMY.Resources.declare(SCIMMY.Resources.User.extend(SCIMMY.Schemas.EnterpriseUser, false))
    .ingress(storing(users, "userName", withGroups)).egress(stored(users, withGroups)).degress(removing(users));
SCIMMY.Resources.declare(SCIMMY.Resources.Group)
    .ingress(storing(groups, "displayName")).egress(stored(groups)).degress(removing(groups));

const app = express();
app.get("/_requests", (request, response) => response.json(requests));
// One request at a time: SCIMMY reads, patches and writes in steps, so that of two patches at once the first would be lost.
let turn = Promise.resolve();
app.use("/scim", (request, response, next) => {
    const before = turn;
    turn = new Promise((done) => response.on("close", done));
    before.then(() => next());
});
app.use("/scim", express.json({ type: "application/*+json" }), (request, response, next) => {
    response.on("finish", () => requests.push({ method: request.method, path: request.path, query: request.query, body: request.body ?? null,
        status: response.statusCode }));
    next();
});
app.use("/scim", new SCIMMYRouters({
    type: "bearer",
    handler: (request) => {
        if (request.header("Authorization") !== `Bearer ${token}`) throw new Error("Wrong token");
        return "provost";
    },
}));
const server = app.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}/scim`));
process.on("SIGTERM", () => process.exit(0));
