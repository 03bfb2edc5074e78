// A SCIM 2.0 service that is not ours: SCIMMY on Express, with its users and groups in memory.
// Run by scim_service.py beside the packages that it fetched. Prints its URL once it listens; ends on SIGTERM.
//
// It is as services are who do less than the RFC hopes for, after POST /_quirks with some of
//     groups          a user shows the groups that it is in, where there are any
//     page            no more than so many resources in an answer
//     ignore_filter   a list takes no notice of its filter
//     refuse_filter   a filter with this word in it is answered 400 invalidFilter
//     lower           a userName is kept in lower case
//     active          "text" or "number": shown as "True" and "False", or 1 and 0
//     ignore          a PATCH of this path ("/Users", "/Groups") is answered 204, and nothing is done
//     stale           the same is answered 200 with the resource as it was
import { randomUUID } from "node:crypto";
import express from "express";
import SCIMMY from "scimmy";
import SCIMMYRouters from "scimmy-routers";

const token = process.env.SCIM_TOKEN;
const users = new Map();
const groups = new Map();
const requests = [];
let quirks = {};

const groupsOf = (id) => [...groups.values()].filter((group) => group.members?.some((member) => member.value === id))
    .map((group) => ({ value: group.id, display: group.displayName }));
// A user in no group has no `groups` (RFC 7643 2.5); most services never show them.
const withGroups = (user) => quirks.groups && groupsOf(user.id).length ? { ...user, groups: groupsOf(user.id) } : user;

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
        if (quirks.lower && item.userName) item.userName = item.userName.toLowerCase();
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

const spellings = { text: ["False", "True"], number: [0, 1] };

function spelled(value) {
    if (Array.isArray(value)) return value.map(spelled);
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([name, member]) =>
        [name, name === "active" ? spellings[quirks.active][Number(member)] : spelled(member)]));
}

// What is answered otherwise than SCIMMY would, or asked otherwise of it.
function quirky(request, response, next) {
    const filter = request.query.filter ?? "", begins = (path) => path && request.method === "PATCH" && request.path.startsWith(path);
    if (quirks.refuse_filter && filter.includes(quirks.refuse_filter))
        return response.status(400).json({ schemas: ["urn:ietf:params:scim:api:messages:2.0:Error"], status: "400", scimType: "invalidFilter",
            detail: `Cannot filter by ${quirks.refuse_filter}` });
    if (begins(quirks.ignore)) return response.status(204).end();
    if (begins(quirks.stale)) request.method = "GET";
    if (quirks.ignore_filter) delete request.query.filter;
    if (quirks.page && request.method === "GET" && ["/Users", "/Groups"].includes(request.path))
        request.query.count = Math.min(quirks.page, request.query.count ?? quirks.page);
    if (quirks.active) {
        const json = response.json.bind(response);
        response.json = (body) => json(spelled(JSON.parse(JSON.stringify(body))));
    }
    return next();
}

const app = express();
app.post("/_quirks", express.json(), (request, response) => {
    quirks = request.body;
    response.status(204).end();
});
app.get("/_requests", (request, response) => response.json(requests));
// One request at a time: SCIMMY reads, patches and writes in steps, so that of two patches at once the first would be lost.
let turn = Promise.resolve();
app.use("/scim", (request, response, next) => {
    const before = turn;
    turn = new Promise((done) => response.on("close", done));
    before.then(() => next());
});
app.use("/scim", express.json({ type: "application/*+json" }), (request, response, next) => {
    const method = request.method;
    response.on("finish", () => requests.push({ method, path: request.path, query: request.query, body: request.body ?? null,
        status: response.statusCode }));
    next();
});
app.use("/scim", quirky);
app.use("/scim", new SCIMMYRouters({
    type: "bearer",
    handler: (request) => {
        if (request.header("Authorization") !== `Bearer ${token}`) throw new Error("Wrong token");
        return "provost";
    },
}));
const server = app.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}/scim`));
process.on("SIGTERM", () => process.exit(0));
